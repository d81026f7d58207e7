/** Starts a policy's backup at once, as `kubectl create job --from=cronjob/…` does. */
import {
  type BackupId,
  backupId,
  COMPONENTS,
  JOB_INDEX,
  JOB_INDEX_LABEL,
  LABELS,
  MOUNTS,
  type PolicyConfig,
} from '../../src/contract';
import { parseConfig } from '../config';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';
import type { KubeClient } from './client';
import { isAlreadyThere } from './errors';
import { CONFIG_MAPS, CRON_JOBS, type CronJob, JOBS, type Job, PODS, type Pod } from './objects';
import { endOf, stuckOn } from './restore/pod-state';
import { until, type Waiting } from './until';

/** kubectl marks the Jobs that people make of a CronJob by it. */
export const MANUAL_ANNOTATION = 'cronjob.kubernetes.io/instantiate';

/** The name that the constructs give the runner's container. */
export const RUNNER_CONTAINER = 'runner';

/** A Job that was started, and the backup that it will take. */
export interface StartedJob {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly backup: BackupId;
  /** The database that the policy backs up, as its CronJob's labels say. */
  readonly database: string | undefined;
  /** The namespace of the policy's records, where its job config can be read. */
  readonly registry: string | undefined;
}

/** Which policy's Job to make, and what it does instead of a backup. */
export interface JobRequest {
  readonly namespace: string;
  readonly name: string;
  /** The runner's arguments; those of the CronJob when left out. */
  readonly args?: readonly string[] | undefined;
  /** With other arguments: whether what it does may need the policy's guard. */
  readonly mayNeedGuard?: boolean | undefined;
}

/** Makes a Job of a policy's CronJob. Throws policy-not-found. */
export async function startJob(client: KubeClient, policy: JobRequest, clock: Clock): Promise<StartedJob> {
  const { namespace } = policy;
  const cronJob = await findPolicy(client, policy);
  const { jobTemplate } = cronJob.spec;
  // A CronJob's name has at most 52 characters: with ten digits of seconds the Job's has at most 63.
  const name = `${cronJob.metadata.name}-${Math.floor(clock.now().getTime() / 1000)}`;
  const created = await createOnce(client, {
    metadata: {
      name,
      namespace,
      labels: jobTemplate.metadata?.labels ?? {},
      annotations: { ...jobTemplate.metadata?.annotations, [MANUAL_ANNOTATION]: 'manual' },
      // As kubectl does it: owned, so that it goes with the CronJob, but not controlled by it.
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'CronJob', name: cronJob.metadata.name, uid: cronJob.metadata.uid ?? '' },
      ],
    },
    spec: policy.args === undefined ? jobTemplate.spec : once(jobTemplate.spec, policy.args, policy.mayNeedGuard),
  });
  return {
    name,
    namespace,
    uid: created.metadata.uid ?? '',
    backup: backupId(new Date(created.metadata.creationTimestamp ?? clock.now())),
    database: jobTemplate.metadata?.labels?.[LABELS.database],
    registry: (await configOfJob(client, namespace, jobTemplate.spec))?.spec.registry.namespace,
  };
}

/** The Job's name and the backup's id are of the same second. */
async function createOnce(client: KubeClient, job: Omit<Job, 'apiVersion' | 'kind'>): Promise<Job> {
  try {
    return await client.create(JOBS, job);
  } catch (thrown) {
    if (!isAlreadyThere(thrown)) throw thrown;
    const { namespace, name } = job.metadata;
    throw new StillpointError('id-taken', `job ${namespace}/${name} was started in this very second already`, {
      hint: 'two backups of a policy need two seconds: try again',
      cause: thrown,
    });
  }
}

/** What a policy's Jobs are told. Whoever may not read its ConfigMap, or finds none that fits, says it on the command line. */
export async function configOfJob(
  client: KubeClient,
  namespace: string,
  { template }: Job['spec'],
): Promise<PolicyConfig | undefined> {
  const volumes = (template.spec.volumes ?? []) as readonly { readonly configMap?: { readonly name?: string } }[];
  const name = volumes.find(({ configMap }) => configMap !== undefined)?.configMap?.name;
  if (name === undefined) return undefined;
  try {
    const text = (await client.get(CONFIG_MAPS, { namespace, name }))?.data?.[MOUNTS.configFile];
    return text === undefined ? undefined : parseConfig(text, `${namespace}/${name}`);
  } catch (thrown) {
    if (thrown instanceof StillpointError) return undefined;
    throw thrown;
  }
}

