/** What a restore in place will do, and what it did, as people and scripts read it. Pure. */
import { stringify } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import type { Finding } from '../ports';
import type { Operation } from '../restore/in-place/operation';
import type { InPlaceResult } from '../restore/in-place/result';
import type { Target } from '../restore/in-place/site';
import type { RestorePlan } from '../restore/plan';
import { type Output, recordPath } from './records';
import { fields } from './table';

/** Every object that will be touched, in the order in which it will be. */
export function describePlan({
  record,
  target,
  operation,
  plan,
  findings,
  backupFirst,
}: {
  readonly record: BackupRecord;
  readonly target: Target;
  readonly operation: Operation;
  readonly plan: RestorePlan;
  readonly findings: readonly Finding[];
  readonly backupFirst: boolean;
}): string {
  const { workload, namespace } = operation;
  const facts: [string, string][] = [
    ['Workload', `${workload.kind} ${namespace}/${workload.name}`],
    ['Replicas', `${target.replicas} (${target.ready} ready)`],
    ['Image', target.image ?? ''],
    ['Backup', `${recordPath(record)} of ${record.times.started}`],
    ...target.volumes.map((volume): [string, string] => [
      `Claim ${volume.claim}`,
      `${volume.size ?? ''} ${volume.storageClass ?? ''} (${volume.volume}, ${volume.reclaimPolicy})`,
    ]),
  ];
  const claims = operation.volumes.map(({ claim, kept }, index) => {
    const size = plan.volumes[index]?.size ?? '';
    return { claim, kept, size };
  });
  const steps = [
    ...claims.map(({ kept, size }) => `make claim ${kept.restored} (${size}) from the backup; the database goes on`),
    'start a server of its own on the copy, and compare it with the record',
    backupFirst
      ? `take a backup of the present state (policy ${record.policy})`
      : 'take no backup of the present state: the present volumes are kept',
    `scale ${workload.kind} ${workload.name} from ${target.replicas} to 0: from here on the database is away`,
    ...claims.map(({ claim, kept }) => `keep the present volume of ${claim} as claim ${kept.present} (Retain)`),
    ...claims.map(({ claim, kept }) => `make claim ${claim} anew, on the volume of ${kept.restored}`),
    `scale ${workload.kind} ${workload.name} to ${target.replicas}, and wait until it is ready`,
  ];
  const away = `The database will be away while its pods end (they may take ${target.graceSeconds} s), the claims change, and its pods start: no data is copied meanwhile.`;
  return [
    fields(facts),
    '\nWhat will be done:\n',
    ...steps.map((step, index) => `  ${index + 1}. ${step}\n`),
    `\n${away}\nNothing is deleted. The way back: stillpoint restore --in-place --undo ${operation.id} -n ${namespace}\n`,
    ...(findings.length === 0 ? [] : ['\nTo know:\n', ...findings.map(({ message }) => `  ${message}\n`)]),
    '\n',
  ].join('');
}

/** What somebody has stopped is not started by the way. */
function atZero({ workload, namespace }: Operation): string {
  const { kind, name } = workload;
  return `it was at zero replicas and was not started: kubectl scale ${kind.toLowerCase()} -n ${namespace} ${name} --replicas=1 does so`;
}

/** What came of it. */
export function formatInPlace(result: InPlaceResult, output: Output): string {
  if (output === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  if (output === 'yaml') return stringify(result);
  const { operation, awaySeconds, undo, dryRun } = result;
  if (output === 'name') return `${operation.id}\n`;
  const name = `${operation.workload.kind} ${operation.namespace}/${operation.workload.name}`;
  if (dryRun) return 'Nothing was done.\n';
  if (operation.phase === 'abandoned') return `restore in place ${operation.id} given up: ${name} was not touched\n`;
  const restored = operation.direction === 'restore';
  return [
    restored ? `${name} is back on backup ${result.backup}` : `${name} is back on the volumes that it had before`,
    awaySeconds === undefined ? '.\n' : `; it was away for ${awaySeconds} s.\n`,
    ...(operation.replicas === 0 ? [`  ${atZero(operation)}\n`] : []),
    ...operation.volumes.map(
      ({ kept }) =>
        `  kept: claim ${restored ? kept.present : kept.restored} (${restored ? 'as it was before' : 'what was restored'})\n`,
    ),
    ...(operation.saved === undefined || !restored ? [] : [`  backup of the state before: ${operation.saved}\n`]),
    ...(undo === undefined ? [] : [`\nThe way back:\n  ${undo}\n`]),
  ].join('');
}
