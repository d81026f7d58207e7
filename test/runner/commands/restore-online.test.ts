/**
 * One database of an online backup put back, from the store to the alias. neo4j-admin and the database `system` are stand-ins
 * (test/support says what they are not), the first a real child process; the seed is really served, and fetched, over HTTP.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { RestoreDumpContext } from '../../../runner/commands/restore-dump-context';
import { restoreOnline, saidOf } from '../../../runner/commands/restore-online';
import { unmarked } from '../../../runner/dump/source';
import { asStillpointError, StillpointError } from '../../../runner/errors';
import type { OnlineRestored } from '../../../runner/tools/online-restore';
import type { DumpRestoreConfig } from '../../../src/contract';
import { type Oddities, type SystemStandin, systemStandin } from '../../support/neo4j-system-standin';
import { FIRST, OnlineStandins, SECOND, THIRD } from './online-standins';

let standins: OnlineStandins;

beforeEach(async () => {
  standins = await OnlineStandins.create();
});
afterEach(() => standins[Symbol.asyncDispose]());

const METADATA = `CREATE ROLE \`reader\` IF NOT EXISTS;
CREATE USER \`ann\` IF NOT EXISTS SET ENCRYPTED PASSWORD '1,a,b';
GRANT ROLE \`reader\` TO \`ann\`;
GRANT ACCESS ON DATABASE $database TO \`reader\`;
`;

type Online = NonNullable<DumpRestoreConfig['spec']['online']>;

interface Wanted extends Partial<Online> {
  readonly id?: string;
  readonly only?: string;
  readonly into?: string;
  readonly system?: SystemStandin;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The server as it is when something is restored: customer1 has been lost. */
const server = (oddities?: Oddities): SystemStandin =>
  systemStandin({ customer2: {}, system: { type: 'system' } }, { shop: 'customer2' }, oddities);

async function restore(wanted: Wanted = {}): Promise<OnlineRestored> {
  const { id = FIRST, only, into, system = server(), env, signal, ...more } = wanted;
  const base = standins.contextOf({ system });
  const { scratch = join(standins.folder, 'scratch'), metadata = 'roles' } = more;
  const online: Online = { scratch, metadata, ...more };
  const context: RestoreDumpContext = {
    config: {
      apiVersion: base.config.apiVersion,
      kind: 'DumpRestoreConfig',
      metadata: { name: 'customer1-back', namespace: 'shop' },
      spec: {
        backup: { namespace: 'shop', database: 'graph', id },
        storage: standins.storage,
        registry: {},
        only,
        into,
        online,
      },
    },
    registry: standins.registry,
    uses: { begin: async (stored) => unmarked(stored.record) },
    readIdentities: async () => undefined,
    engineNamed: async () => base.engine,
    readTarget: async () => ({
      connection: { host: '127.0.0.1', port: 7687, usernameFile: '/user' },
      username: 'u',
      password: 'p',
      tls: undefined,
    }),
    openStore: base.openStore,
    events: base.events,
    root: '/',
    environment: standins.environment(env),
    clock: systemClock,
    log: base.log,
    signal: signal ?? base.signal,
  };
  return (await restoreOnline(context, online)).restored;
}

const failure = async (wanted: Wanted): Promise<StillpointError> => {
  const thrown: unknown = await restore(wanted).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown === undefined) throw new Error('it did not fail');
  return asStillpointError(thrown);
};

const scratch = (): Promise<readonly string[]> => readdir(join(standins.folder, 'scratch'));

describe('an online backup that is restored', () => {
  it('is a database of its own name, with all that the backup has, and leaves nothing in the scratch volume', async () => {
    await standins.take();
    const system = server();
    expect(await restore({ system })).toEqual({ database: 'customer1', version: '2025.10.0', transaction: '10' });
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 10 });
    expect(await scratch()).toEqual([]);
    expect(standins.said).toContain(`Normal SuccessfulRestore: Backup shop/graph/${FIRST} restored as customer1`);
  });

  it('is put together from a chain, and goes by another name', async () => {
    await standins.take({ online: { type: 'auto' } });
    for (const [id, highest] of [
      [SECOND, 20],
      [THIRD, 35],
    ] as const) {
      await standins.at('customer1', highest);
      await standins.take({ id, online: { type: 'differential' } });
    }
    const system = server();
    expect(await restore({ id: THIRD, into: 'Copy-of-1', system })).toMatchObject({
      database: 'copy-of-1',
      transaction: '35',
    });
    // Of the one in the middle no more than it has.
    expect(await restore({ id: SECOND, into: 'earlier', system })).toMatchObject({ transaction: '20' });
    expect(system.databases).toMatchObject({
      'copy-of-1': { lastCommittedTxn: 35 },
      earlier: { lastCommittedTxn: 20 },
    });
  });

  it('ends where it was told to, which needs a chain that goes beyond', async () => {
    await standins.take({ online: { type: 'auto' } });
    expect((await failure({ until: '5' })).message).toContain('can only be fully restored');
    await standins.at('customer1', 20);
    await standins.take({ id: SECOND, online: { type: 'differential' } });
    const system = server();
    expect(await restore({ id: SECOND, until: '15', system })).toMatchObject({ transaction: '14' });
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 14 });
  });

  it.each([
    [{ only: 'customer2' }, 'customer2'],
    [{ only: 'SHOP' }, 'customer1'],
  ])('is one of several by its name, or by an alias of that day: %j', async (which, database) => {
    await standins.take({ online: { databases: ['customer?'], aliases: ['shop'] } });
    expect(await restore({ ...which, into: 'back' })).toMatchObject({ database: 'back' });
    const { objects = [] } = await standins.recordOf();
    expect(objects.map(({ key }) => key)).toContainEqual(expect.stringContaining(`/${database}-`));
  });

  it.each([
    ['roles', ['CREATE ROLE `reader` IF NOT EXISTS', 'GRANT ACCESS ON DATABASE $database TO `reader`']],
    [
      'all',
      METADATA.trim()
        .split(';\n')
        .map((each) => each.replace(';', '')),
    ],
    ['none', []],
  ] as const)('has of its users and roles what was wanted: %s', async (metadata, statements) => {
    await standins.at('customer1', 10, { metadata: METADATA });
    await standins.take();
    const system = server();
    await restore({ metadata, system });
    expect(system.changed.slice(1)).toEqual(statements);
  });
});

