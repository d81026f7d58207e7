/** Application-consistent backups for databases on Kubernetes, defined in code. */

export * from './backup-job';
export * from './backup-props';
export * from './copy-props';
export * from './database-backup';
export * from './database-dump';
export * from './databases/mongodb';
export * from './databases/mongodb-dump';
export * from './databases/mysql';
export * from './databases/mysql-dump';
export * from './databases/neo4j';
export * from './databases/neo4j-dump';
export * from './databases/neo4j-online-backup';
export * from './databases/neo4j-online-restore';
export * from './databases/neo4j-scratch';
export * from './databases/neo4j-store';
export * from './databases/nuodb';
export type { NuoDbServersProps } from './databases/nuodb-servers';
export { NuoDbFreezeMode } from './databases/nuodb-servers';
export * from './databases/postgres';
export * from './databases/postgres-dump';
export * from './databases/redis';
export * from './databases/redis-dump';
export * from './databases/redis-sentinel';
export * from './databases/volume';
export * from './dump-props';
export * from './dump-restore';
export * from './group';
export { DatabaseMember, GroupMember } from './group-member';
export type {
  CommandHookProps,
  FileSystemHookProps,
  FreezeHookProps,
  HttpHookProps,
  PodHookProps,
} from './hooks';
export { FreezeHook, HookPod } from './hooks';
export * from './import-account';
export * from './in-place-access';
export * from './pre-deployment';
export type { RecordCopiesProps } from './record-copies';
export * from './registry';
export * from './restore';
export type { RetentionProps } from './retention';
export type { RunnerPodProps } from './runner-pod';
export type {
  DailyScheduleOptions,
  HourlyScheduleOptions,
  MonthlyScheduleOptions,
  WeeklyScheduleOptions,
} from './schedule';
export { BackupSchedule, Weekday } from './schedule';
export * from './scheduled-clone';
export * from './snapshot-class';
export * from './snapshot-copy';
export * from './snapshot-copy-restore';
export * from './stopped-workload';
export * from './storage';
export * from './storage-props';
export * from './volumes';
