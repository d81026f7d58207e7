/** `stillpoint doctor` from a terminal: the checks of one policy or of all, each in a pod of its own policy. */
import { isCopy, isDump } from '../../src/contract';
import { asFinding, policyFindings } from '../commands/doctor';
import { importedFindings } from '../commands/imported';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { KubernetesImportedLook } from '../kube/imported-look';
import { KubernetesSchedules } from '../kube/schedules';
import type { PolicyFinding } from '../output/findings';
import type { Finding, RecordFilter, Schedule } from '../ports';
import { storesByJob } from './doctor-stores';
import { findingsByJob } from './jobs';
import { kubernetesRegistry } from './kubernetes';
import { namespaceOf, theNamespace } from './namespace';
import type { World } from './world';

/** How many policies are looked at at once: each is a pod. */
const AT_ONCE = 4;

export interface DoctorRequest {
  /** All policies of the namespace, or of all namespaces, when left out. */
  readonly policy: string | undefined;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  /** Whether the freeze is rehearsed. */
  readonly rehearse: boolean;
  /** The namespace of the records. */
  readonly registry: string;
  readonly timeout: number;
}

/** What the checks found. */
export async function doctorByJobs(
  client: KubeClient,
  request: DoctorRequest,
  world: World,
): Promise<readonly PolicyFinding[]> {
  const { policy } = request;
  const schedules = new KubernetesSchedules(client);
  if (policy !== undefined) {
    const namespace = theNamespace(request, client);
    const found = (await schedules.list({ namespace })).find(
      (each) => each.policy === policy || each.database === policy,
    );
    const config = found && (await schedules.configOf(found));
    // A policy of snapshots puts nothing there.
    const looksAtStores = config !== undefined && (isDump(config) || isCopy(config));
    const ofSchedule = found === undefined ? [] : policyFindings(found, world.clock.now());
    const [stores, checks] = await both(
      looksAtStores ? storesByJob(client, request, world) : Promise.resolve([]),
      checksOf(client, { policy, namespace }, request, world),
    );
    const imported = found && (await imports(client, { namespace, database: found.database }, request, world));
    return [...ofSchedule, ...checks, ...(imported ?? []), ...stores];
  }
  const namespace = namespaceOf(request, client);
  const all = await schedules.list({ namespace });
  // A cluster for restores alone has imported backups, and no policy.
  const imported = await imports(client, { namespace }, request, world);
  if (all.length === 0 && !imported.some(isOfAnImport)) throw noPolicies(namespace);
  const findings: PolicyFinding[] = [...imported];
  const queue = [...all];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      findings.push(...(await findingsOf(client, next, request, world)));
    }
  };
  const policies = Promise.all(Array.from({ length: AT_ONCE }, work));
  const [stores] = await both(storesByJob(client, request, world), policies);
  findings.push(...stores);
  // In the order of the policies, whichever was done first.
  return findings.sort((one, other) => ((one.policy ?? '') < (other.policy ?? '') ? -1 : 1));
}

/** Waits for both, however either ends: each takes its Jobs away. */
async function both<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<readonly [One, Other]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}

/** One policy among others: what ends its checks does not end theirs. */
async function findingsOf(
  client: KubeClient,
  schedule: Schedule,
  request: DoctorRequest,
  world: World,
): Promise<readonly PolicyFinding[]> {
  const policy = `${schedule.namespace}/${schedule.policy}`;
  const checks = await checksOf(client, schedule, request, world).catch((thrown: unknown) => {
    world.signal.throwIfAborted();
    return [asFinding('checks', thrown)];
  });
  return [...policyFindings(schedule, world.clock.now()), ...checks].map((finding) => ({ policy, ...finding }));
}

function checksOf(
  client: KubeClient,
  { policy, namespace }: Pick<Schedule, 'policy' | 'namespace'>,
  { rehearse, timeout: timeoutMs }: DoctorRequest,
  world: World,
): Promise<readonly Finding[]> {
  const flags = rehearse ? ['--rehearse', '--yes'] : [];
  return findingsByJob(client, { policy, namespace, command: 'doctor', flags, freezes: rehearse, timeoutMs }, world);
}

/** What a policy's own account may not ask: contents belong to no namespace. */
function imports(
  client: KubeClient,
  filter: RecordFilter,
  { registry }: DoctorRequest,
  world: World,
): Promise<readonly Finding[]> {
  const { clock, log, signal } = world;
  const look = new KubernetesImportedLook(client, clock);
  return importedFindings({ registry: kubernetesRegistry(client, registry, world), look, clock, log, signal }, filter);
}

/** Whether there is an imported backup, and not only somebody who may not look for any. */
function isOfAnImport({ code }: Finding): boolean {
  return code === 'ok' || code === 'snapshot-missing';
}

function noPolicies(namespace: string | undefined): StillpointError {
  return new StillpointError(
    'policy-not-found',
    `there is no policy in ${namespace === undefined ? 'any namespace' : `namespace ${namespace}`}`,
    {
      hint: 'name a namespace with -n, or look in all with -A',
    },
  );
}
