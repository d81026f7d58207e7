/** Jobs of the runner: started as `kubectl create job --from=cronjob/…` does, watched, and read. */
import { JOB_INDEX, JOB_INDEX_LABEL } from '../../../src/contract';
import { type Anything, create, eventsOn, KINDS, list, read, remove } from './cluster';
import { type LogLine, linesOf, wholeLog } from './logs';
import { uniqueName } from './namespace';
import type { TestPolicy } from './policy';
import { thisRun } from './this-run';
import { eventually } from './wait';

/** A Job, and what its pods said. */
export interface TestJob {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** How one pod of a Job ended. */
export interface PodEnd {
  readonly pod: string;
  readonly exitCode: number;
  /** Its log's lines: objects where they are JSON. */
  readonly log: readonly LogLine[];
}

/** Starts a Job of a policy (or of the pruner) by hand; `change`: what its spec has otherwise. */
export async function startBackup(
  policy: Pick<TestPolicy, 'name' | 'namespace'>,
  change: object = {},
): Promise<TestJob> {
  const cronJob = await read(KINDS.cronJob, policy.name, policy.namespace);
  if (cronJob === undefined) throw new Error(`there is no CronJob ${policy.namespace}/${policy.name}`);
  const template = cronJob.spec.jobTemplate;
  const job = await create({
    ...KINDS.job,
    metadata: {
      name: uniqueName('now'),
      namespace: policy.namespace,
      labels: template.metadata?.labels,
      annotations: { ...template.metadata?.annotations, 'cronjob.kubernetes.io/instantiate': 'manual' },
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'CronJob', name: policy.name, uid: cronJob.metadata?.uid, controller: true },
      ],
    },
    spec: { ...template.spec, ...change },
  } as Anything);
  return { name: job.metadata?.name ?? '', namespace: policy.namespace, uid: job.metadata?.uid ?? '' };
}

/** Removes a Job, and waits until its pods are gone too: a next one would go on with it, at the same servers as the next test. */
export async function forget(job: TestJob): Promise<void> {
  await remove(KINDS.job, job.name, job.namespace);
  await eventually('the Job is gone with its pods', async () => (await podsOf(job)).length === 0, { seconds: 120 });
}

/** The pods of a Job, oldest first. */
export async function podsOf(job: TestJob): Promise<readonly Anything[]> {
  const pods = await list(KINDS.pod, job.namespace, `job-name=${job.name}`);
  const at = ({ metadata }: Anything): number => new Date(metadata?.creationTimestamp ?? 0).getTime();
  return [...pods].sort((a, b) => at(a) - at(b));
}

/** The runners among the pods of a Job, oldest first: without its guards. */
export async function runnersOf(job: TestJob): Promise<readonly Anything[]> {
  return (await podsOf(job)).filter((pod) => !isGuard(pod));
}

/** Waits until a guard of the Job runs, and returns its pod's name. The nth guard, counted from 0. */
export async function nthGuard(job: TestJob, n = 0): Promise<string> {
  return await nthOf('guard', n, job, async () => (await podsOf(job)).filter(isGuard));
}

/** Whether a pod of a Job is the guard of another one of it. */
export function isGuard({ metadata }: Anything): boolean {
  return metadata?.labels?.[JOB_INDEX_LABEL] === `${JOB_INDEX.guard}`;
}

/** Waits until a runner of the Job runs (or has run), and returns its pod's name. The nth runner, counted from 0. */
export async function nthPod(job: TestJob, n = 0): Promise<string> {
  return await nthOf('runner', n, job, () => runnersOf(job));
}

async function nthOf(what: string, n: number, job: TestJob, pods: () => Promise<readonly Anything[]>): Promise<string> {
  return await eventually(
    `${what} ${n} of Job ${job.name} has started`,
    async () => {
      const pod = (await pods())[n];
      return pod !== undefined && pod.status?.phase !== 'Pending' ? pod.metadata?.name : undefined;
    },
    { seconds: 120 },
  );
}

/** Waits until a Job has ended; says how. Looks at whatever it is told to look at meanwhile. */
export async function jobEnd(
  job: TestJob,
  seconds = 240,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<'Complete' | 'Failed'> {
  return await eventually(
    `Job ${job.name} has ended`,
    async () => {
      await meanwhile();
      return endOf(await read(KINDS.job, job.name, job.namespace));
    },
    { seconds },
  );
}

function endOf(job: Anything | undefined): 'Complete' | 'Failed' | undefined {
  for (const { type, status } of job?.status?.conditions ?? []) {
    if (status === 'True' && (type === 'Complete' || type === 'Failed')) return type;
  }
  return undefined;
}

/** Waits until a pod has ended, and reads what it said. Call it early: it listens from the moment on that it is called. */
export async function podEnd(pod: string, namespace: string, seconds = 120): Promise<PodEnd> {
  const log = wholeLog(pod, namespace);
  const { exitCode, message } = await eventually(
    `pod ${pod} has ended`,
    async () => (await read(KINDS.pod, pod, namespace))?.status?.containerStatuses?.[0]?.state?.terminated,
    { seconds },
  );
  // The kubelet keeps the end of the log where a container fails: it is there when the log itself is gone.
  return { pod, exitCode: Number(exitCode), log: [...(await log), ...linesOf(String(message ?? ''))] };
}

/** The Events that the runner put on a Job, oldest first; the Job controller has others of its own. */
export async function eventsOf(job: TestJob): Promise<readonly string[]> {
  const events = await eventsOn(KINDS.job, job.name, job.namespace);
  return events.filter((event) => / (Starting|SuccessfulSnapshot|FailedSnapshot): /.test(event));
}

/**
 * Runs the registry's own pruner, with its own account. One after the other: the CronJob keeps the last of its Jobs only,
 * so that one which ends beside those of other test files may be gone before it is seen; then it has ended, too.
 */
export function prune(): Promise<void> {
  pruning = pruning
    .catch(() => undefined)
    .then(async () => {
      const job = await startBackup({ name: 'stillpoint-pruner', namespace: thisRun.registry });
      await eventually(
        `Job ${job.name} of the pruner has ended`,
        async () => {
          const found = await read(KINDS.job, job.name, job.namespace);
          return found === undefined || endOf(found) !== undefined;
        },
        { seconds: 240 },
      );
    });
  return pruning;
}

let pruning: Promise<void> = Promise.resolve();
