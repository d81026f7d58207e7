/** A real PostgreSQL dumped by its own tools, and what comes back: one database, some or all; and what would stop a dump. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Target } from '../../runner/engine';
import { dump as tools } from '../../runner/engines/postgres/dump';
import { dump } from '../../runner/pipe/dump';
import { restore } from '../../runner/pipe/restore';
import { QuietLog } from '../support/quiet-log';
import { CLIENTS, contentOf, options, queryOn, stored, targetOf } from './postgres-dump-fixture';
import { PostgresServer } from './postgres-server';

const ROWS = 50_000;

describe.skipIf(CLIENTS === undefined)('a real PostgreSQL by its own tools, where the machine has them', () => {
  let server: PostgresServer;
  const target = (password?: string): Target => targetOf(server, password);
  const query = (database: string, sql: string): Promise<readonly unknown[]> => queryOn(server, database, sql);

  async function comeBack(bytes: Buffer, passed: Awaited<ReturnType<typeof dump>>, database: string): Promise<void> {
    const command = tools.restore?.(target(), { database });
    if (command === undefined) throw new Error('no tool reads dumps');
    await restore(command, contentOf(bytes), passed, options);
  }

  beforeAll(async () => {
    server = await PostgresServer.create({ version: 14 });
    await query('postgres', 'create database orders');
    await query('postgres', 'create database copy');
    await query('postgres', 'create database broken');
    await query('orders', `create table t as select n, md5(n::text) as word from generate_series(1, ${ROWS}) n`);
  });
  afterAll(() => server?.remove());

  it('one database goes out by pg_dump and comes back by psql; with other bytes nothing of it does', async () => {
    const passed = await dump(tools.dump(target(), { database: 'orders' }), stored, options);
    await comeBack(passed.stored, passed, 'copy');
    const sum = "select count(*)::int as rows, md5(string_agg(word, ',' order by n)) as words from t";
    expect(await query('copy', sum)).toEqual(await query('orders', sum));
    expect(await query('copy', sum)).toMatchObject([{ rows: ROWS }]);

    // Every byte is right, and the record is of another dump: psql has had all rows by then, and may not commit.
    const other = { ...passed, plainSha256: passed.storedSha256 };
    await expect(comeBack(passed.stored, other, 'broken')).rejects.toMatchObject({ code: 'stream-broken' });
    expect(await query('broken', "select to_regclass('t') as found")).toEqual([{ found: null }]);
  });

  it('the whole cluster goes out by pg_dumpall, to its closing line', async () => {
    const passed = await dump(tools.dump(target(), {}), stored, { ...options, compression: 'none' });
    expect(String(passed.stored)).toContain('\\connect orders');
    expect(String(passed.stored)).toContain('-- PostgreSQL database cluster dump complete');
  });

  it('the whole cluster comes back into an empty one, whose own login stays; and into no other', async () => {
    await query('postgres', "create role app login password 'app-secret-7'");
    await query('orders', 'alter table t owner to app');
    // Not older than the tool: what that writes an older server does not read.
    const copy = await PostgresServer.create({ version: 17 });
    onTestFinished(() => copy.remove());
    await copy.query("create role reader login password 'of-the-copy-9'");
    // As a new database has it: an administrator with another password than that of the original.
    await copy.query("alter role postgres password 'of-the-copy-8'");
    // And a role that who set it up has made: it stays as it is.
    await query('postgres', "create role reader login password 'of-the-original-9'");
    onTestFinished(async () => void (await query('postgres', 'drop role reader')));
    await query('postgres', "alter role reader set work_mem to '77MB'");
    await query('postgres', "comment on role reader is 'two\nlines; of the original'");
    await query('postgres', 'grant app to reader');
    await query('postgres', "alter role app set work_mem to '66MB'");
    const passed = await dump(tools.dump(target(), {}), stored, options);
    const there: Target = {
      ...target('of-the-copy-8'),
      connection: { host: copy.host, port: copy.port } as Target['connection'],
    };
    const [log, { signal }] = [new QuietLog(), options];
    const empty = await tools.destination?.(there, {}, log, signal);
    expect(empty?.holds).toEqual([]);
    expect(empty?.logins).toContain('postgres');
    const command = tools.restore?.(there, { destination: empty });
    if (command === undefined) throw new Error('no tool reads dumps');
    await restore(command, contentOf(passed.stored), passed, options);

    expect((await tools.destination?.(there, {}, log, signal))?.holds).toEqual(
      expect.arrayContaining(['database copy', 'database orders']),
    );
    const reader = { ...there, username: 'reader', password: 'of-the-copy-9' };
    await expect(tools.destination?.(reader, { database: 'orders' }, log, signal)).resolves.toBeDefined();
    const role = `select rolname, rolconfig, shobj_description(oid, 'pg_authid') as comment,
      array(select roleid::regrole::text from pg_auth_members where member = r.oid) as groups
      from pg_roles r where rolname in ('app', 'reader') order by 1`;
    expect(await queryOn(copy, 'postgres', role, 'of-the-copy-8')).toEqual([
      { rolname: 'app', rolconfig: ['work_mem=66MB'], comment: null, groups: [] },
      // Nothing of what the dump says of it: it was there.
      { rolname: 'reader', rolconfig: null, comment: null, groups: [] },
    ]);
    const as = { ...there, username: 'app', password: 'app-secret-7' };
    const one = await tools.destination?.(as, { database: 'orders' }, log, signal);
    expect(one?.holds).toEqual(['relation t']);
    await expect(restore(command, contentOf(passed.stored), passed, options)).rejects.toMatchObject({
      code: 'tool-failed',
    });
  });

  it('one database comes out of the dump of everything, under another name, into what was empty', async () => {
    const { destination, createDatabase, restore: reading } = tools;
    if (destination === undefined || createDatabase === undefined || reading === undefined)
      throw new Error('no restore');
    const { signal } = options;
    const holds = async (database: string): Promise<readonly string[]> =>
      (await destination(target(), { database }, options.log, signal)).holds;
    await query(
      'orders',
      `create function f() returns text language sql as $f$ select '
\\connect postgres
-- PostgreSQL database dump complete
'::text $f$`,
    );
    const everything = await dump(tools.dump(target(), {}), stored, options);
    await createDatabase(target(), 'other', options.log, signal);
    expect(await holds('other')).toEqual([]);
    async function* content(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < everything.stored.length; at += 1000) yield everything.stored.subarray(at, at + 1000);
    }
    await restore(reading(target(), { outOf: 'orders', database: 'other' }), content(), everything, options);
    const all = "select count(*)::int as rows, md5(string_agg(word, ',' order by n)) as words, f() as text from t";
    expect(await query('other', all)).toEqual(await query('orders', all));
    expect(await holds('other')).toEqual(['function f()', 'relation t']);
    // The server as a whole is not empty.
    expect((await destination(target(), {}, options.log, signal)).holds).toContain('database orders');
  });

  describe('some databases one by one', () => {
    const NAMES = ['orders', 'o"d d\'s', 'postgres'];
    beforeAll(async () => {
      await query('postgres', 'create database "o""d d\'s"');
      await query('o"d d\'s', 'create table odd as select 4711 as n');
      await query('postgres', 'create table mine as select 4712 as n');
      await query('postgres', "create role keeper login password 'keeper-secret-3'");
    });
    afterAll(async () => {
      await query('postgres', 'drop table mine');
      await query('postgres', 'drop role keeper');
    });

    it('go out with the roles, and come back, all or one, into a server that had neither', async () => {
      const passed = await dump(tools.dump(target(), { databases: NAMES }), stored, options);
      const copy = await PostgresServer.create({ version: 17 });
      onTestFinished(() => copy.remove());
      const there = { ...target(), connection: { host: copy.host, port: copy.port } as Target['connection'] };
      const [log, { signal }] = [new QuietLog(), options];
      const on = (database: string, sql: string): Promise<readonly unknown[]> => queryOn(copy, database, sql);

      // One of them, on a server that has others' things.
      await tools.createDatabase?.(there, 'single', log, signal);
      const one = tools.restore?.(there, { outOf: 'o"d d\'s', database: 'single' });
      if (one === undefined) throw new Error('no tool reads dumps');
      await restore(one, contentOf(passed.stored), passed, options);
      expect(await on('single', 'select n from odd')).toEqual([{ n: 4711 }]);
      expect(await on('single', "select to_regclass('t') as found")).toEqual([{ found: null }]);
      await on('postgres', 'drop database single');

      const destination = await tools.destination?.(there, {}, log, signal);
      expect(destination?.holds).toEqual([]);
      const all = tools.restore?.(there, { destination });
      if (all === undefined) throw new Error('no tool reads dumps');
      await restore(all, contentOf(passed.stored), passed, options);
      expect(await on('orders', 'select count(*)::int as rows from t')).toEqual([{ rows: ROWS }]);
      expect(await on('o"d d\'s', 'select n from odd')).toEqual([{ n: 4711 }]);
      expect(await on('postgres', 'select n from mine')).toEqual([{ n: 4712 }]);
      expect(await on('postgres', "select count(*)::int as found from pg_roles where rolname = 'keeper'")).toEqual([
        { found: 1 },
      ]);
      expect(await on('postgres', "select count(*)::int as found from pg_database where datname = 'copy'")).toEqual([
        { found: 0 },
      ]);
    });

    it('fail as a whole where one of them fails', async () => {
      const missing = dump(tools.dump(target(), { databases: ['orders', 'nobody'] }), stored, options);
      await expect(missing).rejects.toMatchObject({
        code: 'tool-failed',
        message: expect.stringMatching(/^pg_dump ended with exit code 1, .*database "nobody" does not exist/),
      });
    });

    it('and what would stop a tool is found beforehand, by name', async () => {
      const of = async (who: Target, databases: readonly string[]): Promise<readonly unknown[]> =>
        ((await tools.unseen?.(who, { databases }, options.signal)) ?? []).map(({ code, message }) => ({
          code,
          message,
        }));
      expect(await of(target(), NAMES)).toEqual([]);
      expect(await of(target(), ['nobody', 'template0'])).toEqual([
        { code: 'config-invalid', message: 'the server has no database nobody, and the policy names it' },
        { code: 'config-invalid', message: 'database template0 lets nobody connect, and the policy names it' },
      ]);
      await query('postgres', 'revoke connect on database broken from public');
      const keeper = { ...target('keeper-secret-3'), username: 'keeper' };
      expect(await of(keeper, ['o"d d\'s', 'broken'])).toEqual([
        {
          code: 'privilege-missing',
          message: 'user keeper may not read the roles of the server with their passwords',
        },
        {
          code: 'privilege-missing',
          message: 'user keeper may not read all of public.odd in database o"d d\'s',
        },
        { code: 'privilege-missing', message: 'user keeper may not connect to database broken' },
      ]);
      // It may read the table, and not all of its rows.
      await query('o"d d\'s', 'grant select on odd to keeper');
      expect(await of(keeper, ['o"d d\'s'])).toHaveLength(1);
      await query('o"d d\'s', 'alter table odd enable row level security');
      onTestFinished(async () => {
        await query('o"d d\'s', 'alter table odd disable row level security');
        await query('o"d d\'s', 'revoke select on odd from keeper');
      });
      expect(await of(keeper, ['o"d d\'s'])).toHaveLength(2);
    });
  });

  it('a login that is refused fails, with the words of the tool and without the password', async () => {
    const refused = dump(tools.dump(target('wrong-hunter2'), {}), stored, options);
    await expect(refused).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringMatching(/^pg_dumpall ended with exit code 1, and said ".*password authentication failed/),
    });
    await expect(refused).rejects.not.toThrow('hunter2');
  });
});
