/** Policies as the cluster runs them. */
import type { PolicyConfig } from '../../src/contract';
import type { RecordFilter } from './registry';

/** A policy as the cluster runs it: its CronJob. */
export interface Schedule {
  readonly namespace: string;
  readonly policy: string;
  /** The database that it backs up. */
  readonly database: string;
  /** A cron expression. */
  readonly expression: string;
  readonly timeZone: string;
  readonly suspended: boolean;
  /** When its last backup was due. */
  readonly lastRun?: string | undefined;
}

/** What has happened in a namespace, as Kubernetes has it for an hour. */
export interface PastEvent {
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  /** As `job/orders-db-backup-29400137`. */
  readonly object: string;
  readonly message: string;
}

/** The policies of a cluster, by their CronJobs. */
export interface Schedules {
  list(where: Pick<RecordFilter, 'namespace' | 'database' | 'selector'>): Promise<readonly Schedule[]>;
  /** What a policy's Jobs are told; undefined for who may not read it. */
  configOf(schedule: Schedule): Promise<PolicyConfig | undefined>;
  /** The Events of a policy's backups, oldest first; none for who may not read them. */
  events(schedule: Schedule): Promise<readonly PastEvent[]>;
}
