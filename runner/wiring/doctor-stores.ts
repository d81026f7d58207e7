/** The pruner's stores, looked at by a Job of its own: it alone has the credentials. */
import { PRUNER_NAME } from '../../src/contract';
import { timeLimit } from '../abort';
import type { DoctorCommandOptions } from '../cli/checks';
import { doctorStores, notPrunedFindings } from '../commands/doctor-stores';
import { readStores } from '../config';
import { impatient } from '../dump/store-look';
import { asStillpointError, StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { endOfJob, RUNNER_CONTAINER, startJob } from '../kube/jobs';
import { CRON_JOBS } from '../kube/objects';
import { unpackFindings } from '../output/findings';
import type { Finding } from '../ports';
import { readOutcome, TERMINATION_LOG } from '../restore/outcome';
import { keyIn, ownerOfCopies } from './copy-records';
import { storeFor } from './dump';
import { connect, kubernetesRegistry } from './kubernetes';
import type { World } from './world';

/** In the pruner's pod: what the stores of a file have to say. */
export async function storesFindings(
  file: string,
  options: Pick<DoctorCommandOptions, 'registry' | 'kubeconfig' | 'context'>,
  world: World,
): Promise<readonly Finding[]> {
  const { spec } = await readStores(file);
  const client = await connect(options, world);
  return await doctorStores({
    spec,
    open: (config) => storeFor(impatient(config), world),
    readKey: keyIn,
    registry: kubernetesRegistry(client, options.registry, world),
    owner: () => ownerOfCopies(client, options.registry, world),
    signal: world.signal,
  });
}

interface Container {
  readonly name?: string;
  readonly args?: readonly string[];
}

/** From a terminal. Where the registry was told of no stores, no more than what lies in some; a warning where they could not be looked at. */
export async function storesByJob(
  client: KubeClient,
  { registry: namespace, timeout: timeoutMs }: { readonly registry: string; readonly timeout: number },
  world: World,
): Promise<readonly Finding[]> {
  const { clock, signal } = world;
  const name = PRUNER_NAME;
  const subject = `stores of registry ${namespace}`;
  try {
    const cronJob = await client.get(CRON_JOBS, { namespace, name }, signal);
    const containers = (cronJob?.spec.jobTemplate.spec.template.spec.containers ?? []) as readonly Container[];
    const own = containers.find((container) => container.name === RUNNER_CONTAINER)?.args ?? [];
    if (!own.includes('--stores')) {
      return await notPrunedFindings({ stores: [], registry: kubernetesRegistry(client, namespace, world), signal });
    }
    using limit = timeLimit(
      clock,
      timeoutMs,
      () => new StillpointError('wait-timeout', `the ${subject} were not looked at in time`),
    );
    // What it is told of them, in place of a prune.
    const args = ['doctor', ...own.slice(1), '--result', TERMINATION_LOG];
    const job = await startJob(client, { namespace, name, args }, clock);
    const waiting = { client, clock, signal: AbortSignal.any([signal, limit.signal]) };
    const { exitCode, message } = await endOfJob(waiting, job);
    return unpackFindings(
      readOutcome<string>(message, `doctor in job ${namespace}/${job.name} (exit code ${exitCode})`, 'internal'),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message, hint } = asStillpointError(thrown);
    const told = `they were not looked at: ${message}`;
    return [{ severity: 'warning', code, subject, message: told, hint }];
  }
}
