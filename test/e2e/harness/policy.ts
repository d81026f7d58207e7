/** Policies as users write them: synthesised with the constructs, and applied. */
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  MongoBackup,
  type MongoBackupProps,
  MongoMember,
  MySqlBackup,
  type MySqlBackupProps,
  PostgresBackup,
  type PostgresBackupProps,
  Registry,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { apply } from './cluster';
import type { TestMongo } from './mongo';
import type { TestMySql } from './mysql';
import type { TestPostgres } from './postgres';
import { thisRun } from './this-run';

/** What a test may say of its policy; the rest is as the README's example has it. */
export interface PolicyOptions extends Partial<PostgresBackupProps> {
  /** @default - one that retains */
  readonly className?: string;
  /** Takes all volumes as one group snapshot. */
  readonly asGroup?: boolean;
}

/** A policy in the cluster. */
export interface TestPolicy {
  /** The name of its CronJob. */
  readonly name: string;
  readonly namespace: string;
  /** The name that its backups are listed under. */
  readonly database: string;
}

/** Makes the policy of a server, and applies it. Its schedule never comes: the tests start its Jobs. */
export async function applyPolicy(server: TestPostgres, options: PolicyOptions = {}): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: server.namespace });
  const { className = thisRun.registry, asGroup = false, ...props } = options;
  const { data, wal } = server.claims;
  const policy = new PostgresBackup(chart, server.name, {
    host: server.name,
    credentials: Secret.fromSecretName(chart, 'login', server.credentials),
    volumes: [
      BackupVolume.fromClaimName(data),
      ...(wal === undefined ? [] : [BackupVolume.fromClaimName(wal, { role: VolumeRole.LOG })]),
    ],
    ...(asGroup
      ? { groupSnapshotClass: GroupSnapshotClass.fromName(className) }
      : { snapshotClass: SnapshotClass.fromName(className) }),
    schedule: BackupSchedule.cron('0 0 31 2 *'),
    registry: Registry.fromNamespace(thisRun.registry),
    image: thisRun.image,
    deadline: Duration.minutes(5),
    ...props,
  });
  await apply(chart.toJson());
  return { name: policy.policyName, namespace: server.namespace, database: policy.databaseName };
}

/** Makes the policy of a MySQL or MariaDB, and applies it. */
export async function applyMySqlPolicy(
  server: TestMySql,
  options: Partial<MySqlBackupProps> & { readonly className?: string } = {},
): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: server.namespace });
  const { className = thisRun.registry, ...props } = options;
  const { data, binlog } = server.claims;
  const policy = new MySqlBackup(chart, server.name, {
    host: server.name,
    credentials: Secret.fromSecretName(chart, 'login', server.credentials),
    volumes: [
      BackupVolume.fromClaimName(data),
      ...(binlog === undefined ? [] : [BackupVolume.fromClaimName(binlog, { role: VolumeRole.LOG })]),
    ],
    snapshotClass: SnapshotClass.fromName(className),
    schedule: BackupSchedule.cron('0 0 31 2 *'),
    registry: Registry.fromNamespace(thisRun.registry),
    image: thisRun.image,
    deadline: Duration.minutes(5),
    ...props,
  });
  await apply(chart.toJson());
  return { name: policy.policyName, namespace: server.namespace, database: policy.databaseName };
}

/** Makes the policy of a MongoDB, and applies it. A set of one member has but its primary to back up. */
export async function applyMongoPolicy(
  server: TestMongo,
  options: Partial<MongoBackupProps> & { readonly className?: string } = {},
): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: server.namespace });
  const { className = thisRun.registry, ...props } = options;
  const policy = new MongoBackup(chart, server.name, {
    host: server.name,
    credentials: Secret.fromSecretName(chart, 'login', server.credentials),
    volumes: [BackupVolume.fromServerPod('data')],
    member: MongoMember.PRIMARY,
    snapshotClass: SnapshotClass.fromName(className),
    schedule: BackupSchedule.cron('0 0 31 2 *'),
    registry: Registry.fromNamespace(thisRun.registry),
    image: thisRun.image,
    deadline: Duration.minutes(5),
    ...props,
  });
  await apply(chart.toJson());
  return { name: policy.policyName, namespace: server.namespace, database: policy.databaseName };
}
