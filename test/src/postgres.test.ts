import { ApiObject, Chart, Duration, Size, Testing } from 'cdk8s';
import { Cpu, ImagePullPolicy, PersistentVolumeClaim, Secret } from 'cdk8s-plus-28';
import {
  BackupJob,
  BackupTrigger,
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

describe('the CronJob', () => {
  it('is the main child, for escape hatches', () => {
    const chart = shop();
    expect(ApiObject.of(policy(chart)).kind).toBe('CronJob');
  });

  it('starts one backup at a time, up to an hour late, and ends it after an hour', () => {
    const { spec } = only(synth(), 'CronJob');
    expect(spec).toMatchObject({
      schedule: '11 2 * * *',
      timeZone: 'Etc/UTC',
      suspend: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
    });
    expect(spec.jobTemplate.spec).toMatchObject({ activeDeadlineSeconds: 3600, backoffLimit: 2 });
    expect(spec.jobTemplate.spec).not.toHaveProperty('ttlSecondsAfterFinished');
  });

  it('does not repeat what no repetition mends, nor counts what is nobody’s failure', () => {
    expect(only(synth(), 'CronJob').spec.jobTemplate.spec.podFailurePolicy.rules).toEqual([
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      {
        action: 'FailJob',
        onExitCodes: { containerName: 'runner', operator: 'In', values: [2] },
        onPodConditions: [],
      },
    ]);
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].name).toBe('runner');
  });

  it('takes what the policy says otherwise', () => {
    const { spec } = only(
      synth({
        timeZone: 'Asia/Tokyo',
        suspend: true,
        startingDeadline: Duration.minutes(5),
        successfulJobsRetained: 1,
        failedJobsRetained: 9,
        deadline: Duration.hours(3),
      }),
      'CronJob',
    );
    expect(spec).toMatchObject({
      timeZone: 'Asia/Tokyo',
      suspend: true,
      startingDeadlineSeconds: 300,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 9,
    });
    expect(spec.jobTemplate.spec.activeDeadlineSeconds).toBe(10_800);
  });

  it('runs the runner on the mounted job config, and under its own account', () => {
    const pod = podOf(only(synth(), 'CronJob')).spec;
    expect(pod.serviceAccountName).toBe('orders-db-backup');
    expect(pod.containers[0].args).toEqual(['run', '--config', '/etc/stillpoint/backup.yaml']);
    expect(pod.containers[0]).not.toHaveProperty('command');
    expect(pod.containers[0].volumeMounts[0]).toEqual({ name: 'config', mountPath: '/etc/stillpoint', readOnly: true });
    expect(pod.volumes[0]).toEqual({ name: 'config', configMap: { name: 'orders-db-backup' } });
  });
});

describe('the pod', () => {
  it('is within the Pod Security Standard restricted', () => {
    const { spec } = podOf(only(synth(), 'CronJob'));
    expect(spec.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(spec.containers).toHaveLength(1);
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
      expect(spec).not.toHaveProperty(forbidden);
    }
    expect(spec.restartPolicy).toBe('Never');
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(30);
    expect(spec.enableServiceLinks).toBe(false);
  });

  it('has names in its environment and nothing else', () => {
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].env).toEqual([
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    ]);
  });

  it('mounts everything read-only', () => {
    const { containers } = podOf(only(synth(), 'CronJob')).spec;
    for (const mount of containers[0].volumeMounts) expect(mount.readOnly).toBe(true);
  });

  it('asks for little, and is not throttled while it holds a database', () => {
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].resources).toEqual({
      requests: { cpu: '100m', memory: '64Mi' },
      limits: { memory: '256Mi' },
    });
  });

  it('goes where the policy wants it', () => {
    const chart = shop();
    policy(chart, {
      image: 'mirror.example.com/stillpoint@sha256:0123',
      imagePullPolicy: ImagePullPolicy.ALWAYS,
      imagePullSecrets: [Secret.fromSecretName(chart, 'pull', 'mirror')],
      resources: { cpu: { request: Cpu.millis(100), limit: Cpu.units(1) }, memory: { limit: Size.gibibytes(1) } },
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'backup', operator: 'Exists' }],
      priorityClassName: 'high',
      labels: { team: 'orders' },
      annotations: { 'example.com/owner': 'orders' },
    });
    const manifests = Testing.synth(chart);
    const pod = podOf(only(manifests, 'CronJob'));
    expect(pod.spec).toMatchObject({
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'backup', operator: 'Exists' }],
      priorityClassName: 'high',
      imagePullSecrets: [{ name: 'mirror' }],
    });
    expect(pod.spec.containers[0]).toMatchObject({
      image: 'mirror.example.com/stillpoint@sha256:0123',
      imagePullPolicy: 'Always',
      resources: { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '1Gi' } },
    });
    for (const { metadata } of [...manifests, pod, only(manifests, 'CronJob').spec.jobTemplate]) {
      expect(metadata.labels).toMatchObject({ team: 'orders', 'stillpoint.dev/database': 'orders-db' });
      expect(metadata.annotations).toEqual({ 'example.com/owner': 'orders' });
    }
  });
});

describe('a backup outside the schedule', () => {
  const jobs = (change: Parameters<typeof policy>[1] = {}, trigger?: BackupTrigger): Manifest[] => {
    const chart = shop();
    const backup = policy(chart, change);
    new BackupJob(chart, 'release-42', { backup, ...(trigger === undefined ? {} : { trigger }) });
    return Testing.synth(chart);
  };

  it('is a Job with a config of its own, run as the policy says', () => {
    const manifests = jobs({}, BackupTrigger.PRE_DEPLOYMENT);
    const job = only(manifests, 'Job');
    expect(job.metadata.name).toMatch(/^orders-db-backup-release-42-[0-9a-f]{8}$/);
    expect(job.spec).not.toHaveProperty('ttlSecondsAfterFinished');
    expect(job.spec.template.spec.volumes[0].configMap.name).toBe(job.metadata.name);
    const config = only(manifests, 'ConfigMap', job.metadata.name);
    expect(jobConfig([config]).spec).toMatchObject({ trigger: 'pre-deployment', database: 'orders-db' });
    expect(jobConfig([only(manifests, 'ConfigMap', 'orders-db-backup')]).spec.trigger).toBeUndefined();
    const cronPod = podOf(only(manifests, 'CronJob')).spec;
    expect({ ...job.spec.template.spec, volumes: [] }).toEqual({ ...cronPod, volumes: [] });
  });

  it('is another Job when it says something else, and the same when it does not', () => {
    const name = (manifests: Manifest[]): string => only(manifests, 'Job').metadata.name;
    expect(name(jobs())).toBe(name(jobs()));
    const others = [
      jobs({ image: 'stillpoint:next' }),
      jobs({ host: 'orders-db-rw' }),
      jobs({ budget: Duration.seconds(5) }),
      jobs({}, BackupTrigger.PRE_DEPLOYMENT),
    ];
    expect(new Set([jobs(), ...others].map(name)).size).toBe(5);
  });

  it('must have a name that fits', () => {
    const chart = shop();
    const backup = policy(chart, { name: 'a'.repeat(52) });
    expect(() => new BackupJob(chart, 'release-42', { backup })).toThrow(/with 72 characters, and a Job may have 63/);
  });
});
