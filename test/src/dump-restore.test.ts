/** Restores from dumps: what they tell the runner, what their Jobs are, and which are refused. */
import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  MongoDumpRestore,
  MySqlDumpRestore,
  PostgresDumpRestore,
  type PostgresDumpRestoreProps,
  RedisDumpRestore,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DUMP_RESTORE_CONFIG, fits } from '../../src/contract';
import { chart, login, storage, usual } from './dump-fixture';
import { type Manifest, only, podOf, shop } from './synth';

function restore(props: Partial<PostgresDumpRestoreProps> = {}, id = 'orders-copy'): Manifest[] {
  const own = shop();
  new PostgresDumpRestore(own, id, {
    host: 'orders-copy',
    credentials: login,
    serverImage: 'postgres:17',
    storage,
    database: 'orders-dump',
    backup: '20261121020000',
    ...props,
  });
  return Testing.synth(own);
}

describe('a restore from a dump', () => {
  it('tells the runner which dump goes where', () => {
    const document: unknown = parse(only(restore({ checkFirst: true }), 'ConfigMap').data['restore.yaml']);
    expect(fits(DUMP_RESTORE_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({
      kind: 'DumpRestoreConfig',
      spec: {
        backup: { namespace: 'shop', database: 'orders-dump', id: '20261121020000' },
        connection: { host: 'orders-copy', port: 5432 },
        checkFirst: true,
      },
    });
  });

  it('opens an encrypted dump by an identity that is mounted, whatever its key is called', () => {
    const identity = Secret.fromSecretName(chart, 'identity', 'orders-identity');
    for (const [props, key] of [
      [{ identity }, 'key.txt'],
      [{ identity, identityKey: 'orders.age' }, 'orders.age'],
    ] as const) {
      const manifests = restore(props);
      const path = '/var/run/secrets/stillpoint/identity';
      expect(parse(only(manifests, 'ConfigMap').data['restore.yaml']).spec.identityFile).toBe(`${path}/identity`);
      const { spec } = podOf(only(manifests, 'Job'));
      expect(spec.containers[0].volumeMounts).toContainEqual({ name: 'identity', mountPath: path, readOnly: true });
      const { sources } = spec.volumes.find(({ name }: Manifest) => name === 'identity').projected;
      expect(sources).toEqual([
        { secret: { name: 'orders-identity', optional: true, items: [{ key, path: 'identity' }] } },
      ]);
    }
  });

  it('reads the one record that it works by, and repeats nothing that has begun', () => {
    const manifests = restore();
    const job = only(manifests, 'Job');
    expect(podOf(job).spec.containers[0]).toMatchObject({
      image: 'postgres:17',
      args: ['restore-dump', '--config', '/etc/stillpoint/restore.yaml'],
    });
    expect(job.spec.podFailurePolicy.rules[1].onExitCodes.values).toEqual([2, 7]);
    const [rule] = only(manifests, 'Role', 'stillpoint.shop.orders-copy-restore').rules;
    expect(rule).toMatchObject({
      resources: ['configmaps'],
      resourceNames: ['shop.orders-dump.20261121020000'],
      verbs: ['get', 'patch'],
    });
  });

  it('is another Job for another backup, and the same one for the same', () => {
    const nameOf = (backup: string): string => only(restore({ backup }), 'Job').metadata.name;
    expect(nameOf('20261121020000')).toBe(nameOf('20261121020000'));
    expect(nameOf('20261121020000')).not.toBe(nameOf('20261122020000'));
  });

  it.each<[string, object, RegExp]>([
    ['latest', { backup: 'latest' }, /restores the backup "latest", which means another backup each day/],
    ['no image', { serverImage: undefined }, /serverImage/],
  ])('of %s is refused', (_, props, message) => {
    expect(() => restore(props)).toThrow(message);
  });
});

describe('a restore of one database', () => {
  const of = {
    ...usual,
    database: 'orders-dump',
    backup: '20261121020000',
    onlyDatabase: 'books',
    intoDatabase: 'copy',
  };
  it.each([
    ['PostgreSQL', PostgresDumpRestore],
    ['MySQL', MySqlDumpRestore],
    ['MongoDB', MongoDumpRestore],
  ] as const)('of %s says which, and under what name', (_, Class) => {
    const own = shop();
    new Class(own, 'copy', of);
    const document: unknown = parse(only(Testing.synth(own), 'ConfigMap').data['restore.yaml']);
    expect(fits(DUMP_RESTORE_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({ spec: { only: 'books', into: 'copy' } });
  });
});

describe('a restore of a dump of Redis', () => {
  const synthed = (props: object = {}): Manifest[] => {
    const own = shop();
    new RedisDumpRestore(own, 'copy', {
      database: 'sessions-dump',
      backup: '20261121020000',
      claimName: 'data-copy-0',
      storage,
      ...props,
    });
    return Testing.synth(own);
  };

  it('puts the file on the claim, as the user of the server, in the image of the runner', () => {
    const manifests = synthed({ subPath: 'data' });
    const document: unknown = parse(only(manifests, 'ConfigMap').data['restore.yaml']);
    expect(fits(DUMP_RESTORE_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({ spec: { file: { directory: '/data' } } });
    expect(document).not.toHaveProperty('spec.connection');
    const { spec } = podOf(only(manifests, 'Job'));
    expect(spec.containers[0].image).toBe('stillpoint:0.1.0');
    expect(spec.securityContext).toMatchObject({ runAsUser: 999, runAsGroup: 999, fsGroup: 999, runAsNonRoot: true });
    expect(spec.containers[0].volumeMounts).toContainEqual({
      name: 'data',
      mountPath: '/data',
      subPath: 'data',
      readOnly: false,
    });
    expect(spec.volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'data-copy-0' } });
  });

  it.each<[string, object, RegExp]>([
    ['no claim', { claimName: '' }, /names no claim/],
    ['no storage', { storage: undefined }, /has no storage/],
  ])('with %s is refused', (_, props, message) => {
    expect(() => synthed(props)).toThrow(message);
  });
});
