import { describe, expect, it } from 'vitest';
import { restoreConfigBy, restorePodBy } from '../../../runner/dump/by-policy';
import type { DumpConfig } from '../../../src/contract';
import { record } from '../../support/record';

const policy: DumpConfig = {
  apiVersion: 'stillpoint.dev/v1',
  kind: 'DumpConfig',
  metadata: { name: 'orders-dump-backup', namespace: 'shop' },
  spec: {
    engine: 'postgres',
    database: 'orders-dump',
    connection: { host: 'orders-db', port: 5432, usernameFile: '/var/run/secrets/stillpoint/credentials/username' },
    dump: { compression: 'zstd', layout: 'stillpoint' },
    storage: { kind: 's3', credentialsDirectory: '/keys', s3: { bucket: 'backups' } },
    registry: { namespace: 'stillpoint' },
  },
};
const taken = record({
  mode: 'dump',
  store: { kind: 's3', s3: { bucket: 'backups' } },
  storeName: 'bucket backups at S3',
});
const place = { name: 'orders-dump-backup-1', namespace: 'shop' };

describe('a restore from a terminal', () => {
  it('is told what the policy knows of store and registry, and the server that was named', () => {
    const wishes = { host: 'copy', database: 'orders', intoDatabase: 'monday', checkFirst: true, identity: 'key' };
    expect(restoreConfigBy(policy, taken, wishes, place).spec).toEqual({
      backup: { namespace: taken.namespace, database: taken.database, id: taken.id },
      connection: { ...policy.spec.connection, host: 'copy' },
      only: 'orders',
      into: 'monday',
      storage: policy.spec.storage,
      identityFile: '/var/run/secrets/stillpoint/identity/identity',
      checkFirst: true,
      registry: { namespace: 'stillpoint' },
    });
    expect(restoreConfigBy(policy, taken, { host: 'copy', port: 5433 }, place).spec.connection?.port).toBe(5433);
  });

  it('is refused where the policy has another storage by now', () => {
    const moved = {
      ...policy,
      spec: { ...policy.spec, storage: { kind: 's3', s3: { bucket: 'others' } } },
    } as DumpConfig;
    expect(() => restoreConfigBy(moved, taken, { host: 'copy' }, place)).toThrow('has another storage by now');
  });

  it('is refused of a dump that goes into files', () => {
    const { connection: _, ...spec } = policy.spec;
    const ofFiles: DumpConfig = { ...policy, spec: { ...spec, engine: 'neo4j' } };
    expect(() => restoreConfigBy(ofFiles, taken, { host: 'copy' }, place)).toThrow(
      expect.objectContaining({ code: 'usage-invalid', hint: expect.stringContaining('names the claim') }),
    );
  });

  const pod = {
    serviceAccountName: 'orders-dump-backup',
    containers: [
      {
        name: 'runner',
        image: 'postgres:17',
        args: ['run'],
        volumeMounts: [
          { name: 'config', mountPath: '/etc/stillpoint' },
          { name: 'credentials', mountPath: '/var/run/secrets/stillpoint/credentials' },
          { name: 'store', mountPath: '/var/run/secrets/stillpoint/store' },
        ],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: 'orders-dump-backup-1a2b' } },
      {
        name: 'credentials',
        projected: { defaultMode: 288, sources: [{ secret: { name: 'admin', optional: true } }] },
      },
      { name: 'store', projected: { sources: [{ secret: { name: 'keys' } }] } },
    ],
  };

  it("runs in the policy's pod, with an instruction and a login of its own", () => {
    const changed = restorePodBy(pod, place.name, { host: 'copy', credentials: 'copy-admin', identity: 'key' });
    expect(changed).toMatchObject({ serviceAccountName: 'orders-dump-backup' });
    expect(changed.containers[0]).toMatchObject({
      image: 'postgres:17',
      args: ['restore-dump', '--config', '/etc/stillpoint/backup.yaml'],
    });
    expect(changed.containers[0]?.volumeMounts?.at(-1)).toMatchObject({
      mountPath: '/var/run/secrets/stillpoint/identity',
    });
    expect(changed.volumes).toEqual([
      { name: 'config', configMap: { name: place.name } },
      {
        name: 'credentials',
        projected: { defaultMode: 288, sources: [{ secret: { name: 'copy-admin', optional: true } }] },
      },
      pod.volumes[2],
      expect.objectContaining({ name: 'identity' }),
    ]);
  });

  it.each([
    ['a Secret mounted by itself', { secret: { secretName: 'admin' } }],
    ['a projection of none', { projected: { sources: [{ configMap: { name: 'admin' } }] } }],
  ])('is given no other login where that of the policy is %s', (_, is) => {
    const other = { ...pod, volumes: [{ name: 'credentials', ...is }] };
    expect(() => restorePodBy(other, place.name, { host: 'copy', credentials: 'copy-admin' })).toThrow(
      expect.objectContaining({ code: 'usage-invalid', message: expect.stringContaining('volume credentials') }),
    );
  });

  it('logs in as the policy does where nothing else was said, and needs no identity', () => {
    expect(restorePodBy(pod, place.name, { host: 'copy' }).volumes?.slice(1)).toEqual(pod.volumes.slice(1));
  });
});
