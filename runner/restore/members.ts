/** A backup of several servers, looked at server by server: each as if it were a backup of that one alone. Pure. */
import type { BackupRecord, Proof, RecordedMember } from '../../src/contract';
import { factsOf } from '../merge-plans';
import { type RestorePlan, restoreName } from './plan';

/** The records of its members; of a backup of one server that itself. */
export function memberRecords(record: BackupRecord): readonly BackupRecord[] {
  return record.members === undefined ? [record] : record.members.map((member) => memberRecord(record, member));
}

/** What a backup of one of its servers alone would have on record. */
export function memberRecord(record: BackupRecord, member: RecordedMember): BackupRecord {
  const { members: _, proof, ...whole } = record;
  const { name, of: __, statement, frozen, thawed, ...own } = member;
  const volumes = record.volumes.filter((volume) => volume.member === name);
  const cuts = record.cuts.filter(({ volume }) => volumes.some((one) => one.name === volume));
  const times = { ...record.times, ...(frozen === undefined ? {} : { frozen, thawed }) };
  return { ...whole, ...own, volumes, cuts, times, ...(proof && { proof: proofOf(proof, name, statement) }) };
}

/** The member that some volumes are of; undefined where they are of several, or of a backup of one server. */
export function memberOfVolumes(record: BackupRecord, names: readonly string[]): RecordedMember | undefined {
  const of = new Set(record.volumes.filter(({ name }) => names.includes(name)).map(({ member }) => member));
  const [only] = of;
  return of.size === 1 ? record.members?.find(({ name }) => name === only) : undefined;
}

/** A restore of several servers as one for each: they are made, found and removed together. */
export function memberPlans(plan: RestorePlan): readonly RestorePlan[] {
  const { members } = plan.record;
  if (members === undefined) return [plan];
  return members.map((member) => {
    const record = memberRecord(plan.record, member);
    return {
      ...plan,
      name: restoreName(`${plan.name}-${member.name}`),
      of: plan.name,
      record,
      volumes: plan.volumes.filter(({ name }) => record.volumes.some((volume) => volume.name === name)),
    };
  });
}

function proofOf({ before, after, ...proof }: Proof, member: string, statement: string | undefined): Proof {
  return {
    ...proof,
    ...(statement === undefined ? {} : { statement }),
    before: { ...before, facts: factsOf(member, before.facts) },
    after: { ...after, facts: factsOf(member, after.facts) },
  };
}
