/** Policies as users write them: synthesised with the constructs, and applied. */
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import {
  BackupVolume,
  type DatabaseBackup,
  type DatabaseBackupProps,
  GroupSnapshotClass,
  MongoBackup,
  type MongoBackupProps,
  MongoMember,
  MySqlBackup,
  type MySqlBackupProps,
  PostgresBackup,
  type PostgresBackupProps,
  RedisBackup,
  type RedisBackupProps,
  Registry,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { apply } from './cluster';
import type { TestMongo } from './mongo';
import type { TestMySql } from './mysql';
import { NEVER } from './never';
import type { TestPostgres } from './postgres';
import type { TestRedis } from './redis';
import { thisRun } from './this-run';

/** What a test may say of its policy; the rest is as the README's example has it. */
export type PolicyOptionsOf<Props extends DatabaseBackupProps> = Partial<Omit<Props, 'credentials'>> & {
  /** @default - one that retains */
  readonly className?: string;
  /** Takes all volumes as one group snapshot. */
  readonly asGroup?: boolean;
  /** The name of another Secret than the server's. */
  readonly credentials?: string;
};

export type PolicyOptions = PolicyOptionsOf<PostgresBackupProps>;

/** A policy in the cluster. */
export interface TestPolicy {
  /** The name of its CronJob. */
  readonly name: string;
  readonly namespace: string;
  /** The name that its backups are listed under. */
  readonly database: string;
}

/** A server as a policy names it. */
export interface PolicyServer {
  readonly name: string;
  readonly namespace: string;
  readonly credentials: string;
  readonly volumes: readonly BackupVolume[];
}

/** How a policy of the tests takes its snapshots. */
export interface TestCut {
  /** @default - one that retains */
  readonly className?: string | undefined;
  /** Takes all volumes as one group snapshot. */
  readonly asGroup?: boolean | undefined;
}

type UsualProps = Pick<
  DatabaseBackupProps,
  'snapshotClass' | 'groupSnapshotClass' | 'schedule' | 'registry' | 'image' | 'deadline'
>;

/**
 * What all policies of the tests have. The schedule never comes: the tests start the Jobs. Tests of turns at the snapshot controller
 * ask for them; the others would wait for each other's rest.
 */
export function usualProps({ className = thisRun.registry, asGroup = false }: TestCut = {}): UsualProps {
  return {
    ...(asGroup
      ? { groupSnapshotClass: GroupSnapshotClass.fromName(className) }
      : { snapshotClass: SnapshotClass.fromName(className) }),
    schedule: NEVER,
    registry: Registry.fromNamespace(thisRun.registry, 0),
    image: thisRun.image,
    deadline: Duration.minutes(5),
  };
}

/** Makes a policy by one of the library's constructs, and applies it. Its schedule never comes: the tests start its Jobs. */
export async function applyPolicyOf<Props extends DatabaseBackupProps>(
  Backup: new (scope: Construct, id: string, props: Props) => DatabaseBackup,
  server: PolicyServer,
  options: PolicyOptionsOf<Props>,
): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: server.namespace });
  const { className, asGroup, credentials = server.credentials, ...props } = options;
  const usual: DatabaseBackupProps = {
    host: server.name,
    credentials: Secret.fromSecretName(chart, 'login', credentials),
    volumes: [...server.volumes],
    ...usualProps({ className, asGroup }),
  };
  // What an engine's props have beyond the usual ones is optional.
  const policy = new Backup(chart, server.name, { ...usual, ...props } as unknown as Props);
  await apply(chart.toJson());
  return { name: policy.policyName, namespace: server.namespace, database: policy.databaseName };
}

/** Makes the policy of a PostgreSQL, and applies it. */
export function applyPolicy(server: TestPostgres, options: PolicyOptions = {}): Promise<TestPolicy> {
  const { data, wal } = server.claims;
  return applyPolicyOf(PostgresBackup, { ...server, volumes: dataAndLog(data, wal) }, options);
}

/** Makes the policy of a MySQL or MariaDB, and applies it. */
export function applyMySqlPolicy(
  server: TestMySql,
  options: PolicyOptionsOf<MySqlBackupProps> = {},
): Promise<TestPolicy> {
  const { data, binlog } = server.claims;
  return applyPolicyOf(MySqlBackup, { ...server, volumes: dataAndLog(data, binlog) }, options);
}

/** Makes the policy of a Redis or Valkey, and applies it. The claim is found from the server's pod. */
export function applyRedisPolicy(
  server: TestRedis,
  options: PolicyOptionsOf<RedisBackupProps> = {},
): Promise<TestPolicy> {
  return applyPolicyOf(RedisBackup, { ...server, volumes: [BackupVolume.fromServerPod('data')] }, options);
}

function dataAndLog(data: string, log: string | undefined): readonly BackupVolume[] {
  return [
    BackupVolume.fromClaimName(data),
    ...(log === undefined ? [] : [BackupVolume.fromClaimName(log, { role: VolumeRole.LOG })]),
  ];
}

/** Makes the policy of a MongoDB, and applies it. A set of one member has but its primary to back up. */
export function applyMongoPolicy(
  server: TestMongo,
  options: PolicyOptionsOf<MongoBackupProps> = {},
): Promise<TestPolicy> {
  const volumes = [BackupVolume.fromServerPod('data')];
  return applyPolicyOf(MongoBackup, { ...server, volumes }, { member: MongoMember.PRIMARY, ...options });
}
