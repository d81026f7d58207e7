import { ApiObject, Size, Testing } from 'cdk8s';
import { PersistentVolumeAccessMode } from 'cdk8s-plus-28';
import { Registry, RestoreClaim, type RestoreClaimProps } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { snapshotName } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

const ID = '20261121020000';
const DATA = { name: 'data', size: Size.gibibytes(10), mountPath: '/var/lib/postgresql/data' };

function restore(props: Partial<RestoreClaimProps> = {}, id = 'copy'): RestoreClaim {
  return new RestoreClaim(shop(), id, { database: 'orders-db', backup: ID, volumes: [DATA], ...props });
}

function synth(props: Partial<RestoreClaimProps> = {}): Manifest[] {
  const chart = restore(props).node.scope;
  return Testing.synth(chart as Parameters<typeof Testing.synth>[0]);
}

describe('the claims of a restore', () => {
  it('come from the snapshots of the named backup', () => {
    const { metadata, spec } = only(synth(), 'PersistentVolumeClaim');
    expect(metadata).toMatchObject({ name: 'copy-data', namespace: 'shop' });
    expect(spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      dataSourceRef: {
        apiGroup: 'snapshot.storage.k8s.io',
        kind: 'VolumeSnapshot',
        name: snapshotName('orders-db', 'data', ID),
      },
      resources: { requests: { storage: '10Gi' } },
    });
  });

  it('say which backup they hold', () => {
    expect(only(synth(), 'PersistentVolumeClaim').metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'stillpoint',
      'stillpoint.dev/component': 'restore',
      'stillpoint.dev/database': 'orders-db',
      'stillpoint.dev/backup': ID,
      'stillpoint.dev/volume': 'data',
    });
  });

  it('are named and sized as wanted', () => {
    const wal = {
      name: 'log',
      size: Size.mebibytes(1500),
      mountPath: '/wal',
      claimName: 'wal-copy-0',
      storageClassName: 'fast',
      accessModes: [PersistentVolumeAccessMode.READ_WRITE_ONCE_POD],
    };
    const construct = restore({ volumes: [DATA, wal] });
    expect(construct.claimNames).toEqual(['copy-data', 'wal-copy-0']);
    const { spec } = only(synth({ volumes: [DATA, wal] }), 'PersistentVolumeClaim', 'wal-copy-0');
    expect(spec).toMatchObject({
      storageClassName: 'fast',
      accessModes: ['ReadWriteOncePod'],
      resources: { requests: { storage: '1500Mi' } },
    });
  });

  it('are the main child', () => {
    expect(ApiObject.of(restore()).kind).toBe('PersistentVolumeClaim');
  });
});

describe('the Job that prepares them', () => {
  it('runs the runner on the mounted claims and the record', () => {
    const wal = { name: 'log', size: Size.gibibytes(2), mountPath: '/var/lib/postgresql/wal', subPath: 'orders' };
    const manifests = synth({ volumes: [DATA, wal], registry: Registry.fromNamespace('records') });
    const job = only(manifests, 'Job');
    expect(job.metadata.name).toMatch(/^copy-prepare-[0-9a-f]{8}$/);
    const pod = podOf(job).spec;
    expect(pod.containers[0].args).toEqual([
      ...['prepare', '--record', `shop.orders-db.${ID}`, '--registry', 'records'],
      ...['--volume', 'data=/var/lib/postgresql/data', '--volume', 'log=/var/lib/postgresql/wal'],
    ]);
    expect(pod.containers[0].volumeMounts).toEqual([
      { name: 'data', mountPath: '/var/lib/postgresql/data', readOnly: false },
      { name: 'log', mountPath: '/var/lib/postgresql/wal', subPath: 'orders', readOnly: false },
    ]);
    expect(pod.volumes).toEqual([
      { name: 'data', persistentVolumeClaim: { claimName: 'copy-data' } },
      { name: 'log', persistentVolumeClaim: { claimName: 'copy-log' } },
    ]);
  });

  it('may read the one record, and nothing else', () => {
    const manifests = synth();
    const role = only(manifests, 'Role');
    expect(role.metadata.namespace).toBe('stillpoint');
    expect(role.rules).toEqual([
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'], resourceNames: [`shop.orders-db.${ID}`] },
    ]);
    expect(manifests.map(({ kind }) => kind)).not.toContain('ClusterRole');
    expect(podOf(only(manifests, 'Job')).spec.serviceAccountName).toBe(only(manifests, 'ServiceAccount').metadata.name);
  });

  it('is root with three capabilities where the files’ owner is not known', () => {
    const { spec } = podOf(only(synth(), 'Job'));
    expect(spec.securityContext).toEqual({
      runAsNonRoot: false,
      runAsUser: 0,
      runAsGroup: 0,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(spec.containers[0].securityContext.capabilities).toEqual({
      drop: ['ALL'],
      add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
    });
  });

  it('is that owner, and restricted, where it is', () => {
    const { spec } = podOf(only(synth({ runAsUser: 999 }), 'Job'));
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 999, runAsGroup: 999 });
    // An fsGroup would open the data directory to its group, and PostgreSQL would not start.
    expect(spec.securityContext).not.toHaveProperty('fsGroup');
    expect(spec.containers[0].securityContext.capabilities).toEqual({ drop: ['ALL'] });
    expect(podOf(only(synth({ runAsUser: 999, runAsGroup: 70 }), 'Job')).spec.securityContext.runAsGroup).toBe(70);
  });

  it('is another Job for another image: what is applied cannot be changed', () => {
    expect(restore({ image: 'a' }).jobName).not.toBe(restore({ image: 'b' }).jobName);
    expect(restore().jobName).toBe(restore().jobName);
  });
});

describe('a restore that cannot work is refused at synth', () => {
  it.each<[what: string, props: Partial<RestoreClaimProps>, message: string]>([
    [
      'latest',
      { backup: 'latest' },
      'restores the backup "latest", which means another backup each day: give an id, as "20261121020000" (stillpoint list orders-db), or restore on the command line: stillpoint restore latest --claim copy',
    ],
    ['an id that is none', { backup: '2026-11-21' }, 'restores the backup "2026-11-21", which is no id'],
    ['no volumes', { volumes: [] }, 'has no volumes: name them as the backup does'],
    ['a mount that is none', { volumes: [{ ...DATA, mountPath: 'data' }] }, 'mounts a volume at "data"'],
    [
      'two volumes at one place',
      { volumes: [DATA, { ...DATA, name: 'log' }] },
      'mounts two volumes at "/var/lib/postgresql/data"',
    ],
    ['a volume twice', { volumes: [DATA, { ...DATA, mountPath: '/other' }] }, 'would make the claim "copy-data" twice'],
    ['a claim that is none', { volumes: [{ ...DATA, claimName: 'Copy' }] }, 'would make a claim named "Copy"'],
    ['a volume that is none', { volumes: [{ ...DATA, name: 'pg_wal' }] }, 'has the volume\'s name "pg_wal"'],
    ['a database that is none', { database: 'orders_db' }, 'has the database "orders_db", which is no DNS label'],
    ['a registry that is none', { registry: Registry.fromNamespace('A b') }, 'has the registry "A b"'],
  ])('%s', (_, props, message) => {
    expect(() => restore(props)).toThrow(message);
    expect(() => restore(props)).toThrow(/^"orders\/copy" /);
  });

  it('an id that names cannot be made of', () => {
    expect(() => restore({}, 'a'.repeat(53))).toThrow('has an id of 53 characters');
  });
});
