/** Policies as the cluster runs them. */
import { COMPONENTS, LABELS, type PolicyConfig } from '../../src/contract';
import type { PastEvent, RecordFilter, Schedule, Schedules } from '../ports';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { configOfJob } from './jobs';
import { CRON_JOBS, type CronJob, EVENTS } from './objects';

export class KubernetesSchedules implements Schedules {
  readonly #client: KubeClient;
  readonly #cronJobs = new WeakMap<Schedule, CronJob>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async list({
    namespace,
    database,
    selector,
  }: Pick<RecordFilter, 'namespace' | 'database' | 'selector'>): Promise<readonly Schedule[]> {
    const labels = {
      [LABELS.component]: COMPONENTS.backup,
      ...(database === undefined ? {} : { [LABELS.database]: database }),
    };
    const { items } = await this.#client.list(CRON_JOBS, { namespace, labels, selector });
    return items.flatMap((cronJob) => {
      const schedule = scheduleOf(cronJob);
      if (schedule === undefined) return [];
      this.#cronJobs.set(schedule, cronJob);
      return [schedule];
    });
  }

  async configOf(schedule: Schedule): Promise<PolicyConfig | undefined> {
    const { namespace, policy: name } = schedule;
    const cronJob = this.#cronJobs.get(schedule) ?? (await this.#client.get(CRON_JOBS, { namespace, name }));
    return cronJob && (await configOfJob(this.#client, namespace, cronJob.spec.jobTemplate.spec));
  }

  async events({ namespace, policy }: Schedule): Promise<readonly PastEvent[]> {
    try {
      const { items } = await this.#client.list(EVENTS, { namespace, fields: { source: 'stillpoint' } });
      return items
        .filter(({ involvedObject }) => isJobOf(policy, involvedObject.name ?? ''))
        .map(({ lastTimestamp, metadata, type, reason, message, involvedObject }) => ({
          at: lastTimestamp ?? metadata.creationTimestamp ?? '',
          ...{ type, reason, message },
          object: `${involvedObject.kind?.toLowerCase()}/${involvedObject.name}`,
        }))
        .sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
    } catch (thrown) {
      if (isForbidden(thrown)) return [];
      throw thrown;
    }
  }
}

/** A CronJob of ours without the label is somebody's own: nothing is known of its database. */
function scheduleOf({ metadata, spec, status }: CronJob): Schedule | undefined {
  const { name: policy, namespace = '', labels } = metadata;
  const database = labels?.[LABELS.database];
  if (database === undefined) return undefined;
  return {
    ...{ namespace, policy, database },
    expression: spec.schedule,
    timeZone: spec.timeZone ?? 'Etc/UTC',
    suspended: spec.suspend === true,
    lastRun: status?.lastScheduleTime,
  };
}

/** The CronJob controller and `stillpoint backup` call a policy's Jobs by a number. */
function isJobOf(policy: string, job: string): boolean {
  return job.startsWith(`${policy}-`) && /^\d+$/.test(job.slice(policy.length + 1));
}
