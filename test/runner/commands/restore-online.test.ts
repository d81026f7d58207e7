/**
 * One database of an online backup put back, from the store to the alias. neo4j-admin and the database `system` are stand-ins
 * (test/support says what they are not), the first a real child process; the seed is really served, and fetched, over HTTP.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { saidOf } from '../../../runner/commands/restore-online';
import { StillpointError } from '../../../runner/errors';
import { type SystemStandin, systemStandin } from '../../support/neo4j-system-standin';
import { QuietLog } from '../../support/quiet-log';
import * as restores from './online-restores';
import { server, type Wanted } from './online-restores';
import { FIRST, OnlineStandins, SECOND, THIRD } from './online-standins';

let standins: OnlineStandins;

beforeEach(async () => {
  standins = await OnlineStandins.create();
});
afterEach(() => standins[Symbol.asyncDispose]());

const restore = (wanted?: Wanted) => restores.restore(standins, wanted);
const failure = (wanted: Wanted) => restores.failure(standins, wanted);
const scratch = () => restores.scratch(standins);

const METADATA = `CREATE ROLE \`reader\` IF NOT EXISTS;
CREATE USER \`ann\` IF NOT EXISTS SET ENCRYPTED PASSWORD '1,a,b';
GRANT ROLE \`reader\` TO \`ann\`;
GRANT ACCESS ON DATABASE $database TO \`reader\`;
`;

describe('an online backup that is restored', () => {
  it('is a database of its own name, with all that the backup has, and leaves nothing in the scratch volume', async () => {
    await standins.take();
    const system = server();
    const read: string[] = [];
    const done = { database: 'customer1', version: '2025.10.0', transaction: '10' };
    expect(await restore({ system, read })).toEqual(done);
    expect(read).toEqual([`stillpoint/shop/graph/${FIRST}/customer1-2025-10-07T16-00-01.backup`]);
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
    const log = new QuietLog();
    await restore({ metadata, system, log });
    expect(system.changed.slice(1)).toEqual(statements);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it.each([
    ['roles', ['the backup has no script of users and roles of customer1, and none are made']],
    ['none', []],
  ] as const)('says that there are no users and roles in it, where some were wanted: %s', async (metadata, said) => {
    await standins.take();
    const log = new QuietLog();
    await restore({ metadata, log });
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual(said);
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
  it('is not touched, and no byte is brought for it', async () => {
    await standins.take();
    const system = systemStandin({ customer1: { lastCommittedTxn: 99 } });
    const read: string[] = [];
    const error = await failure({ system, read });
    expect(read).toEqual([]);
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

describe('a database that is good, and what comes after it fails', () => {
  it('stays, with what there is to do', async () => {
    await standins.at('customer1', 10, { metadata: METADATA });
    await standins.take();
    const system = server({
      onChange: (statement) => {
        if (statement.startsWith('GRANT')) throw new StillpointError('privilege-missing', 'may not grant');
      },
    });
    const error = await failure({ system, alias: 'shop', only: 'customer1', into: 'customer1' });
    expect(error).toMatchObject({ code: 'privilege-missing', exitCode: 7 });
    expect(error.hint).toContain('database customer1 is restored and online');
    expect(system.databases.customer1).toEqual({ lastCommittedTxn: 10 });
    expect(system.aliases.shop).toBe('customer2');
  });
});
