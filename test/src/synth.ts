import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, PostgresBackup, type PostgresBackupProps, SnapshotClass } from 'stillpoint';
import { parse } from 'yaml';
import { type Connection, fits, JOB_CONFIG, type JobConfig } from '../../src/contract';

/** The job config of a database with a server: there is a connection in it. */
type DatabaseConfig = JobConfig & { readonly spec: { readonly connection: Connection } };

/** A Kubernetes object as it is synthesised, loosely typed: tests name the fields that they look at. */
// biome-ignore lint/suspicious/noExplicitAny: manifests are read field by field
export type Manifest = any;

/** A chart in the namespace `shop`. */
export function shop(): Chart {
  return new Chart(Testing.app(), 'orders', { namespace: 'shop' });
}

/** The smallest policy, with whatever a test wants otherwise. */
export function policy(chart: Chart, props: Partial<PostgresBackupProps> = {}, id = 'orders-db'): PostgresBackup {
  return new PostgresBackup(chart, id, {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, `${id}-login`, 'orders-db-login'),
    volumes: [BackupVolume.fromClaimName('data-orders-db-0')],
    snapshotClass: SnapshotClass.fromName('retained'),
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...props,
  });
}

/** The manifests of the smallest policy, with whatever a test wants otherwise. */
export function synth(props: Partial<PostgresBackupProps> = {}): Manifest[] {
  const chart = shop();
  policy(chart, props);
  return Testing.synth(chart);
}

/** The one object of a kind (and name). */
export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (object) => object.kind === kind && (name ?? object.metadata.name) === object.metadata.name,
  );
  if (found.length !== 1) throw new Error(`expected one ${kind}, found ${found.length}`);
  return found[0];
}

/** The job config of the one ConfigMap, read as the runner reads it. */
export function jobConfig(manifests: readonly Manifest[]): DatabaseConfig {
  const document: unknown = parse(only(manifests, 'ConfigMap').data['backup.yaml']);
  if (!fits(JOB_CONFIG, document)) throw new Error('the job config does not fit its schema');
  return document as DatabaseConfig;
}

/** The pod template of a CronJob or a Job. */
export function podOf(object: Manifest): Manifest {
  return (object.spec.jobTemplate ?? object).spec.template;
}
