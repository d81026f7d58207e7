/** A backup from its Job to its record. */
import type { BackupRecord } from '../../../src/contract';
import { KINDS, remove } from './cluster';
import { eventsOf, jobEnd, nthPod, type PodEnd, podEnd, runnersOf, startBackup, type TestJob } from './job';
import type { TestPolicy } from './policy';
import { recordsOf } from './records';

/** What became of a backup. */
export interface BackupEnd {
  readonly job: TestJob;
  readonly ended: 'Complete' | 'Failed';
  /** Undefined when the backup never came so far as to have one. */
  readonly record: BackupRecord | undefined;
  /** The runners of the Job that are still there, oldest first. */
  readonly pods: readonly PodEnd[];
}

/** Starts a Job of a policy and waits until it has ended. */
export async function takeBackup(policy: TestPolicy, seconds = 240): Promise<BackupEnd> {
  const job = await startBackup(policy);
  return await backupEnd(policy, job, seconds);
}

/** Waits until a Job has ended. */
export async function backupEnd(policy: TestPolicy, job: TestJob, seconds = 240): Promise<BackupEnd> {
  const pods = new Map<string, Promise<PodEnd>>();
  const ended = await jobEnd(job, seconds, async () => {
    for (const { metadata } of await runnersOf(job)) {
      const name = metadata?.name ?? '';
      if (pods.has(name)) continue;
      pods.set(name, podEnd(name, job.namespace, seconds));
      pods.get(name)?.catch(() => undefined);
    }
  });
  const record = (await recordsOf(policy)).find(({ owner }) => owner.jobUid === job.uid);
  return { job, ended, record, pods: await Promise.all(pods.values()) };
}

/** The record of a backup that has to have succeeded; says what the runner said when it has not. */
export function succeeded({ ended, record, pods }: BackupEnd): BackupRecord {
  if (ended === 'Complete' && record?.phase === 'succeeded') return record;
  const said = pods.map(
    ({ pod, exitCode, log }) => `${pod} ended with ${exitCode}:\n${log.map((line) => JSON.stringify(line)).join('\n')}`,
  );
  throw new Error(
    `the Job is ${ended}, the record ${record?.phase ?? 'missing'} (${record?.error?.message})\n${said.join('\n')}`,
  );
}

/** What the first pod of a Job came to; the Job is deleted before it tries again. */
export interface AttemptEnd {
  readonly job: TestJob;
  readonly record: BackupRecord | undefined;
  readonly pod: PodEnd;
  /** What went wrong, by the record; where there is none, by the last error in the log. */
  readonly error: { readonly code?: string; readonly message?: string; readonly hint?: string | undefined } | undefined;
  readonly events: readonly string[];
}

/** Starts a Job of a policy, and waits until its first pod has ended. */
export async function attemptBackup(policy: TestPolicy): Promise<AttemptEnd> {
  return await attemptEnd(policy, await startBackup(policy));
}

/** Waits until a Job's first pod has ended, and deletes the Job: a failure is looked at once, not three times. */
export async function attemptEnd(policy: TestPolicy, job: TestJob): Promise<AttemptEnd> {
  const pod = await podEnd(await nthPod(job), job.namespace);
  const events = await eventsOf(job);
  await remove(KINDS.job, job.name, job.namespace);
  const record = (await recordsOf(policy)).find(({ owner }) => owner.jobUid === job.uid);
  const logged = pod.log.findLast(({ code, exitCode }) => code !== undefined && exitCode !== undefined);
  return { job, record, pod, error: record?.error ?? logged, events };
}
