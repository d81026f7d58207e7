/** A restore from a dump: a stand-in tool (a real child process), objects and records in real folders. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { type RestoredDump, restoreDump } from '../../../runner/commands/restore-dump';
import type { RestoreDumpContext } from '../../../runner/commands/restore-dump-context';
import type { Engine } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import { openStore } from '../../../runner/storage';
import type { EngineDump } from '../../../runner/tools/tool';
import type { BackupRecord, DumpRestoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { scripted } from '../pipe/scripted-tool';

const ID = '20260101020000';
const FOLDER = `stillpoint/shop/orders-db/${ID}`;
const KEY = `${FOLDER}/dump.sql.gz`;
const SQL = 'CREATE TABLE t ();\n';
const STORED = gzipSync(SQL);
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let registry: DirectoryRegistry;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-restore-'));
  await mkdir(join(folder, 'records'));
  registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
  said = [];
  await put(KEY, STORED);
});
afterEach(() => rm(folder, { recursive: true }));

async function put(key: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(folder, 'store', key)), { recursive: true });
  await writeFile(join(folder, 'store', key), content);
}

const dumped = (change: Partial<BackupRecord> = {}): BackupRecord =>
  record({
    mode: 'dump',
    objects: [
      {
        key: KEY,
        location: `s3://b/${KEY}`,
        bytes: STORED.length,
        sha256: sha256(STORED),
        plainBytes: SQL.length,
        plainSha256: sha256(SQL),
        compression: 'gzip',
      },
    ],
    ...change,
  });

interface Situation {
  readonly spec?: Partial<DumpRestoreConfig['spec']>;
  readonly tools?: Partial<EngineDump>;
  readonly open?: () => Promise<unknown>;
  readonly root?: string;
  readonly identities?: readonly string[] | undefined;
}

/** What the tool was given to its end; undefined where it never saw an end. */
async function given(): Promise<string | undefined> {
  const file = join(folder, 'server');
  return existsSync(file) ? await readFile(file, 'utf8') : undefined;
}

function restoring({ spec, tools, open, identities, root }: Situation = {}): Promise<RestoredDump> {
  const tool = `let all = ''; process.stdin.on('data', (text) => (all += text)).on('end', () => require('fs').writeFileSync(${JSON.stringify(join(folder, 'server'))}, all))`;
  const engine = {
    name: 'postgres',
    open: open ?? (async () => ({ server: { version: '17.2' }, close: async () => undefined })),
    dump: {
      destination: async () => ({ holds: [], logins: ['postgres'] }),
      restore: () => scripted(tool),
      ...tools,
    },
  } as unknown as Engine;
  const connection = { host: 'orders-copy', port: 5432, usernameFile: '/user' };
  const storage = { kind: 'directory', directory: { path: join(folder, 'store') } } as const;
  const context: RestoreDumpContext = {
    config: {
      apiVersion: 'stillpoint.dev/v1',
      kind: 'DumpRestoreConfig',
      metadata: { name: 'orders-copy-restore', namespace: 'shop' },
      spec: {
        backup: { namespace: 'shop', database: 'orders-db', id: ID },
        connection,
        storage,
        registry: {},
        ...spec,
      },
    },
    registry,
    uses: new DirectoryUses(registry),
    engineNamed: async () => engine,
    readTarget: async () => ({ connection, username: 'postgres', password: 'p', tls: undefined }),
    openStore: () => openStore(storage, { clock: systemClock, random: Math.random, environment: {} }),
    readIdentities: async () => identities,
    events: { emit: async (type, reason, message) => void said.push(`${type} ${reason}: ${message}`) },
    root: root ?? '/',
    environment: process.env,
    clock: systemClock,
    log: new QuietLog(),
    signal: new AbortController().signal,
  };
  return restoreDump(context);
}

