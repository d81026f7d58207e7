import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { restricts, withoutCommands } from '../../../../runner/engines/postgres/commands';

/** What psql gets of a dump, however it is cut into chunks. */
async function through(dump: string, restricted = false): Promise<string> {
  const bytes = Buffer.from(dump);
  const results = new Set<string>();
  for (const size of [1, 5, 1 << 20]) {
    async function* content(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const out = (await buffer(withoutCommands(content(), restricted) as AsyncIterable<Buffer>)).toString();
    results.add(out.replaceAll(/restrict [0-9a-f]{48}\n/g, 'restrict KEY\n'));
  }
  expect(results.size).toBe(1);
  return [...results][0] ?? '';
}

describe('what psql gets of a dump', () => {
  it.each([
    ['SQL', "CREATE TABLE t (a text);\nSELECT E'\\\\x', '\\', $$\n\\! echo\n$$;\n"],
    ['rows', 'COPY t (a) FROM stdin;\n\\! echo\n\\N\n\\.\nSELECT 1;\n'],
    ['comments', '-- \\! echo\n/* \\! echo\n\\! echo */ SELECT 1;\n'],
    ['names', 'SELECT "a\\b\n\\! echo";\n'],
    ['a last line without its end', 'SELECT 1;\n-- end'],
  ])('%s as they are', async (_, dump) => {
    expect(await through(dump)).toBe(dump);
  });

  it.each([
    ['\\!', '\\! touch /tmp/x\n'],
    ['\\!', 'SELECT 1;\n\\! touch /tmp/x'],
    ['\\!', 'SELECT 1 \\! touch /tmp/x\n'],
    ['\\!', "SELECT 'a\nb' \\! touch /tmp/x\n"],
    ['\\g', 'SELECT 1 \\g |touch /tmp/x\n'],
    ['\\copy', '\\copy t from program x\n'],
    ['\\i', '\\i /etc/passwd\n'],
    ['\\set', '\\set x `touch /tmp/x`\n'],
    ['\\encoding', '\\encoding `touch /tmp/x`\n'],
    ['\\encoding', '\\encoding UTF8\n'],
    ['\\restrict', '\\restrict `touch /tmp/x`\n'],
    ['\\connect', "\\connect -reuse-previous=on \"dbname='a' host='evil'\"\n"],
  ])('no command %s: %j', async (name, dump) => {
    await expect(through(dump)).rejects.toMatchObject({
      code: 'restore-failed',
      message: `the dump holds a command for psql (${name}), as no dump does`,
    });
  });

  it.each([
    ['\\connect orders\n', "dbname='orders'"],
    ['\\connect "Or""d \'x"\n', "dbname='Or\"\"d \\'x'"],
    ['\\connect -reuse-previous=on "dbname=\'a=b\'"\n', "dbname='a=b'"],
    // To psql these would be a host, or a program; here they are names, and of no database.
    ['\\connect a b evil\n', "dbname='a b evil'"],
    ['\\connect `touch /tmp/x`\n', "dbname='`touch /tmp/x`'"],
    ['\\connect host=evil\n', "dbname='host=evil'"],
    ['\\connect postgres://evil/x\n', "dbname='postgres://evil/x'"],
  ])('%j as a name alone', async (dump, value) => {
    expect(await through(dump)).toBe(`\\connect -reuse-previous=on "${value}"\n`);
  });

  it('names of databases byte for byte, as pg_dump asks for it where they are not plain', async () => {
    expect(await through('\\encoding SQL_ASCII\n')).toBe('\\encoding SQL_ASCII\n');
    expect(await through('\\encoding SQL_ASCII\n', true)).toBe(
      '\\restrict KEY\n\\unrestrict KEY\n\\encoding SQL_ASCII\n\\restrict KEY\n',
    );
  });

  it('under a key of our own, which only connecting is let out of', async () => {
    const dump =
      '\\restrict abc\nSELECT 1;\n\\unrestrict abc\n\\connect a\n\\restrict def\nSELECT 2;\n\\unrestrict def\n';
    expect(await through(dump, true)).toBe(
      '\\restrict KEY\nSELECT 1;\n\\unrestrict KEY\n\\connect -reuse-previous=on "dbname=\'a\'"\n\\restrict KEY\nSELECT 2;\n',
    );
  });

  it.each([
    ['psql (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', true],
    ['psql (PostgreSQL) 15.13', false],
    ['psql (PostgreSQL) 17.6', true],
    ['psql (PostgreSQL) 17beta1', false],
    ['psql (PostgreSQL) 18.0', true],
    ['psql (PostgreSQL) 19beta1', true],
    ['psql (PostgreSQL) 12.22', false],
    ['', false],
  ])('%s can be kept from all others by itself: %s', (says, can) => {
    expect(restricts(says)).toBe(can);
  });
});
