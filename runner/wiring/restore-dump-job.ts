/** `restore --host`: a dump into a server, by a Job that is made of the policy which took it. */
import type { BackupRecord } from '../../src/contract';
import { timeLimit } from '../abort';
import type { RestoreCommandOptions } from '../cli/restore';
import { STORED_HINTS, storedKindOf } from '../dump/source';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { followDumpRestore, startDumpRestore } from '../kube/dump-restores';
import { lastWords } from '../last-words';
import { formatRestoredIntoServer } from '../output/dumps';
import { recordPath } from '../output/records';
import { assertRestorable } from '../restore/restorable';
import { readsIntoServer } from '../tools/tool';
import { givenFlag, refuseStoreFlags } from './flags';
import { connect, kubernetesRegistry, kubernetesUses } from './kubernetes';
import { theNamespace } from './namespace';
import { engineOf, type World } from './world';

/** Restores the dump, shows how far it is, and says what came of it. */
export async function restoreDumpByJob(
  name: string,
  options: RestoreCommandOptions & { readonly host: string },
  world: World,
): Promise<string> {
  const { clock, log, signal } = world;
  refuseVolumeFlags(options);
  refuseStoreFlags(options);
  const client = await connect(options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  const namespace = options.allNamespaces === true ? undefined : theNamespace(options, client);
  const stored = await findRecord(registry, name, { namespace });
  assertRestorable(stored.record);
  const path = recordPath(stored.record);
  assertDump(stored.record);
  await assertReadByTool(stored.record);
  await using use = await kubernetesUses(client, options.registry, world).begin(stored, `restore into ${options.host}`);
  const job = await startDumpRestore(client, use.record, options, clock);
  const at = `job ${job.namespace}/${job.name}`;
  log.info({}, `${at} restores backup ${path} into ${options.host}`);
  using limit = timeLimit(clock, options.timeout, () => stillWaiting('wait-timeout', at));
  const stop = AbortSignal.any([limit.signal, use.lost]);
  const waiting = { client, clock, signal: AbortSignal.any([signal, stop]) };
  const { exitCode, message } = await followDumpRestore(waiting, job, (line) => tell(line, log)).catch(
    (thrown: unknown) => {
      throw signal.aborted ? stillWaiting('wait-stopped', at) : thrown;
    },
  );
  if (exitCode === 0) {
    const restored = { backup: path, host: options.host, job: `${job.namespace}/${job.name}` };
    return formatRestoredIntoServer(restored, options.output);
  }
  const said = lastWords(message);
  if (said instanceof StillpointError) throw said;
  throw new StillpointError(
    'restore-failed',
    `${at} ended with exit code ${exitCode}${said === undefined ? '' : `: ${said}`}`,
  );
}

/** Of what lies in a store a dump alone goes into a server by its name. */
export function assertDump(record: BackupRecord): void {
  const kind = storedKindOf(record);
  if (kind === 'dump') return;
  const path = recordPath(record);
  if (kind === 'online') {
    throw new StillpointError('usage-invalid', `backup ${path} is no dump: one of its databases goes into a server`, {
      hint: STORED_HINTS.online,
    });
  }
  throw new StillpointError('usage-invalid', `backup ${path} is no dump: it goes into claims, and not into a server`, {
    hint: 'leave --host out',
  });
}

/** Before there is a Job, and with what there is to do instead. */
async function assertReadByTool(record: BackupRecord): Promise<void> {
  const engine = await engineOf(record);
  if (engine.dump !== undefined && readsIntoServer(engine.dump)) return;
  throw new StillpointError(
    'usage-invalid',
    `no tool of ${engine.name} reads backup ${recordPath(record)} into a server: a new one finds it in its data directory`,
    {
      hint: 'name its claim in a construct (docs/dumps.md); or on its own machine: stillpoint restore --from … --directory …',
    },
  );
}

/** The Job is not the command's child: it goes on. */
function stillWaiting(code: 'wait-timeout' | 'wait-stopped', at: string): StillpointError {
  return new StillpointError(code, `stopped waiting: the restore goes on in ${at}`, {
    hint: 'kubectl logs shows how far it is; kubectl delete stops it, and leaves a part in the server',
  });
}

/** A line of the pod's log as one of ours. Its error is told at the end, by its exit code. */
export function tell(line: string, log: World['log']): void {
  try {
    const { level, time: _, message, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (level === 'error' || typeof message !== 'string') return;
    if (level === 'warn') log.warn(fields, message);
    else log.info(fields, message);
  } catch {
    // Not a line of the runner's.
  }
}

/** What is said of claims is not left out without a word. */
function refuseVolumeFlags(options: RestoreCommandOptions): void {
  const { claim, toNamespace, storageClass, size, directory, start, keep, undo, image } = options;
  const flag = givenFlag({ claim, toNamespace, storageClass, size, directory, start, keep, undo, image });
  if (flag === undefined) return;
  throw new StillpointError('usage-invalid', `${flag} is of claims, and --host of a server that a dump goes into`, {
    hint: 'give one of them',
  });
}
