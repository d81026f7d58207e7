/** Where a dump of PostgreSQL is restored: what a forged one cannot do there, and what makes a database one that is not empty. */
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Target } from '../../runner/engine';
import { dump as tools } from '../../runner/engines/postgres/dump';
import { StillpointError } from '../../runner/errors';
import { dump } from '../../runner/pipe/dump';
import { restore } from '../../runner/pipe/restore';
import { CLIENTS, contentOf, options, queryOn, stored, targetOf } from './postgres-dump-fixture';
import { PostgresServer } from './postgres-server';

describe.skipIf(CLIENTS === undefined)('a real PostgreSQL by its own tools, where the machine has them', () => {
  let server: PostgresServer;
  const target = (password?: string): Target => targetOf(server, password);
  const query = (database: string, sql: string): Promise<readonly unknown[]> => queryOn(server, database, sql);

  beforeAll(async () => {
    server = await PostgresServer.create({ version: 14 });
  });
  afterAll(() => server?.remove());

  describe('a forged dump runs no program where it is restored:', () => {
    // In PostgreSQL's older way to write strings a backslash hides the quote: to psql the command is outside of it.
    const hidden = "SET standard_conforming_strings = off;\nSELECT '\\'' \\! touch MARK\n--';\n";
    const forged = {
      'a command of its own': '\\! touch MARK\n',
      'a program for an output': 'SELECT 1 \\g |touch MARK\n',
      'a program for a name': '\\connect `touch MARK`\n',
      'a program in a variable': '\\set x `touch MARK`\n',
      'a command behind the end of rows': 'CREATE TEMP TABLE x (a text);\nCOPY x FROM stdin;\na\n\\.\n\\! touch MARK\n',
    };
    const mark = join(tmpdir(), `stillpoint-mark-${process.pid}`);
    afterEach(() => rmSync(mark, { force: true }));

    const given = async (text: string, readerSays: string): Promise<unknown> => {
      const passed = await dump(
        { program: 'cat', args: () => [], env: {}, files: {}, secrets: [], refine: () => contentOf(Buffer.from(text)) },
        stored,
        options,
      );
      const command = tools.restore?.(target(), { database: 'postgres', readerSays });
      if (command === undefined) throw new Error('no tool reads dumps');
      return await restore(command, contentOf(passed.stored), passed, options).catch((error: unknown) => error);
    };
    const says = {
      'a psql that can be restricted': 'psql (PostgreSQL) 15.18',
      'one that cannot': 'psql (PostgreSQL) 15.2',
    };

    it.each(
      Object.entries(says).flatMap(([who, version]) =>
        Object.entries(forged).map(([what, text]) => [what, who, text, version] as const),
      ),
    )('%s, %s', async (_what, _who, text, version) => {
      expect(await given(text.replaceAll('MARK', mark), version)).toBeInstanceOf(StillpointError);
      expect(existsSync(mark)).toBe(false);
    });

    it('what looks like a string from outside, since psql itself is restricted', async () => {
      expect(await given(hidden.replaceAll('MARK', mark), says['a psql that can be restricted'])).toMatchObject({
        code: 'tool-failed',
        message: expect.stringContaining('backslash commands are restricted'),
      });
      expect(existsSync(mark)).toBe(false);
      // Of one that cannot be it is known, and said in a warning.
      await given(hidden.replaceAll('MARK', mark), says['one that cannot']);
      expect(existsSync(mark)).toBe(true);
    });
  });

  it.each([
    ['relation t', 'create table t ()'],
    ['type mood', "create type mood as enum ('a')"],
    ['type pair', 'create type pair as (a int, b int)'],
    ['type small', 'create domain small as int'],
    ['function f()', "create function f() returns int language sql as 'select 1'"],
    ['schema shop', 'create schema shop'],
    ['operator ===(integer,integer)', 'create operator === (function = int4eq, leftarg = int, rightarg = int)'],
    ['collation german', 'create collation german from "C"'],
    ['publication p', 'create publication p'],
    ['large object 4711', 'select lo_create(4711)'],
  ])('%s, and nothing else, makes a database one that is not empty', async (what, sql) => {
    await query('postgres', 'create database filled');
    onTestFinished(async () => void (await query('postgres', 'drop database filled')));
    const holds = async (): Promise<readonly string[] | undefined> =>
      (await tools.destination?.(target(), { database: 'filled' }, options.log, options.signal))?.holds;
    expect(await holds()).toEqual([]);
    await query('filled', sql);
    expect(await holds()).toEqual([what]);
  });
});
