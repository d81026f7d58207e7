/** Jobs that restore dumps, made of the policies that have taken them. */
import { stringify } from 'yaml';
import { type BackupRecord, COMPONENTS, type DumpConfig, isDump, LABELS, MOUNTS } from '../../src/contract';
import { type DumpRestoreWishes, type PolicyPod, restoreConfigBy, restorePodBy } from '../dump/by-policy';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock } from '../ports';
import type { KubeClient } from './client';
import { configOfJob, RUNNER_CONTAINER } from './jobs';
import { CONFIG_MAPS, CRON_JOBS, type CronJob, JOBS, type Job, PODS, type PodSpec } from './objects';
import { endOf, stuckOn } from './restore/pod-state';
import { until, type Waiting } from './until';

/** How a restore from a terminal ended. */
export interface DumpRestoreEnd {
  readonly exitCode: number;
  readonly message: string | undefined;
}

/** A Job that restores a dump. */
export interface DumpRestoreJob {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** Starts it in the namespace of the policy. Throws policy-not-found where that is gone. */
export async function startDumpRestore(
  client: KubeClient,
  record: BackupRecord,
  wishes: DumpRestoreWishes,
  clock: Clock,
): Promise<DumpRestoreJob> {
  const cronJob = await policyOf(client, record);
  const { namespace } = record;
  const config = await configOf(client, cronJob, record);
  // A CronJob's name has at most 52 characters: with ten digits of seconds the Job's has at most 63.
  const name = `${cronJob.metadata.name}-${Math.floor(clock.now().getTime() / 1000)}`;
  const instruction = restoreConfigBy(config, record, wishes, { name, namespace });
  const labels = {
    ...cronJob.spec.jobTemplate.metadata?.labels,
    [LABELS.component]: COMPONENTS.restore,
    [LABELS.database]: record.database,
    [LABELS.backup]: record.id,
  };
  const created = await client.create(JOBS, {
    metadata: { name, namespace, labels },
    spec: jobBy(cronJob, labels, { config: name, wishes }),
  });
  const uid = created.metadata.uid ?? '';
  // After the Job, so that it goes with it: the pod waits for it.
  await client.create(CONFIG_MAPS, {
    metadata: { name, namespace, labels, ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }] },
    data: { [MOUNTS.configFile]: stringify(instruction, { lineWidth: 0, aliasDuplicateObjects: false }) },
  });
  return { name, namespace, uid };
}

async function policyOf(client: KubeClient, record: BackupRecord): Promise<CronJob> {
  const { namespace, policy } = record;
  const found = await client.get(CRON_JOBS, { namespace, name: policy });
  if (found !== undefined) return found;
  throw new StillpointError(
    'policy-not-found',
    `the policy ${namespace}/${policy} that took backup ${recordPath(record)} is gone, and the store's credentials are known by it`,
    { hint: 'restore it by the construct (docs/dumps.md), or apply the policy again' },
  );
}

async function configOf(client: KubeClient, cronJob: CronJob, record: BackupRecord): Promise<DumpConfig> {
  const config = await configOfJob(client, record.namespace, cronJob.spec.jobTemplate.spec);
  if (config !== undefined && isDump(config)) return config;
  throw new StillpointError('policy-not-found', `the policy ${record.namespace}/${record.policy} takes no dumps`, {
    hint: 'restore the dump by the construct, which names the storage: see docs/dumps.md',
  });
}

/** Tried once: what a restore has begun and not ended no repetition mends. */
function jobBy(
  { spec: { jobTemplate } }: CronJob,
  labels: Readonly<Record<string, string>>,
  { config, wishes }: { readonly config: string; readonly wishes: DumpRestoreWishes },
): Job['spec'] {
  const { template } = jobTemplate.spec;
  return {
    ...jobTemplate.spec,
    backoffLimit: 0,
    template: {
      ...template,
      metadata: { ...template.metadata, labels },
      spec: restorePodBy(template.spec as unknown as PolicyPod, config, wishes) as unknown as PodSpec,
    },
  };
}

/** Which container tells how far it is, and how a pod has ended. */
export interface Followed {
  readonly log: string;
  readonly end: typeof endOf;
}

const LOOK_MS = 2_000;
const LINES = 50;

/** Waits until its pod has ended, and tells each line of its log meanwhile, where that may be read. */
export async function followDumpRestore(
  waiting: Waiting,
  { namespace, uid }: DumpRestoreJob,
  tell: (line: string) => void,
  of: Followed = { log: RUNNER_CONTAINER, end: endOf },
): Promise<DumpRestoreEnd> {
  const labels = { 'batch.kubernetes.io/controller-uid': uid };
  const told = new Set<string>();
  const look = async (): Promise<void> => {
    const { items } = await waiting.client.list(PODS, { namespace, labels });
    for (const { metadata } of items) {
      const text = await waiting.client.log({ namespace, name: metadata.name }, of.log, LINES);
      for (const line of text.split('\n').filter((each) => each !== '' && !told.has(each))) {
        told.add(line);
        tell(line);
      }
    }
  };
  // Without the right to read logs, or before there is one, the end is told all the same.
  const looked = (): Promise<void> => look().catch(() => undefined);
  let over = false;
  let timer: ReturnType<Clock['after']> | undefined;
  const next = (): void => {
    if (!over) timer = waiting.clock.after(LOOK_MS, () => void looked().then(next));
  };
  next();
  try {
    const end = await until(waiting, PODS, { namespace, labels }, (pod) => {
      const reason = stuckOn(pod);
      if (reason !== undefined) throw new StillpointError('wait-impossible', `the restore cannot start: ${reason}`);
      return of.end(pod, RUNNER_CONTAINER);
    });
    await looked();
    return end;
  } finally {
    over = true;
    timer?.cancel();
  }
}