describe('a switch', () => {
  it('restores beside the database, lets its roles in, and moves the alias then', async () => {
    await standins.at('customer1', 10, { metadata: METADATA });
    await standins.take({ online: { databases: undefined, aliases: ['shop'] } });
    const system = systemStandin({ customer1: {}, system: {} }, { shop: 'customer1' });
    const restored = await restore({ alias: 'shop', system });
    expect(restored.database).toMatch(/^shop-\d{10}$/);
    expect(restored.switched).toMatchObject({ alias: 'shop', from: 'customer1', to: restored.database });
    expect(system.aliases.shop).toBe(restored.database);
    expect(system.databases.customer1).toBeDefined();
    expect(system.changed.map((each) => each.split(' ', 2).join(' '))).toEqual([
      'CREATE DATABASE',
      'CREATE ROLE',
      'GRANT ACCESS',
      'ALTER ALIAS',
    ]);
    expect(saidOf(restored)).toBe(`${restored.database}; alias shop moved there from customer1`);
    // And back, by nothing but what stands on the alias.
    const { online } = standins.contextOf({ system }).engine;
    const target = {
      connection: { host: 'h', port: 1, usernameFile: '' },
      username: '',
      password: undefined,
      tls: undefined,
    };
    const world = { clock: systemClock, signal: new AbortController().signal };
    expect(await online?.moveAlias(target, { alias: 'shop', back: true }, world)).toMatchObject({ to: 'customer1' });
    expect(system.aliases.shop).toBe('customer1');
    await expect(online?.moveAlias(target, { alias: 'shop', back: true }, world)).rejects.toMatchObject({
      code: 'restore-not-found',
    });
  });

  it('leaves the alias where it is when the server has not what was restored, and removes that', async () => {
    await standins.take({ online: { databases: undefined, aliases: ['shop'] } });
    const system = systemStandin({ customer1: {} }, { shop: 'customer1' }, { seeded: () => ({ highest: 9 }) });
    const error = await failure({ alias: 'shop', system });
    expect(error).toMatchObject({ code: 'restore-differs', message: expect.stringContaining('ends at transaction 9') });
    expect(system.aliases.shop).toBe('customer1');
    expect(Object.keys(system.databases)).toEqual(['customer1']);
  });
});

describe('a database that is there', () => {
  it('is not touched, before anything is made ready', async () => {
    await standins.take();
    const system = systemStandin({ customer1: { lastCommittedTxn: 99 } });
    const error = await failure({ system });
    expect(error).toMatchObject({ code: 'restore-exists', exitCode: 3 });
    expect(system.changed).toEqual([]);
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 99 });
  });

  it('is dropped with a dump where that was said, and only when all is ready', async () => {
    await standins.take();
    const system = systemStandin({ customer1: { lastCommittedTxn: 99 } });
    await restore({ system, replace: true });
    expect(system.changed[0]).toBe('DROP DATABASE `customer1` DUMP DATA WAIT');
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 10 });
    await standins.at('customer2', 10, { broken: true });
    const other = systemStandin({ customer1: {} });
    const error = await failure({ system: other, replace: true, env: { STANDIN_VERSION: '4.4.38' } });
    expect(error.code).toBe('tool-version');
    expect(other.changed).toEqual([]);
  });

  it('is not dropped for a seed that the server refuses without a word of where it is kept', async () => {
    await standins.take();
    const refuses = () => {
      throw new Error('no such format');
    };
    const system = systemStandin({ customer1: {} }, {}, { seeded: refuses });
    const error = await failure({ system, replace: true });
    expect(error).toMatchObject({ code: 'restore-failed', message: expect.stringContaining('no such format') });
    expect(error.hint).toContain('server.directories.dumps.root');
  });

  it('that came meanwhile is left alone', async () => {
    await standins.take();
    const system: SystemStandin = server({
      onChange: (statement) => {
        if (statement.startsWith('CREATE DATABASE')) system.databases.customer1 = { lastCommittedTxn: 77 };
      },
    });
    expect(await failure({ system })).toMatchObject({ code: 'restore-failed' });
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 77 });
  });
});

