/** What a person starts from a terminal and a policy's own pod does: backups, and doctor's checks. */
import { type BackupRecord, MOUNTS } from '../../src/contract';
import { timeLimit } from '../abort';
import type { BackupCommandOptions } from '../cli/backup';
import { asStillpointError, recordedError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import type { KubeClient } from '../kube/client';
import { endOfJob, failureOfJob, lastMessageOf, type StartedJob, startJob } from '../kube/jobs';
import { lastWords } from '../last-words';
import { unpackFindings } from '../output/findings';
import type { Finding, Registry } from '../ports';
import { readOutcome, TERMINATION_LOG } from '../restore/outcome';
import { connect, kubernetesRegistry } from './kubernetes';
import { theNamespace } from './namespace';
import type { World } from './world';

/** Starts a backup of a policy; with --wait, until its Job has ended, with all its attempts. */
export async function backupByJob(policy: string, options: BackupCommandOptions, world: World): Promise<string> {
  if (options.wait === true) return `backup ${await finishedByJob(policy, options, world)} succeeded\n`;
  const client = await connect(options, world);
  const job = await startJob(client, { namespace: theNamespace(options, client), name: policy }, world.clock);
  const name = backupOf(job);
  return `job ${job.namespace}/${job.name} started: backup ${name}\nstillpoint wait ${name}\n`;
}

/** The name of a backup that a policy has just taken, with all attempts of its Job. */
export async function finishedByJob(
  policy: string,
  options: Omit<BackupCommandOptions, 'output'>,
  world: World,
): Promise<string> {
  const { clock, signal, log } = world;
  using limit = timeLimit(
    clock,
    options.timeout,
    () =>
      new StillpointError('wait-timeout', `the backup of policy ${policy} was not done in time`, {
        hint: 'its Job goes on: see stillpoint list',
      }),
  );
  const client = await connect(options, world);
  const job = await startJob(client, { namespace: theNamespace(options, client), name: policy }, clock);
  const name = backupOf(job);
  log.info({ job: job.name }, `backup ${name} started`);
  const failure = await failureOfJob({ client, clock, signal: AbortSignal.any([signal, limit.signal]) }, job).catch(
    (thrown: unknown) => {
      throw signal.aborted ? stoppedWaiting(job) : thrown;
    },
  );
  const registry = kubernetesRegistry(client, job.registry ?? options.registry, world);
  return await outcomeOf(registry, job, { failure, words: () => wordsOf(client, job) });
}

/** The Job is not the command's child: it goes on. */
function stoppedWaiting(job: StartedJob): StillpointError {
  return new StillpointError(
    'wait-stopped',
    `stopped waiting: backup ${backupOf(job)} goes on in job ${job.namespace}/${job.name}`,
    {
      hint: `stillpoint wait ${backupOf(job)} waits again; kubectl delete job -n ${job.namespace} ${job.name} stops it`,
    },
  );
}

interface JobEnded {
  /** Why, as Kubernetes has it; undefined when it is complete. */
  readonly failure: string | undefined;
  /** What its pod said last. */
  readonly words: () => Promise<StillpointError | string | undefined>;
}

/** By the record; where a runner never came so far as to write there, by what its pod said last. */
async function outcomeOf(registry: Registry, job: StartedJob, { failure, words }: JobEnded): Promise<string> {
  const name = backupOf(job);
  const { record, unread } = await recordOf(registry, job);
  if (failure === undefined && (record?.phase === 'succeeded' || unread !== undefined)) return name;
  // What is not on record is called by its Job: nobody would find a backup of that name.
  const isThere = record !== undefined || unread !== undefined;
  const what = isThere ? `backup ${name} failed` : `job ${job.namespace}/${job.name} made no backup`;
  if (record?.error !== undefined) throw recordedError(record.error, what);
  const said = await words();
  if (said instanceof StillpointError) throw recordedError(said, what);
  const reason = [failure ?? `it is ${record?.phase ?? 'complete'}`, ...(said === undefined ? [] : [said])].join(': ');
  throw new StillpointError('wait-impossible', `${what}: ${reason}`, {
    hint: `kubectl describe job -n ${job.namespace} ${job.name}, and kubectl logs; it may go on trying until it is deleted`,
  });
}

/** Whoever may start Jobs may not be the one who reads records: then the Job says how it ended. */
async function recordOf(
  registry: Registry,
  job: StartedJob,
): Promise<{ readonly record?: BackupRecord; readonly unread?: StillpointError }> {
  try {
    return { record: (await findRecord(registry, backupOf(job), { namespace: job.namespace })).record };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    return error.code === 'backup-not-found' ? {} : { unread: error };
  }
}

/** Who may not read pods is told what is known without. */
async function wordsOf(client: KubeClient, job: StartedJob): Promise<StillpointError | string | undefined> {
  return lastWords(await lastMessageOf(client, job).catch(() => undefined));
}

/** A command that answers with findings, to be run for a policy. */
export interface FindingsRequest {
  readonly policy: string;
  readonly namespace: string;
  readonly command: 'doctor' | 'heal';
  /** More of its arguments. */
  readonly flags?: readonly string[] | undefined;
  /** Whether it freezes something. */
  readonly freezes?: boolean | undefined;
  readonly timeoutMs: number;
}

/** Runs it in a pod of the policy's own: where its network, account and credentials are. */
export async function findingsByJob(
  client: KubeClient,
  request: FindingsRequest,
  { clock, signal }: World,
): Promise<readonly Finding[]> {
  const { policy: name, namespace, command, flags = [], freezes, timeoutMs } = request;
  using limit = timeLimit(
    clock,
    timeoutMs,
    () => new StillpointError('wait-timeout', `${command} of policy ${namespace}/${name} was not done in time`),
  );
  const args = [command, ...CONFIG_AND_RESULT, ...flags];
  const job = await startJob(client, { namespace, name, args, mayNeedGuard: freezes }, clock);
  const waiting = { client, clock, signal: AbortSignal.any([signal, limit.signal]) };
  const { exitCode, message } = await endOfJob(waiting, job);
  return unpackFindings(
    readOutcome<string>(message, `${command} in job ${job.name} (exit code ${exitCode})`, 'internal'),
  );
}

/** What comes of it travels in the termination message: the log of a pod that has ended may be gone before it is read. */
const CONFIG_AND_RESULT = ['--config', `${MOUNTS.config}/${MOUNTS.configFile}`, '--result', TERMINATION_LOG] as const;

function backupOf({ namespace, database, backup }: StartedJob): string {
  return database === undefined ? backup : `${namespace}/${database}/${backup}`;
}