/** The CronJob of a policy: by its own name, or by that of the database where it has only one. */
async function findPolicy(client: KubeClient, { namespace, name }: JobRequest): Promise<CronJob> {
  const named = await client.get(CRON_JOBS, { namespace, name });
  if (named !== undefined) return named;
  const labels = { [LABELS.component]: COMPONENTS.backup, [LABELS.database]: name };
  const { items } = await client.list(CRON_JOBS, { namespace, labels });
  const [first, second] = items;
  if (first === undefined) {
    throw new StillpointError(
      'policy-not-found',
      `there is no CronJob ${namespace}/${name}, and none for a database ${name}`,
      {
        hint: `see which there are: kubectl get cronjobs -n ${namespace} -l ${LABELS.component}=${COMPONENTS.backup}`,
      },
    );
  }
  if (second === undefined) return first;
  const names = items.map(({ metadata }) => metadata.name).join(', ');
  throw new StillpointError('usage-invalid', `database ${namespace}/${name} has several policies: ${names}`, {
    hint: 'name the policy',
  });
}

/** The same pod with other arguments, tried once; one that freezes nothing needs no guard. */
function once(spec: Job['spec'], args: readonly string[], mayNeedGuard = false): Job['spec'] {
  const containers = spec.template.spec.containers.map((container) => ({ ...container, args: [...args] }));
  const template = { ...spec.template, spec: { ...spec.template.spec, containers } };
  if (mayNeedGuard && spec.completionMode === 'Indexed') return { ...spec, backoffLimitPerIndex: 0, template };
  const { completionMode: _, backoffLimitPerIndex: __, successPolicy: ___, ...plain } = spec;
  return { ...plain, completions: 1, parallelism: 1, backoffLimit: 0, template };
}

/**
 * Waits until a Job has ended, all its attempts included. Answers with the reason when it failed, or cannot start;
 * undefined when it is complete.
 */
export async function failureOfJob(
  waiting: Waiting,
  { namespace, name, uid }: StartedJob,
): Promise<string | undefined> {
  const done = new AbortController();
  const both: Waiting = { ...waiting, signal: AbortSignal.any([waiting.signal, done.signal]) };
  const ended = until(both, JOBS, { namespace, fields: { 'metadata.name': name } }, ({ status }) => {
    const end = status?.conditions?.find(({ type, status: is }) => is === 'True' && ENDS.includes(type));
    if (end === undefined) return undefined;
    return { failure: end.type === 'Failed' ? (end.reason ?? 'Failed') : undefined };
  });
  const stuck = until(both, PODS, { namespace, labels: { 'batch.kubernetes.io/controller-uid': uid } }, (pod) => {
    // A guard that cannot start is missed by its runner, which says so in the record.
    const reason = isGuard(pod) ? undefined : stuckOn(pod);
    return reason === undefined ? undefined : { failure: reason };
  });
  try {
    return (await Promise.race([ended, stuck])).failure;
  } finally {
    done.abort();
    await Promise.allSettled([ended, stuck]);
  }
}

/** Whether a pod of a Job is the guard of another one of it. */
function isGuard({ metadata }: Pod): boolean {
  return metadata.labels?.[JOB_INDEX_LABEL] === `${JOB_INDEX.guard}`;
}

/** What the newest runner of a Job that has ended left as its termination message; undefined when none is there any more. */
export async function lastMessageOf(client: KubeClient, { namespace, uid }: StartedJob): Promise<string | undefined> {
  const { items } = await client.list(PODS, { namespace, labels: { 'batch.kubernetes.io/controller-uid': uid } });
  const at = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '');
  const runners = items.filter((pod) => !isGuard(pod)).sort((one, other) => at(other) - at(one));
  return runners.map((pod) => endOf(pod, RUNNER_CONTAINER)?.message).find((message) => message !== undefined);
}

/** The conditions of a Job that will not go on. */
const ENDS: readonly string[] = ['Complete', 'Failed'];

/** How a Job's pod ended, and what it left as its termination message. */
export interface JobEnd {
  readonly exitCode: number;
  readonly message: string | undefined;
}

/** Waits until the pod of a Job has ended, and removes the Job. */
export async function endOfJob(waiting: Waiting, job: StartedJob): Promise<JobEnd> {
  const { client } = waiting;
  const { namespace, name, uid } = job;
  try {
    return await until(waiting, PODS, { namespace, labels: { 'batch.kubernetes.io/controller-uid': uid } }, (pod) => {
      if (isGuard(pod)) return undefined;
      const reason = stuckOn(pod);
      if (reason !== undefined) {
        throw new StillpointError('wait-impossible', `job ${namespace}/${name} cannot start: ${reason}`);
      }
      return endOf(pod, RUNNER_CONTAINER);
    });
  } finally {
    await client.delete(JOBS, { namespace, name }, { uid, propagation: 'Background' });
  }
}
