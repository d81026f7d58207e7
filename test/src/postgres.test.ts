/** A policy for PostgreSQL: the job config that the runner gets, and the files of its connection. */
import { Chart, Duration, Testing } from 'cdk8s';
import { PersistentVolumeClaim, Secret } from 'cdk8s-plus-28';
import {
  BackupVolume,
  GroupSnapshotClass,
  type PostgresBackupProps,
  PostgresLayout,
  Registry,
  SnapshotClass,
  TlsMode,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { jobConfig, type Manifest, only, podOf, policy, shop, synth } from './synth';

const WAL = BackupVolume.fromClaimName('wal-orders-db-0', { role: VolumeRole.LOG });
const DATA = BackupVolume.fromClaimName('data-orders-db-0');

describe('the job config', () => {
  it('says all that the runner needs', () => {
    expect(jobConfig(synth())).toEqual({
      apiVersion: 'stillpoint.dev/v1',
      kind: 'BackupConfig',
      metadata: { name: 'orders-db-backup', namespace: 'shop' },
      spec: {
        engine: 'postgres',
        database: 'orders-db',
        connection: {
          host: 'orders-db',
          port: 5432,
          database: 'postgres',
          usernameFile: '/var/run/secrets/stillpoint/credentials/username',
          passwordFile: '/var/run/secrets/stillpoint/credentials/password',
        },
        volumes: [{ name: 'data', role: 'data', claim: 'data-orders-db-0' }],
        layout: 'auto',
        snapshots: { className: 'retained', slots: 1 },
        budgetSeconds: 30,
        readyTimeoutSeconds: 3213,
        deadlineSeconds: 3600,
        registry: { namespace: 'stillpoint' },
        clusterScope: true,
      },
    });
  });

  it('carries what the policy says otherwise', () => {
    const { metadata, spec } = jobConfig(
      synth({
        name: 'orders-nightly',
        database: 'orders',
        port: 6432,
        maintenanceDatabase: 'app',
        volumes: [DATA, WAL],
        ignoreClaims: ['scratch-orders-db-0'],
        layout: PostgresLayout.BACKUP_MODE,
        checkpoint: true,
        budget: Duration.seconds(20),
        deadline: Duration.minutes(10),
        registry: Registry.fromNamespace('records'),
        clusterAccess: false,
      }),
    );
    expect(metadata.name).toBe('orders-nightly');
    expect(spec).toMatchObject({
      database: 'orders',
      connection: { port: 6432, database: 'app' },
      volumes: [{ role: 'data' }, { name: 'log', role: 'log', claim: 'wal-orders-db-0' }],
      ignoreClaims: ['scratch-orders-db-0'],
      layout: 'backup-mode',
      engineOptions: { checkpoint: 'true' },
      budgetSeconds: 20,
      deadlineSeconds: 600,
      readyTimeoutSeconds: 522,
      registry: { namespace: 'records' },
      clusterScope: false,
    });
  });

  it('finds volumes by claim, by StatefulSet and by labels', () => {
    const chart = shop();
    const claim = PersistentVolumeClaim.fromClaimName(chart, 'claim', 'fast-space');
    policy(chart, {
      volumes: [
        BackupVolume.fromStatefulSet('orders-db', 'data', { ordinal: 1 }),
        BackupVolume.fromClaim(claim, { role: VolumeRole.TABLESPACE }),
        BackupVolume.fromLabels({ app: 'orders-db' }, { role: VolumeRole.TABLESPACE, name: 'spaces' }),
      ],
    });
    const manifests = Testing.synth(chart);
    expect(jobConfig(manifests).spec.volumes).toEqual([
      { name: 'data', role: 'data', statefulSet: { name: 'orders-db', volumeClaimTemplate: 'data', ordinal: 1 } },
      { name: 'fast-space', role: 'tablespace', claim: 'fast-space' },
      { name: 'spaces', role: 'tablespace', matchLabels: { app: 'orders-db' } },
    ]);
  });

  it('names the classes', () => {
    const groupSnapshotClass = GroupSnapshotClass.fromName('groups');
    const volumes = [DATA, WAL];
    expect(jobConfig(synth({ groupSnapshotClass, volumes, layout: PostgresLayout.GROUP })).spec.snapshots).toEqual({
      className: 'retained',
      groupClassName: 'groups',
      slots: 1,
    });
    const byDefault = synth({ snapshotClass: SnapshotClass.fromClusterDefault() });
    expect(jobConfig(byDefault).spec.snapshots).toEqual({ slots: 1 });
  });

  it('takes turns at the snapshot controller, as many as the registry has', () => {
    const snapshotsOf = (props: Partial<PostgresBackupProps>): unknown => jobConfig(synth(props)).spec.snapshots;
    const className = 'retained';
    expect(snapshotsOf({ directCut: true })).toEqual({ className, direct: true, slots: 1 });
    expect(snapshotsOf({ registry: Registry.fromNamespace('records', 4) })).toEqual({ className, slots: 4 });
    expect(snapshotsOf({ registry: Registry.fromNamespace('records', 0) })).toEqual({ className });
  });

  it('cuts directly only with a class that has a name', () => {
    const snapshotClass = SnapshotClass.fromClusterDefault();
    expect(() => synth({ directCut: true, snapshotClass })).toThrow('has a direct cut, and names no snapshot class');
  });

  it('is the same text in each synth', () => {
    expect(only(synth(), 'ConfigMap').data).toEqual(only(synth(), 'ConfigMap').data);
  });
});

describe('the connection', () => {
  const secret = (name: string) => Secret.fromSecretName(new Chart(Testing.app(), name), 'secret', name);
  const tlsOf = (manifests: Manifest[]): unknown => jobConfig(manifests).spec.connection.tls;

  /** file in the pod → `secret/key`. */
  function files(manifests: Manifest[]): Record<string, string> {
    const pod = podOf(only(manifests, 'CronJob')).spec;
    return Object.fromEntries(
      pod.containers[0].volumeMounts.flatMap(({ name, mountPath }: Manifest) => {
        const { projected } = pod.volumes.find((volume: Manifest) => volume.name === name);
        return (projected?.sources ?? []).flatMap((source: Manifest) =>
          source.secret.items.map(({ key, path }: Manifest) => [
            `${mountPath}/${path}`,
            `${source.secret.name}/${key}`,
          ]),
        );
      }),
    );
  }

  it('has the credentials as files, whatever their keys are called', () => {
    expect(files(synth())).toEqual({
      '/var/run/secrets/stillpoint/credentials/username': 'orders-db-login/username',
      '/var/run/secrets/stillpoint/credentials/password': 'orders-db-login/password',
    });
    expect(files(synth({ usernameKey: 'user', passwordKey: 'pgpass' }))).toEqual({
      '/var/run/secrets/stillpoint/credentials/username': 'orders-db-login/user',
      '/var/run/secrets/stillpoint/credentials/password': 'orders-db-login/pgpass',
    });
  });

  it('mounts exactly the files that the job config names', () => {
    const manifests = synth({ certificateAuthority: secret('ca'), clientCertificate: secret('client') });
    const { usernameFile, passwordFile, tls } = jobConfig(manifests).spec.connection;
    const named = [usernameFile, passwordFile, tls?.caFile, tls?.certFile, tls?.keyFile].filter((file) => file);
    expect(Object.keys(files(manifests)).sort()).toEqual(named.sort());
  });

  it('is verified in full where there is an authority to verify by', () => {
    const manifests = synth({ certificateAuthority: secret('ca'), certificateAuthorityKey: 'root.pem' });
    expect(tlsOf(manifests)).toEqual({ mode: 'verify-full', caFile: '/var/run/secrets/stillpoint/tls/ca.crt' });
    expect(files(manifests)['/var/run/secrets/stillpoint/tls/ca.crt']).toBe('ca/root.pem');
  });

  it('takes a client certificate in place of the password', () => {
    const manifests = synth({ clientCertificate: secret('client') });
    expect(jobConfig(manifests).spec.connection.passwordFile).toBeUndefined();
    expect(tlsOf(manifests)).toEqual({
      mode: 'require',
      certFile: '/var/run/secrets/stillpoint/tls/tls.crt',
      keyFile: '/var/run/secrets/stillpoint/tls/tls.key',
    });
  });

  it('takes both where the key of the password is given', () => {
    const manifests = synth({ clientCertificate: secret('client'), passwordKey: 'password', tlsMode: TlsMode.REQUIRE });
    expect(jobConfig(manifests).spec.connection.passwordFile).toBe('/var/run/secrets/stillpoint/credentials/password');
  });

  it('lets a missing Secret be an error of the runner, and its files readable by nobody else', () => {
    for (const volume of podOf(only(synth({ certificateAuthority: secret('ca') }), 'CronJob')).spec.volumes) {
      if (volume.projected === undefined) continue;
      expect(volume.projected.defaultMode).toBe(0o440);
      for (const source of volume.projected.sources) expect(source.secret.optional).toBe(true);
    }
  });
});