describe('a restore from a dump', () => {
  it('gives the tool all of it, and says so', async () => {
    await registry.create(dumped());
    expect(await restoring()).toMatchObject({ record: { id: ID }, into: { version: '17.2' } });
    expect(await given()).toBe(SQL);
    expect(said).toEqual([
      `Normal Restoring: Restoring backup shop/orders-db/${ID}`,
      `Normal SuccessfulRestore: Backup shop/orders-db/${ID} restored`,
    ]);
  });

  it('goes by the record beside the dump where the registry has none, and by none of another backup', async () => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped()));
    await restoring();
    expect(await given()).toBe(SQL);
    await put(`${FOLDER}/record.yaml`, stringify(dumped({ database: 'others-db' })));
    await expect(restoring()).rejects.toMatchObject({ code: 'record-unreadable' });
  });

  it.each([
    ['registry-not-found', true],
    ['permission-missing', true],
    ['kubernetes-unreachable', false],
    ['record-unreadable', false],
  ] as const)('where the registry answers %s, goes by the record beside the dump: %j', async (code, goes) => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped()));
    const get = registry.get.bind(registry);
    registry.get = async () => {
      throw new StillpointError(code, 'no');
    };
    const restored = await restoring().then(
      () => true,
      (thrown: unknown) => (thrown as StillpointError).code,
    );
    registry.get = get;
    expect(restored).toBe(goes ? true : code);
    expect(await given()).toBe(goes ? SQL : undefined);
  });

  it('is refused where the record beside the dump is of none that succeeded', async () => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped({ phase: 'failed' })));
    await expect(restoring()).rejects.toMatchObject({ code: 'backup-not-restorable', exitCode: 3 });
    expect(await given()).toBeUndefined();
  });

  it('of which nothing is known is refused', async () => {
    await expect(restoring()).rejects.toMatchObject({ code: 'backup-not-found', exitCode: 5 });
  });

  it.each<[string, Partial<BackupRecord>, string]>([
    ['failed', { phase: 'failed' }, 'backup-not-restorable'],
    ['is no dump', { mode: 'snapshot' }, 'backup-not-restorable'],
    ['is being deleted', { phase: 'deleting' }, 'backup-not-restorable'],
  ])('that %s is refused before the server is asked', async (_, change, code) => {
    await registry.create(dumped(change));
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    await expect(restoring({ open })).rejects.toMatchObject({ code, exitCode: 3 });
  });

  it('into a server that holds something is refused unless told', async () => {
    await registry.create(dumped());
    const tools = { destination: async () => ({ holds: ['database shop'], logins: [] }) };
    await expect(restoring({ tools })).rejects.toMatchObject({
      code: 'restore-exists',
      exitCode: 3,
      message: 'the server at orders-copy:5432 is not empty: database shop',
    });
    expect(await given()).toBeUndefined();
    await restoring({ tools, spec: { intoOccupied: true } });
    expect(await given()).toBe(SQL);
  });

  it('into a server that does not read what the tool has written is refused', async () => {
    await registry.create(dumped({ dump: { tool: 'a tool of 18' } }));
    const unreadable = (tool: string, server: { readonly version: string }): string => `${tool} into ${server.version}`;
    const run = restoring({ tools: { unreadable } });
    await expect(run).rejects.toMatchObject({ code: 'tool-version', exitCode: 3, message: 'a tool of 18 into 17.2' });
  });

  it('into a server of which nobody can tell whether it is empty is refused', async () => {
    await registry.create(dumped());
    await expect(restoring({ tools: { destination: undefined } as object })).rejects.toMatchObject({
      code: 'restore-exists',
    });
  });

  describe('whose bytes are others than the record says', () => {
    const other = { objects: dumped().objects?.map((object) => ({ ...object, plainSha256: 'a'.repeat(64) })) };

    it('fails, the tool never sees an end, and what to do with the server is said', async () => {
      await registry.create(dumped(other as Partial<BackupRecord>));
      await expect(restoring()).rejects.toMatchObject({
        code: 'stream-broken',
        exitCode: 7,
        hint: 'the server at orders-copy:5432 may hold a part of the dump: throw it away, and restore into a new one',
      });
      expect(await given()).toBeUndefined();
      expect(said.at(-1)).toMatch(/^Warning FailedRestore: .* \(stream-broken\)$/);
    });

    it('is found out before the server gets a byte, with checkFirst', async () => {
      await registry.create(dumped(other as Partial<BackupRecord>));
      const restore = (): never => {
        throw new Error('the tool runs');
      };
      const run = restoring({ spec: { checkFirst: true }, tools: { restore } });
      await expect(run).rejects.toMatchObject({ code: 'stream-broken', exitCode: 4 });
    });

    it('in number is found out first of all', async () => {
      await registry.create(dumped());
      await put(KEY, STORED.subarray(1));
      await expect(restoring()).rejects.toMatchObject({ code: 'stream-broken', exitCode: 4 });
    });
  });

  it('is refused in an image with musl, before the server is asked', async () => {
    await registry.create(dumped());
    await put('../lib/ld-musl-x86_64.so.1', '');
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    await expect(restoring({ open, root: folder })).rejects.toMatchObject({ code: 'image-unsuitable', exitCode: 3 });
  });

  it('of one database goes into one that is made where it is not there', async () => {
    await registry.create(dumped({ dump: { tool: 'a tool of 17', only: 'orders' } }));
    const asked: unknown[] = [];
    const tools: Partial<EngineDump> = {
      createDatabase: async (_, name) => void asked.push(`made ${name}`),
      destination: async (_, { database, outOf }) => {
        asked.push({ database, outOf });
        return { holds: [], logins: [] };
      },
    };
    await restoring({ tools });
    await restoring({ tools, spec: { into: 'second' } });
    expect(asked).toEqual([
      'made orders',
      { database: 'orders', outOf: undefined },
      'made second',
      { database: 'second', outOf: undefined },
    ]);
    await expect(restoring({ tools, spec: { only: 'others' } })).rejects.toMatchObject({ code: 'config-invalid' });
    expect(asked).toHaveLength(4);
  });

  describe('as the file of a server that has not started yet', () => {
    const spec = (): Partial<DumpRestoreConfig['spec']> => ({ file: { directory: join(folder, 'data') } });
    const file = { file: 'dump.rdb' };
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    beforeEach(async () => {
      await mkdir(join(folder, 'data', 'lost+found'), { recursive: true });
      await registry.create(dumped());
    });

    it('has its name and all its bytes; what an earlier attempt has left is no hindrance', async () => {
      await writeFile(join(folder, 'data', 'dump.rdb.partial'), 'of an earlier attempt');
      const path = join(folder, 'data', 'dump.rdb');
      expect(await restoring({ spec: spec(), tools: file, open })).toMatchObject({ into: { file: path } });
      expect(await readFile(path, 'utf8')).toBe(SQL);
      expect(said.at(-1)).toMatch(/^Normal SuccessfulRestore/);
    });

    it('is refused where a server has files of its own', async () => {
      await mkdir(join(folder, 'data', 'appendonlydir'));
      await expect(restoring({ spec: spec(), tools: file, open })).rejects.toMatchObject({
        code: 'restore-exists',
        exitCode: 3,
        message: expect.stringContaining('is not empty: appendonlydir'),
      });
    });

    it('leaves nothing where its bytes are others than the record says', async () => {
      await put(KEY, Buffer.from(STORED).fill(0, STORED.length - 4));
      await expect(restoring({ spec: spec(), tools: file, open })).rejects.toMatchObject({ code: 'stream-broken' });
      expect(await readdir(join(folder, 'data'))).toEqual(['lost+found']);
    });

    it('is refused of engines that take none, and where the folder is not ours', async () => {
      await expect(restoring({ spec: spec(), open })).rejects.toMatchObject({ code: 'config-invalid' });
      const elsewhere = { file: { directory: join(folder, 'nowhere') } };
      await expect(restoring({ spec: elsewhere, tools: file, open })).rejects.toMatchObject({ code: 'restore-failed' });
    });
  });

  describe('that is encrypted', () => {
    let identity: string;
    let stored: Buffer;
    let encryption: { readonly format: string; readonly recipients: readonly string[] };
    const nobody = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    beforeEach(async () => {
      identity = await generateX25519Identity();
      encryption = { format: 'age', recipients: [await identityToRecipient(identity)] };
      const encrypter = new Encrypter();
      encrypter.addRecipient(encryption.recipients[0] ?? '');
      stored = Buffer.from(await encrypter.encrypt(STORED));
      await put(KEY, stored);
    });
    const sealed = (more: object = { encryption }): BackupRecord =>
      dumped({
        objects: (dumped().objects ?? []).map((object) => ({
          ...object,
          bytes: stored.length,
          sha256: sha256(stored),
          ...more,
        })),
      });

    it('goes in by an identity of one of its recipients', async () => {
      await registry.create(sealed());
      await restoring({ identities: [await generateX25519Identity(), identity], spec: { checkFirst: true } });
      expect(await given()).toBe(SQL);
    });

    it.each<[string, () => Promise<readonly string[] | undefined>, string]>([
      ['without an identity', async () => undefined, 'key-unusable'],
      ['with that of somebody else', async () => [await generateX25519Identity()], 'identity-mismatch'],
    ])('%s is refused before the server is asked, and named are those that open it', async (_, identities, code) => {
      await registry.create(sealed());
      const error = await restoring({ open: nobody, identities: await identities() }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code, exitCode: 3 });
      if (code === 'key-unusable') expect(error).toHaveProperty('hint', expect.stringContaining('age1'));
    });

    it('and of which the record says nothing is refused: it may be another one that was put in its place', async () => {
      await put(KEY, STORED);
      await registry.create(dumped());
      await expect(restoring({ open: nobody, identities: [identity] })).rejects.toMatchObject({
        code: 'decryption-failed',
        message: expect.stringContaining('is on record without encryption'),
      });
    });

    it('in a way that this version does not know is refused', async () => {
      await registry.create(sealed({ encryption: { ...encryption, format: 'later' } }));
      await expect(restoring({ open: nobody, identities: [identity] })).rejects.toMatchObject({
        code: 'record-unreadable',
      });
    });

    it('and was altered fails, and the tool never sees an end', async () => {
      const record = sealed();
      const last = stored.length - 20;
      stored[last] = (stored[last] ?? 0) ^ 1;
      await put(KEY, stored);
      await registry.create(record);
      await expect(restoring({ identities: [identity] })).rejects.toMatchObject({ code: 'decryption-failed' });
      expect(await given()).toBeUndefined();
    });
  });

  it('waits for a server that is not there yet, and not for ever', async () => {
    await registry.create(dumped());
    let tries = 0;
    const open = async (): Promise<unknown> => {
      tries += 1;
      if (tries === 1) throw new StillpointError('server-unreachable', 'it is not up');
      return { server: { version: '17.2' }, close: async () => undefined };
    };
    await restoring({ open });
    expect(tries).toBe(2);
    const never = (): Promise<never> => Promise.reject(new StillpointError('server-unreachable', 'it is not up'));
    await expect(restoring({ open: never, spec: { waitSeconds: 0 } })).rejects.toMatchObject({
      code: 'server-unreachable',
    });
  });
});