describe('a restore that comes to nothing', () => {
  it.each([
    ['its file was altered', 'stream-broken'],
    ['its file is gone', 'object-not-found'],
  ])('since %s asks nothing of the server', async (how, code) => {
    const { objects: [object] = [] } = await standins.take();
    const path = new URL(object?.location ?? '');
    if (code === 'stream-broken') {
      await writeFile(path, (await readFile(path, 'utf8')).replace('10', '11'));
    } else
      await standins.registry
        .get('shop', 'graph', FIRST)
        .then(() => import('node:fs/promises'))
        .then((fs) => fs.rm(path));
    const system = server();
    expect(await failure({ system }), how).toMatchObject({ code });
    expect(system.asked).toEqual([]);
    expect(await scratch()).toEqual([]);
  });

  it.each<[string, Oddities, Partial<StillpointError>]>([
    ['the server is of another edition', { edition: 'community' }, { code: 'server-unsafe' }],
    ['the server fetches nothing by HTTP', { providers: 'CloudSeedProvider' }, { code: 'server-unsafe' }],
  ])('since %s changes nothing there', async (_, oddities, error) => {
    await standins.take();
    const system = server(oddities);
    expect(await failure({ system })).toMatchObject(error);
    expect(system.changed).toEqual([]);
  });

  it('since the server refuses the seed says so, and removes what it had made', async () => {
    await standins.take();
    const refuses = () => {
      throw new Error('no such format');
    };
    const system = server({ seeded: refuses });
    expect(await failure({ system })).toMatchObject({
      code: 'restore-failed',
      message: 'the server has customer1 offline: Unable to start database: no such format; it had fetched it',
    });
    expect(Object.keys(system.databases)).toEqual(['customer2', 'system']);
  });

  it('since the files are not consistent changes nothing, unless nobody was to look', async () => {
    await standins.take();
    const { objects: [object] = [] } = await standins.recordOf();
    // As a fault of the medium that the record knows of already would be: what is compared fits, what is checked does not.
    const content = JSON.stringify({
      ...JSON.parse(await readFile(new URL(object?.location ?? ''), 'utf8')),
      broken: true,
    });
    await writeFile(new URL(object?.location ?? ''), content);
    const stored = await standins.registry.get('shop', 'graph', FIRST);
    if (stored === undefined || object === undefined) throw new Error('no record');
    const { createHash } = await import('node:crypto');
    const sha256 = createHash('sha256').update(content).digest('hex');
    const bytes = Buffer.byteLength(content);
    const now = { ...object, bytes, sha256, plainBytes: bytes, plainSha256: sha256 };
    await standins.registry.update(stored, { ...stored.record, objects: [now] });
    const system = server();
    expect(await failure({ system })).toMatchObject({
      code: 'tool-failed',
      message: expect.stringContaining('check of customer1'),
    });
    expect(system.changed).toEqual([]);
    expect(await restore({ system, check: false })).toMatchObject({ database: 'customer1' });
  });

  it('since the chain ends before what the record says changes nothing', async () => {
    await standins.take();
    const stored = await standins.registry.get('shop', 'graph', FIRST);
    if (stored === undefined) throw new Error('no record');
    const [database] = stored.record.dump?.databases ?? [];
    if (database === undefined) throw new Error('no database');
    const dump = { tool: '', ...stored.record.dump, databases: [{ ...database, highestTransaction: 11 }] };
    await standins.registry.update(stored, { ...stored.record, dump });
    const system = server();
    expect(await failure({ system })).toMatchObject({ code: 'restore-differs' });
    expect(system.changed).toEqual([]);
  });

  it.each([
    [{}, 'config-invalid', 'has 2 databases, and none is named'],
    [{ only: 'customer9' }, 'backup-not-restorable', 'has no database customer9'],
    [{ only: 'customer1', into: 'system' }, 'config-invalid', 'the database system'],
    [{ only: 'customer1', alias: 'nobody' }, 'database-not-found', 'there is no alias nobody'],
  ])('since it was asked for %j touches nothing', async (which, code, message) => {
    await standins.take({ online: { databases: ['customer?'] } });
    const system = server();
    expect(await failure({ ...which, system })).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(system.changed).toEqual([]);
  });

  it('since it was told to stop removes what it had made', async () => {
    await standins.take();
    const stop = new AbortController();
    // It is never online: the run waits for it.
    const system: SystemStandin = server({
      seeded: () => {
        stop.abort(new StillpointError('interrupted', 'told to stop'));
        throw new Error('');
      },
    });
    expect(await failure({ system, signal: stop.signal })).toMatchObject({ code: 'interrupted' });
    expect(Object.keys(system.databases)).toEqual(['customer2', 'system']);
  });
});
