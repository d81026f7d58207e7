import { Chart, Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupStorage,
  BackupVolume,
  PostgresDump,
  SnapshotClass,
  SnapshotCopy,
  type SnapshotCopyProps,
  SnapshotCopyRestore,
  type SnapshotCopyRestoreProps,
  VolumeBackup,
  VolumeRole,
  Weekday,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { COPY_CONFIG, COPY_RESTORE_CONFIG, fits } from '../../src/contract';
import { type Manifest, only, podOf, policy, shop } from './synth';

const keys = Secret.fromSecretName(shop(), 'keys', 'store-login');
const storage = BackupStorage.s3({ bucket: 'backups', endpoint: 'http://minio.storage:9000', credentials: keys });
const KEY = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

function synth(props: Partial<SnapshotCopyProps> = {}): Manifest[] {
  const chart = shop();
  const of = policy(chart, {
    volumes: [
      BackupVolume.fromClaimName('data-orders-db-0'),
      BackupVolume.fromClaimName('wal-orders-db-0', { name: 'wal', role: VolumeRole.LOG }),
    ],
  });
  new SnapshotCopy(chart, 'orders-copy', {
    of,
    storage,
    schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }),
    ...props,
  });
  return Testing.synth(chart);
}

function restore(props: Partial<SnapshotCopyRestoreProps> = {}): Manifest[] {
  const chart = shop();
  new SnapshotCopyRestore(chart, 'orders-back', {
    database: 'orders-copy',
    backup: '20261121040000',
    storage,
    volumes: [
      { name: 'data', size: Size.gibibytes(10), mountPath: '/var/lib/postgresql/data', subPath: 'pg' },
      { name: 'wal', size: Size.gibibytes(2), mountPath: '/wal', storageClassName: 'fast', claimName: 'wal-back' },
    ],
    ...props,
  });
  return Testing.synth(chart);
}

const configOf = (manifests: Manifest[], name: string, file: string): unknown =>
  parse(only(manifests, 'ConfigMap', name).data[file]);
const worker = (manifests: Manifest[]): Manifest => only(manifests, 'Deployment', 'orders-copy-backup-worker');

