import { describe, expect, it } from 'vitest';
import { isLeftOut, withoutRoles } from '../../../../runner/engines/postgres/replay';

const THERE = ['postgres', 'order app', 'a"b', 'größe à'];

describe('a line of the head of a dump of all databases', () => {
  it.each<[string, boolean]>([
    ['CREATE ROLE postgres;', true],
    ['CREATE ROLE "order app";', true],
    ['CREATE ROLE "a""b";', true],
    ['CREATE ROLE orders;', false],
    ['CREATE ROLE postgres2;', false],
    ["ALTER ROLE postgres WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$x';", true],
    ['ALTER ROLE "order app" WITH LOGIN PASSWORD \'SCRAM-SHA-256$x\';', true],
    ["ALTER ROLE orders WITH LOGIN PASSWORD 'SCRAM-SHA-256$x';", false],
    ["ALTER ROLE postgres SET work_mem TO '64MB';", true],
    ["ALTER ROLE postgres IN DATABASE orders SET work_mem TO '64MB';", false],
    ["COMMENT ON ROLE postgres IS 'x';", true],
    ["COMMENT ON ROLE orders IS 'postgres';", false],
    ["SECURITY LABEL FOR selinux ON ROLE postgres IS 'x';", true],
    ['GRANT orders TO postgres;', true],
    ['GRANT "x y" TO "order app" WITH INHERIT TRUE GRANTED BY postgres;', true],
    ['GRANT postgres TO orders;', false],
    ['GRANT postgres TO orders GRANTED BY postgres;', false],
    ['GRANT ALL ON PARAMETER work_mem TO postgres;', true],
    ['GRANT SET, ALTER SYSTEM ON PARAMETER work_mem TO postgres WITH GRANT OPTION;', true],
    ['GRANT ALL ON TABLESPACE fast TO postgres;', false],
    ['CREATE ROLE postgres IN ROLE x;', false],
  ])('%s is left out: %s', (line, leftOut) => {
    expect(isLeftOut(line, THERE)).toBe(leftOut);
  });
});

async function through(text: string, size: number): Promise<string> {
  const bytes = Buffer.from(text);
  async function* content(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const out: Uint8Array[] = [];
  for await (const chunk of withoutRoles(content(), THERE)) out.push(chunk);
  return Buffer.concat(out).toString();
}

describe('a dump of all databases', () => {
  const head = 'CREATE ROLE orders;\n';
  const rows = '\\connect template1\nCOPY t FROM stdin;\nCREATE ROLE postgres;\n\\.\n';

  it.each([1, 7, 40, 10_000])('is cut at no chunk of %i bytes, and only its head is touched', async (size) => {
    expect(await through(`CREATE ROLE postgres;\n${head}${rows}`, size)).toBe(`${head}${rows}`);
  });

  it.each([1, 9, 10_000])(
    'leaves all lines of a statement out, and none of the next (in chunks of %i bytes)',
    async (size) => {
      const more =
        "COMMENT ON ROLE postgres IS 'one\nCREATE ROLE orders;\n';\nALTER ROLE postgres SET search_path TO 'a\n', b;\n";
      expect(await through(`${more}${head}${rows}`, size)).toBe(`${head}${rows}`);
    },
  );

  it('knows a role by a name in any alphabet, and a last statement without the end of its line', async () => {
    const dump = 'CREATE ROLE "größe à";\n';
    expect(await through(`${dump}${head}CREATE ROLE postgres;`, 3)).toBe(head);
  });

  it('without a database goes by to its last byte', async () => {
    expect(await through(`CREATE ROLE postgres;\n${head}-- no newline`, 5)).toBe(`${head}-- no newline`);
  });
});
