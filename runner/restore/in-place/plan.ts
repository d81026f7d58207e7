/** What a restore in place will do, decided before anything is made. Pure. */
import type { BackupRecord } from '../../../src/contract';
import { recordPath } from '../../output/records';
import type { Finding } from '../../ports';
import { planClaims, type RestorePlan, restoreName } from '../plan';
import { largest } from '../quantity';
import { requestedSize } from './claim-size';
import { keptClaims, type Operation } from './operation';
import type { Target } from './site';

/** What a person has allowed. */
export interface InPlaceWishes {
  /** One member of several. */
  readonly oneMember: boolean;
  /** Although something else may set the replicas. */
  readonly despiteControllers: boolean;
  /** The runner's image; as recorded unless given. */
  readonly image?: string | undefined;
}

/** The journal of a restore in place that begins. */
export function newOperation(record: BackupRecord, target: Target, id: string): Operation {
  return {
    id,
    namespace: record.namespace,
    database: record.database,
    backup: record.id,
    workload: target.workload,
    volumes: target.volumes.map((volume) => ({
      name: volume.name,
      claim: volume.claim,
      kept: keptClaims(volume.claim, id),
      present: volume.volume,
      reclaimPolicy: volume.reclaimPolicy,
      claimSpec: volume.claimSpec,
      claimLabels: volume.claimLabels,
      claimAnnotations: volume.claimAnnotations,
    })),
    direction: 'restore',
    phase: 'staging',
    replicas: target.replicas,
    deletesWhenScaled: target.deletesWhenScaled,
  };
}

/** How the copy is made that is going to take the place: an ordinary restore, under the names that keep. */
export function planCopy(operation: Operation, record: BackupRecord, image: string | undefined): RestorePlan {
  const { volumes, workload, id } = operation;
  const plan = planClaims(record, {
    claims: volumes.map(({ name, kept }) => `${name}=${kept.restored}`),
    sizes: volumes.flatMap(({ name, claimSpec }) => {
      const recorded = record.volumes.find((volume) => volume.name === name)?.capacity;
      const restoreSize = record.cuts.find(({ volume }) => volume === name)?.restoreSize;
      // What the present claim asks for, the copy has to have, or the two could not change places.
      const size = largest([recorded, restoreSize, requestedSize(claimSpec)]);
      return size === undefined ? [] : [`${name}=${size}`];
    }),
    namespace: operation.namespace,
    image,
  });
  return { ...plan, name: restoreName(`${workload.name}-${id}`), inPlace: true };
}

/** What stands against it, and what has to be said. Errors refuse it. */
export function inPlaceFindings(record: BackupRecord, target: Target, wishes: InPlaceWishes): readonly Finding[] {
  return [
    ...target.findings.map((finding) =>
      isAllowed(finding, wishes) ? { ...finding, severity: 'warning' as const } : finding,
    ),
    ...memberFindings(record, target, wishes),
    ...target.otherClaims.map(
      (claim): Finding => ({
        severity: 'warning',
        code: 'volume-not-covered',
        subject: `claim ${record.namespace}/${claim}`,
        message: `claim ${record.namespace}/${claim} of the pods is in no volume of the backup: it stays as it is`,
      }),
    ),
  ];
}

function isAllowed({ code }: Finding, { despiteControllers }: InPlaceWishes): boolean {
  return code === 'workload-contested' && despiteControllers;
}

/** One member that goes back in time, among others that do not, is no member of theirs any more. */
export function memberFindings(
  record: BackupRecord,
  { workload, replicas }: Pick<Target, 'workload' | 'replicas'>,
  { oneMember }: Pick<InPlaceWishes, 'oneMember'>,
): readonly Finding[] {
  if (workload.kind !== 'StatefulSet' || replicas <= 1) return [];
  const subject = `StatefulSet ${record.namespace}/${workload.name}`;
  return [
    {
      severity: oneMember ? 'warning' : 'error',
      code: 'in-place-unsuitable',
      subject,
      message: `${subject} has ${replicas} members, and backup ${recordPath(record)} is of one: the others keep what they have`,
      hint: 'scale it to one first; or say --one-member, and make the others anew afterwards',
    },
  ];
}
