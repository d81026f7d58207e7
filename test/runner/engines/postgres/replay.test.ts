import { describe, expect, it } from 'vitest';
import { isLeftOut, withoutRoles } from '../../../../runner/engines/postgres/replay';

const THERE = ['postgres', 'order app', 'a"b'];

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
    ["ALTER ROLE postgres SET work_mem TO '64MB';", false],
    ['GRANT postgres TO orders;', false],
    ['CREATE ROLE postgres IN ROLE x;', false],
  ])('%s is left out: %s', (line, leftOut) => {
    expect(isLeftOut(line, THERE)).toBe(leftOut);
  });
});

async function through(text: string, size: number): Promise<string> {
  async function* content(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
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

  it('without a database goes by to its last byte', async () => {
    expect(await through(`CREATE ROLE postgres;\n${head}-- no newline`, 5)).toBe(`${head}-- no newline`);
  });
});
