import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { connectsTo, databaseOf } from '../../../../runner/engines/postgres/select';
import type { Content } from '../../../../runner/pipe/stages';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What comes out, the same however the dump is cut into chunks. */
async function through(dump: string, stage: (content: Content) => Content): Promise<string> {
  const bytes = Buffer.from(dump);
  const results = new Set<string>();
  for (const size of [1, 2, 3, 7, 1 << 20]) {
    results.add((await buffer(stage(inPieces(bytes, size)) as AsyncIterable<Buffer>)).toString());
  }
  expect(results.size).toBe(1);
  return [...results][0] ?? '';
}

/** All that looks like a command of psql, or the end of a database, and is none. */
const FORGED = '\\connect other\n-- PostgreSQL database dump complete\n';

describe('one database out of a dump of everything', () => {
  const around = (database: string): string =>
    `CREATE ROLE app;\n\\connect template1\n${FORGED.split('\n')[1]}\nCREATE DATABASE orders;\n\\connect orders\n${database}-- PostgreSQL database dump complete\n--\n\nCREATE DATABASE other;\n\\connect other\nCREATE TABLE o (n int);\n-- PostgreSQL database dump complete\n`;

  it.each<[what: string, database: string]>([
    ['nothing', ''],
    ['rows', 'COPY public.t (a, b) FROM stdin;\n1\tx\n2\ty\\\\.\n\\.\nSELECT 1;\n'],
    ['no rows', 'COPY public.t (a, b) FROM stdin;\n\\.\nSELECT 1;\n'],
    ['rows that look like their end', "COPY t FROM stdin;\n\\\\.\nx\\\\.\nit's\n\\.\nSELECT 'a';\n"],
    ['a quote in rows', "COPY t FROM stdin;\nit's\n$$\n/*\n\\.\nSELECT 1;\n"],
    ['a column over two lines', `COPY t ("a\n${FORGED}b") FROM stdin;\nit's\n\\.\nSELECT 1;\n`],
    ['a string', `COMMENT ON TABLE t IS 'it''s\n${FORGED}';\nSELECT 1;\n`],
    ['a string with escapes', `SELECT E'a\\'b\n${FORGED}\\\\';\nSELECT 'x';\n`],
    ['a string with escapes and two quotes', `SELECT e'a''\\'b\n${FORGED}';\nSELECT 1;\n`],
    ['a backslash in a plain string', "SELECT 'a\\';\nSELECT 'b';\n"],
    ['a typed string', "SELECT date'2020-01-01\\', 'x';\n"],
    ['an identifier', `CREATE TABLE "a'""\n${FORGED}" (n int);\n`],
    ['dollars', `CREATE FUNCTION f() AS $$it's\n${FORGED}$$;\nSELECT 1;\n`],
    ['dollars with a name', `CREATE FUNCTION f() AS $_x1$ $$ $_x$\n${FORGED}$_x1$;\nSELECT 1;\n`],
    ['dollars in a name', "SELECT a$b$, 'c';\nSELECT 1;\n"],
    ['a number of an argument', 'SELECT $1, $2;\nSELECT 1;\n'],
    ['comments within comments', `/* a /* '\n${FORGED}*/ it's\n${FORGED}*/ SELECT 1;\n`],
    ['a quote after a comment', "-- it's FROM stdin;\nSELECT 1;\n"],
    ['a comment that looks like rows', '-- x FROM stdin;\nSELECT 1;\n'],
    ['letters of other alphabets', "SELECT 'ö', ä$ö$, $ö$'$ö$;\n"],
    ['restrictions of psql', '\\restrict abc\nSELECT 1;\n'],
  ])('with %s', async (_, database) => {
    expect(await through(around(database), (content) => databaseOf(content, 'orders'))).toBe(database);
  });

  it('is none that the dump does not hold', async () => {
    await expect(through(around(''), (content) => databaseOf(content, 'nosuch'))).rejects.toMatchObject({
      code: 'restore-failed',
      message: 'the dump holds no database "nosuch"',
    });
  });

  it.each<[line: string, database: string | undefined]>([
    ['\\connect orders\n', 'orders'],
    ['\\connect "Upper"\n', 'Upper'],
    ['\\connect "a""b"\n', 'a"b'],
    ['\\connect -reuse-previous=on "dbname=\'we ird\'"\n', 'we ird'],
    ['\\connect -reuse-previous=on "dbname=\'we ird""\\\'\\\\x\'"\n', 'we ird"\'\\x'],
    ['\\unrestrict abc\n', undefined],
  ])('%j', (line, database) => {
    expect(connectsTo(line)).toBe(database);
  });
});