describe('a policy of copies', () => {
  it('tells the runner whose backups it copies, with which claims and worker, and where to', () => {
    const document = configOf(synth({ retention: { keepLast: 2 } }), 'orders-copy-backup', 'backup.yaml');
    expect(fits(COPY_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({
      kind: 'CopyConfig',
      metadata: { name: 'orders-copy-backup', namespace: 'shop' },
      spec: {
        engine: 'postgres',
        of: 'orders-db',
        database: 'orders-copy',
        copy: {
          compression: 'zstd',
          volumes: [
            { name: 'data', claim: 'orders-copy-backup-data' },
            { name: 'wal', claim: 'orders-copy-backup-wal' },
          ],
          worker: 'orders-copy-backup-worker',
          order: 'orders-copy-backup-order',
          runAsUser: 999,
        },
        deadlineSeconds: 21_600,
        prune: true,
      },
    });
  });

  it('has an account that makes no pod, scales one Deployment, and removes its own claims alone', () => {
    const { rules } = only(synth(), 'Role', 'orders-copy-backup');
    const lines = rules.map(
      ({ resources, verbs, resourceNames = [] }: Manifest) =>
        `${verbs.join(',')} ${resources} ${resourceNames.join(' ')}`,
    );
    expect(lines).toEqual([
      'get,list,watch pods ',
      'get jobs ',
      'get volumesnapshots ',
      'create persistentvolumeclaims ',
      'get,list,watch,delete persistentvolumeclaims orders-copy-backup-data orders-copy-backup-wal',
      'create configmaps ',
      'get,list,watch,delete configmaps orders-copy-backup-order',
      'patch deployments/scale orders-copy-backup-worker',
      'create leases ',
      'get,update leases stillpoint-orders-copy.dump',
      'create events ',
    ]);
  });

  it('has a worker that reads the claims as the user whose files they are, and has no token', () => {
    const { replicas, strategy, template } = worker(synth()).spec;
    expect(replicas).toBeUndefined();
    expect(strategy).toEqual({ type: 'Recreate' });
    const { automountServiceAccountToken, securityContext, containers, volumes } = template.spec;
    expect(automountServiceAccountToken).toBe(false);
    expect(securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 999,
      runAsGroup: 999,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(containers[0].securityContext.capabilities).toEqual({ drop: ['ALL'] });
    expect(containers[0].volumeMounts).toContainEqual({ name: 'volume-0', mountPath: '/volumes/data', readOnly: true });
    expect(containers[0].volumeMounts).toContainEqual({ name: 'volume-1', mountPath: '/volumes/wal', readOnly: true });
    const claims = volumes.flatMap(({ persistentVolumeClaim: claim }: Manifest) => claim?.claimName ?? []);
    expect(claims).toEqual(['orders-copy-backup-data', 'orders-copy-backup-wal']);
    const [login] = volumes.filter(({ name }: Manifest) => name === 'store');
    expect(login.projected.defaultMode).toBe(0o444);
  });

  it('reads as root with one capability where it is told so, and as another user with none', () => {
    const root = worker(synth({ runAsUser: 0 })).spec.template.spec;
    expect(root.containers[0].securityContext.capabilities).toEqual({ drop: ['ALL'], add: ['DAC_OVERRIDE'] });
    const other = worker(synth({ runAsUser: 70, runAsGroup: 71 })).spec.template.spec;
    expect(other.securityContext).toMatchObject({ runAsUser: 70, runAsGroup: 71 });
  });

  it('takes recipients, and a compression', () => {
    const document = configOf(synth({ recipients: [KEY] }), 'orders-copy-backup', 'backup.yaml');
    expect(document).toMatchObject({ spec: { copy: { recipients: [KEY] } } });
    expect(() => synth({ recipients: ['age1'] })).toThrow('no public key of age');
  });

  it('has a place for each volume that is only found when a backup is taken', () => {
    const chart = shop();
    new SnapshotCopy(chart, 'orders-copy', {
      of: policy(chart, { volumes: [BackupVolume.fromLabels({ app: 'orders' })] }),
      storage,
      schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }),
      maxVolumes: 2,
    });
    const manifests = Testing.synth(chart);
    const document = configOf(manifests, 'orders-copy-backup', 'backup.yaml');
    expect(fits(COPY_CONFIG, document)).toBe(true);
    const volumes = ['place-0', 'place-1'].map((name) => ({ name, claim: `orders-copy-backup-${name}` }));
    expect(document).toMatchObject({ spec: { copy: { volumes, places: true } } });
    const [container] = worker(manifests).spec.template.spec.containers;
    expect(container.volumeMounts).toContainEqual({
      ...{ name: 'volume-1', mountPath: '/volumes/place-1', readOnly: true },
    });
    const removable = only(manifests, 'Role', 'orders-copy-backup').rules.find(
      ({ resources, resourceNames }: Manifest) => resources[0] === 'persistentvolumeclaims' && resourceNames,
    );
    expect(removable.resourceNames).toEqual(volumes.map(({ claim }) => claim));
  });

  it('refuses what it could not copy', () => {
    const chart = shop();
    const usual = { storage, schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }) };
    const dump = new PostgresDump(chart, 'dump', {
      ...{ host: 'x', credentials: keys, serverImage: 'postgres:17', storage },
      schedule: BackupSchedule.daily({ hour: 2 }),
    });
    const copyOf = (of: unknown, id: string, props: Partial<SnapshotCopyProps> = {}): SnapshotCopy =>
      new SnapshotCopy(chart, id, { ...usual, of: of as SnapshotCopyProps['of'], ...props });
    expect(() => copyOf(dump, 'a')).toThrow('copies no policy of one database');
    const labelled = policy(chart, { volumes: [BackupVolume.fromLabels({ app: 'orders' })] }, 'labelled');
    expect(() => copyOf(labelled, 'b')).toThrow(/finds its volume .* only when it runs/);
    expect(() => copyOf(labelled, 'b0', { maxVolumes: 0 })).toThrow('has the maxVolumes 0');
    expect(() => synth({ maxVolumes: 2 })).toThrow('copies a policy that names all its 2');
    const files = new VolumeBackup(chart, 'files', {
      volumes: [BackupVolume.fromClaimName('files')],
      snapshotClass: SnapshotClass.fromName('retained'),
      schedule: BackupSchedule.daily({ hour: 2 }),
    });
    expect(() => copyOf(files, 'c')).toThrow('does not know whose the files of volume are');
    copyOf(files, 'd', { runAsUser: 1000 });
    const elsewhere = policy(new Chart(Testing.app(), 'elsewhere', { namespace: 'elsewhere' }));
    expect(() => copyOf(elsewhere, 'e')).toThrow(
      'is in the namespace shop, and the policy orders-db-backup in elsewhere',
    );
  });
});

