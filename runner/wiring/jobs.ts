/** What a person starts from a terminal and a policy's own pod does: backups, and doctor's checks. */
import { MOUNTS } from '../../src/contract';
import { timeLimit } from '../abort';
import type { BackupCommandOptions } from '../cli/backup';
import { formatFindings, unpackFindings } from '../commands/doctor';
import { recordedError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { endOfJob, failureOfJob, type StartedJob, startJob } from '../kube/jobs';
import type { Registry } from '../ports';
import { failOnErrors } from '../preflight';
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
  return await outcomeOf(registry, job, failure);
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

async function outcomeOf(registry: Registry, job: StartedJob, failure: string | undefined): Promise<string> {
  const name = backupOf(job);
  const found = await findRecord(registry, name, { namespace: job.namespace }).catch(() => undefined);
  if (failure === undefined && found?.record.phase === 'succeeded') return name;
  const { error, phase } = found?.record ?? {};
  if (error !== undefined) throw recordedError(error, `backup ${name} failed`);
  const reason = failure ?? `it is ${phase ?? 'not on record'}`;
  throw new StillpointError('wait-impossible', `backup ${name} failed: ${reason}`, {
    hint: `kubectl logs -n ${job.namespace} job/${job.name}, or kubectl describe it`,
  });
}

/** Runs the checks of a policy in its own pod. */
export const doctorByJob = findingsByJob('doctor', (policy) => `the checks of policy ${policy}`);

/** Undoes what is held of the database of a policy, in the policy's own pod. */
export const healByJob = findingsByJob('heal', (policy) => `healing the database of policy ${policy}`);

type ByJob = (
  policy: string,
  options: BackupCommandOptions,
  world: World,
  print: (text: string) => void,
) => Promise<void>;

/** A command that answers with findings, run in a policy's own pod: where its network, account and credentials are. */
function findingsByJob(command: string, what: (policy: string) => string): ByJob {
  return (policy, options, world, print) => runFindings({ command, what: what(policy), policy }, options, world, print);
}

async function runFindings(
  { command, what, policy }: { readonly command: string; readonly what: string; readonly policy: string },
  options: BackupCommandOptions,
  world: World,
  print: (text: string) => void,
): Promise<void> {
  const { clock, signal } = world;
  using limit = timeLimit(
    clock,
    options.timeout,
    () => new StillpointError('wait-timeout', `${what} was not done in time`),
  );
  const client = await connect(options, world);
  const args = [command, ...CONFIG_AND_RESULT];
  const request = { namespace: theNamespace(options, client), name: policy, args };
  const job = await startJob(client, request, clock);
  const waiting = { client, clock, signal: AbortSignal.any([signal, limit.signal]) };
  const { exitCode, message } = await endOfJob(waiting, job);
  const findings = unpackFindings(
    readOutcome<string>(message, `${command} in job ${job.name} (exit code ${exitCode})`, 'internal'),
  );
  print(formatFindings(findings, options.output));
  failOnErrors(findings);
}

/** What comes of it travels in the termination message: the log of a pod that has ended may be gone before it is read. */
const CONFIG_AND_RESULT = ['--config', `${MOUNTS.config}/${MOUNTS.configFile}`, '--result', TERMINATION_LOG] as const;

function backupOf({ namespace, database, backup }: StartedJob): string {
  return database === undefined ? backup : `${namespace}/${database}/${backup}`;
}
