/** Policies of dumps: what they tell the runner, what their pods are and may, and which are refused. */
import { Testing } from 'cdk8s';
import {
  BackupJob,
  BackupStorage,
  DumpLayout,
  MongoDump,
  MySqlDump,
  PostgresDump,
  type PostgresDumpProps,
  RedisDump,
  Registry,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DUMP_CONFIG, fits, STORES } from '../../src/contract';
import { storage, usual } from './dump-fixture';
import { type Manifest, only, podOf, shop } from './synth';

function synth(props: Partial<PostgresDumpProps> = {}, job = false): Manifest[] {
  const own = shop();
  const backup = new PostgresDump(own, 'orders-dump', { ...usual, ...props });
  if (job) new BackupJob(own, 'now', { backup });
  return Testing.synth(own);
}

describe('a policy of dumps', () => {
  it('tells the runner what to dump, with which tool, and where to', () => {
    const document: unknown = parse(only(synth(), 'ConfigMap').data['backup.yaml']);
    expect(fits(DUMP_CONFIG, document)).toBe(true);
    expect(document).toEqual({
      apiVersion: 'stillpoint.dev/v1',
      kind: 'DumpConfig',
      metadata: { name: 'orders-dump-backup', namespace: 'shop' },
      spec: {
        engine: 'postgres',
        database: 'orders-dump',
        connection: {
          host: 'orders-db',
          port: 5432,
          database: 'postgres',
          usernameFile: '/var/run/secrets/stillpoint/credentials/username',
          passwordFile: '/var/run/secrets/stillpoint/credentials/password',
        },
        dump: { compression: 'zstd', layout: 'stillpoint', image: 'postgres:17' },
        storage: {
          kind: 's3',
          s3: { bucket: 'backups', endpoint: 'http://minio.storage:9000', pathStyle: true },
          credentialsDirectory: '/var/run/secrets/stillpoint/store',
        },
        deadlineSeconds: 3600,
        registry: { namespace: 'stillpoint' },
        clusterScope: true,
      },
    });
  });

  it("runs in the engine's own image, with the runner brought into it, within the standard `restricted`", () => {
    const { spec } = podOf(only(synth(), 'CronJob'));
    const [install] = spec.initContainers;
    const [runner] = spec.containers;
    expect(install).toMatchObject({ name: 'install', image: 'stillpoint:0.1.0', args: ['install', '/install'] });
    expect(install.command).toBeUndefined();
    expect(install.volumeMounts).toEqual([{ name: 'runner', mountPath: '/install' }]);
    expect(runner).toMatchObject({ name: 'runner', image: 'postgres:17' });
    expect(runner.command.slice(0, 4)).toEqual(['/app/lib/ld.so', '--library-path', '/app/lib', '/app/bin/node']);
    expect(runner.args).toEqual(['run', '--config', '/etc/stillpoint/backup.yaml']);
    expect(runner.volumeMounts).toEqual(
      expect.arrayContaining([
        { name: 'runner', mountPath: '/app', readOnly: true },
        { name: 'tmp', mountPath: '/tmp', readOnly: false },
        { name: 'store', mountPath: '/var/run/secrets/stillpoint/store', readOnly: true },
      ]),
    );
    for (const container of [install, runner]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(JSON.stringify(container.env ?? [])).not.toMatch(/secret|password/i);
    }
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
    expect(spec.volumes.find(({ name }: Manifest) => name === 'store').projected.sources[0].secret.name).toBe(
      'store-login',
    );
  });

  it('may read its own pod and Job, and nothing of volumes, snapshots or Secrets', () => {
    const roles = synth({ retention: { keepLast: 3 } }).filter(({ kind }) => /Role$/.test(kind));
    const rules = roles.flatMap((role) => role.rules.map((rule: Manifest) => [rule.resources, rule.verbs].join(' ')));
    expect(rules.sort()).toEqual([
      'configmaps create,get,list,update',
      'deployments/scale patch',
      'events create',
      'jobs get',
      'leases create',
      'leases get,update',
      'namespaces get',
      'pods get',
    ]);
  });

  it('is taken by a Job as well, when it is applied', () => {
    const job = only(synth({}, true), 'Job');
    expect(podOf(job).spec.containers[0].image).toBe('postgres:17');
  });

  it('in the layout of KubeDB is plain SQL, and nothing else', () => {
    const document = parse(only(synth({ layout: DumpLayout.KUBEDB }), 'ConfigMap').data['backup.yaml']);
    expect(document.spec.dump).toMatchObject({ layout: 'kubedb', compression: 'none' });
    expect(() => synth({ layout: DumpLayout.KUBEDB, compression: 'gzip' as never })).toThrow(
      /has the layout kubedb, and the compression gzip/,
    );
  });

  it('is encrypted for its recipients, of whom the pod knows the public keys alone', () => {
    const recipients = [`age1${'q'.repeat(58)}`];
    const manifests = synth({ recipients });
    expect(parse(only(manifests, 'ConfigMap').data['backup.yaml']).spec.dump.recipients).toEqual(recipients);
    expect(JSON.stringify(podOf(only(manifests, 'CronJob')))).not.toContain('identity');
    expect(() => synth({ recipients, layout: DumpLayout.KUBEDB })).toThrow(/has the layout kubedb, and recipients/);
  });

  it('does not repeat a secret key that stands among its recipients', () => {
    const secret = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const making = (): unknown => synth({ recipients: [secret] });
    expect(making).toThrow(/has a secret key of age among its recipients/);
    expect(making).not.toThrow(/QQQ/);
  });

  it.each<[string, object, RegExp]>([
    ['no recipient', { recipients: [] }, /has an empty list of recipients/],
    [
      'a key of SSH',
      { recipients: ['ssh-ed25519 AAAA'] },
      /has the recipient "ssh-ed25519 AAAA", which is no public key/,
    ],
    ['no image', { serverImage: '' }, /has the serverImage "".*name the engine's own image/s],
    ['no storage', { storage: undefined }, /has no storage.*take a BackupStorage/s],
    ['a bucket alone', { storage: 'backups' }, /has the storage "backups", which is of another kind/],
    ['a host with its port', { host: 'orders-db:5432' }, /has the host "orders-db:5432"/],
    ['another compression', { compression: 'lz4' }, /has the compression "lz4".*zstd, gzip, none/s],
  ])('with %s is refused', (_, props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});

describe.each<[what: string, Class: typeof MySqlDump | typeof MongoDump | typeof RedisDump, spec: object]>([
  ['MySQL', MySqlDump, { engine: 'mysql', connection: { port: 3306 } }],
  ['MongoDB', MongoDump, { engine: 'mongodb', connection: { port: 27017 }, dump: { position: true } }],
  ['Redis', RedisDump, { engine: 'redis', connection: { port: 6379 } }],
])('a policy of dumps of %s', (_, Class, spec) => {
  const configOf = (props: object): Manifest => {
    const own = shop();
    new Class(own, 'other-dump', { ...usual, serverImage: 'other:8', ...props });
    return parse(only(Testing.synth(own), 'ConfigMap').data['backup.yaml']);
  };

  it('tells the runner what to dump', () => {
    const document: unknown = configOf({});
    expect(fits(DUMP_CONFIG, document)).toBe(true);
    expect(document).toMatchObject({ spec });
    expect(document).toMatchObject({ spec: { dump: { compression: 'zstd', image: 'other:8' } } });
  });
});

describe('a dump of some databases', () => {
  it('of PostgreSQL names them, each once, and not beside onlyDatabase', () => {
    const own = shop();
    new PostgresDump(own, 'some-dump', { ...usual, databases: ['books', 'users'] });
    const { dump } = parse(only(Testing.synth(own), 'ConfigMap').data['backup.yaml']).spec;
    expect(dump).toMatchObject({ databases: ['books', 'users'] });
    expect(dump).not.toHaveProperty('only');
    const wrong = (more: object) => () => new PostgresDump(shop(), 'some-dump', { ...usual, ...more });
    expect(wrong({ databases: ['a'], onlyDatabase: 'b' })).toThrow(/has onlyDatabase b, and databases a/);
    expect(wrong({ databases: [] })).toThrow(/has an empty list of databases/);
    expect(wrong({ databases: ['a', 'b', 'a'] })).toThrow(/names the database a twice/);
  });
});

describe('a dump of one database', () => {
  it('of MySQL may say where its log stood', () => {
    const own = shop();
    new MySqlDump(own, 'accounts-dump', { ...usual, onlyDatabase: 'books', logPosition: true });
    const { dump } = parse(only(Testing.synth(own), 'ConfigMap').data['backup.yaml']).spec;
    expect(dump).toMatchObject({ only: 'books', position: true });
  });

  it('of MongoDB is without the oplog, which is of all', () => {
    const own = shop();
    new MongoDump(own, 'catalogue-dump', { ...usual, onlyDatabase: 'books' });
    const { dump } = parse(only(Testing.synth(own), 'ConfigMap').data['backup.yaml']).spec;
    expect(dump).toMatchObject({ only: 'books', position: false });
    const both = { ...usual, onlyDatabase: 'books', oplog: true };
    expect(() => new MongoDump(shop(), 'catalogue-dump', both)).toThrow(
      /dumps the database "books" alone, and the oplog/,
    );
  });
});

describe('a registry with storages', () => {
  it('mounts each for the pruner, at places of its own', () => {
    const own = shop();
    const folder = BackupStorage.volume({ claimName: 'backups' });
    new Registry(own, 'registry', { storages: [storage, folder] });
    const manifests = Testing.synth(own);
    const document: unknown = parse(only(manifests, 'ConfigMap', 'stillpoint-pruner').data['stores.yaml']);
    if (!fits(STORES, document)) throw new Error('the stores do not fit their schema');
    expect(document.spec.stores).toMatchObject([
      { kind: 's3', credentialsDirectory: '/var/run/secrets/stillpoint/store-0' },
      { kind: 'directory', directory: { path: '/var/lib/stillpoint/store-1', volume: 'backups' } },
    ]);
    for (const kind of ['CronJob', 'Deployment']) {
      const { spec } = podOf(only(manifests, kind));
      expect(spec.containers[0].args).toEqual(expect.arrayContaining(['--stores', '/etc/stillpoint/stores.yaml']));
      const mounts = spec.containers[0].volumeMounts.map(({ mountPath }: Manifest) => mountPath);
      expect(mounts).toEqual(['/etc/stillpoint', '/var/run/secrets/stillpoint/store-0', '/var/lib/stillpoint/store-1']);
    }
  });
});