describe('a restore from a copy', () => {
  it('makes claims that are empty, and tells the Job what goes into them', () => {
    const manifests = restore();
    const claims = manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim');
    expect(claims.map(({ metadata, spec }) => [metadata.name, spec])).toEqual([
      ['orders-back-data', { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } }],
      [
        'wal-back',
        { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, storageClassName: 'fast' },
      ],
    ]);
    const job = only(manifests, 'Job');
    const document = configOf(manifests, job.metadata.name, 'restore.yaml');
    expect(fits(COPY_RESTORE_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({
      spec: {
        backup: { namespace: 'shop', database: 'orders-copy', id: '20261121040000' },
        volumes: [
          { name: 'data', path: '/volumes/data' },
          { name: 'wal', path: '/volumes/wal' },
        ],
      },
    });
    expect(job.spec.backoffLimit).toBe(0);
  });

  it('fills whole volumes first, and prepares the files where the server has them then', () => {
    const { initContainers, containers, securityContext } = podOf(only(restore({ runAsUser: 999 }), 'Job')).spec;
    expect(initContainers.map(({ name, args }: Manifest) => [name, args[0]])).toEqual([['fill', 'restore-copy']]);
    expect(initContainers[0].volumeMounts).toContainEqual({
      name: 'volume-0',
      mountPath: '/volumes/data',
      readOnly: false,
    });
    const [{ args, volumeMounts }] = containers;
    expect(args).toEqual([
      ...['prepare', '--record-file', '/var/run/stillpoint/state/record.yaml'],
      ...['--volume', 'data=/var/lib/postgresql/data', '--volume', 'wal=/wal'],
    ]);
    expect(volumeMounts).toContainEqual({
      ...{ name: 'volume-0', mountPath: '/var/lib/postgresql/data', subPath: 'pg', readOnly: false },
    });
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 999, fsGroup: 999 });
  });

  it('runs as root with what giving files away takes, unless it is told whose they are', () => {
    const { initContainers, securityContext } = podOf(only(restore(), 'Job')).spec;
    expect(securityContext).toMatchObject({ runAsUser: 0 });
    expect(initContainers[0].securityContext.capabilities.add).toEqual(['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID']);
  });

  it('names another Job when anything of it is another', () => {
    const [one, other] = [restore(), restore({ backup: '20261121050000' })].map(
      (each) => only(each, 'Job').metadata.name,
    );
    expect(one).not.toBe(other);
  });

  it.each<[Partial<SnapshotCopyRestoreProps>, string]>([
    [{ backup: 'latest' }, 'which means another backup each day'],
    [{ backup: 'yesterday' }, 'which is no id'],
    [
      { volumes: [{ name: 'data', size: Size.gibibytes(1), mountPath: '/data', claimName: 'Data_1' }] },
      'would make a claim named "Data_1"',
    ],
    [{ volumes: [] }, 'has no volumes'],
    [{ volumes: [{ name: 'data', size: Size.gibibytes(1), mountPath: 'data' }] }, 'no absolute path'],
    [
      {
        volumes: [
          { name: 'data', size: Size.gibibytes(1), mountPath: '/data' },
          { name: 'wal', size: Size.gibibytes(1), mountPath: '/data' },
        ],
      },
      'twice',
    ],
  ])('refuses %j', (props, message) => {
    expect(() => restore(props)).toThrow(message);
  });
});
