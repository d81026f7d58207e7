/** `restore` of a copy: claims, and a Job that fills them, made of the policy which took it. */
import { fits, RECORD } from '../../src/contract';
import { timeLimit } from '../abort';
import type { RestoreCommandOptions } from '../cli/restore';
import { FILL_CONTAINER } from '../copy/by-policy';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { endOfCopyRestore, startCopyRestore } from '../kube/copy-restores';
import { followDumpRestore } from '../kube/dump-restores';
import { lastWords } from '../last-words';
import { formatRestoredCopy } from '../output/dumps';
import { recordPath } from '../output/records';
import { assertRestorable } from '../restore/restorable';
import { givenFlag, refuseStoreFlags } from './flags';
import { connect, kubernetesRegistry, kubernetesUses } from './kubernetes';
import { theNamespace } from './namespace';
import { tell } from './restore-dump-job';
import type { World } from './world';

/** Restores a copy, shows how far it is, and says what came of it; undefined where the name is of another kind of backup. */
export async function restoreCopyByJob(
  name: string,
  options: RestoreCommandOptions,
  world: World,
): Promise<string | undefined> {
  const { clock, log, signal } = world;
  const client = await connect(options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  const namespace = options.allNamespaces === true ? undefined : theNamespace(options, client);
  const stored = await findRecord(registry, name, { namespace });
  const source = stored.record.copy?.record;
  if (source === undefined) return undefined;
  refuseOtherFlags(options);
  refuseStoreFlags(options);
  assertRestorable(stored.record);
  const path = recordPath(stored.record);
  if (!fits(RECORD, source)) {
    throw new StillpointError(
      'record-unreadable',
      `the record of the backup in copy ${path} is not one that this version reads`,
    );
  }
  await using use = await kubernetesUses(client, options.registry, world).begin(stored, 'restore into claims');
  const { claim: claims = [], size: sizes = [], storageClass, identity } = options;
  const wishes = { claims, sizes, storageClass, identity };
  const { plan, ...job } = await startCopyRestore(client, { record: use.record, source }, wishes, clock);
  const at = `job ${job.namespace}/${job.name}`;
  log.info({}, `${at} restores copy ${path}`);
  const undo = `stillpoint restore --undo ${plan.name} -n ${job.namespace}`;
  using limit = timeLimit(
    clock,
    options.timeout,
    () =>
      new StillpointError('wait-timeout', `stopped waiting: the restore goes on in ${at}`, {
        hint: `${undo} removes it`,
      }),
  );
  const waiting = { client, clock, signal: AbortSignal.any([signal, limit.signal, use.lost]) };
  const of = { log: FILL_CONTAINER, end: endOfCopyRestore };
  const { exitCode, message } = await followDumpRestore(waiting, job, (line) => tell(line, log), of);
  const made = plan.volumes.map(({ claim, name: volume, mountPath }) => ({ volume, claim, mountPath }));
  if (exitCode === 0) {
    return formatRestoredCopy(
      { backup: path, namespace: job.namespace, restore: plan.name, volumes: made },
      options.output,
    );
  }
  const said = lastWords(message);
  const why = said instanceof StillpointError ? said.message : (said ?? `it ended with exit code ${exitCode}`);
  throw new StillpointError(said instanceof StillpointError ? said.code : 'restore-failed', why, {
    hint: `${undo} removes what was made`,
    exitCode: 7,
  });
}

/** What is of other restores is not left out without a word. */
function refuseOtherFlags(options: RestoreCommandOptions): void {
  const { toNamespace, start, keep, resource, image, port, credentials } = options;
  const { database, intoDatabase, checkFirst, intoOccupied } = options;
  const flag = givenFlag({
    ...{ toNamespace, start, keep, resource, image, port, credentials },
    ...{ database, intoDatabase, checkFirst, intoOccupied },
  });
  if (flag === undefined) return;
  throw new StillpointError(
    'usage-invalid',
    `${flag} does not go with a copy, which is made into claims of its policy's namespace`,
    {
      hint: 'leave it out; the construct SnapshotCopyRestore restores into other namespaces: docs/copies.md',
    },
  );
}
