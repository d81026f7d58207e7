import { describe, expect, it } from 'vitest';
import type { Target } from '../../../../runner/engine';
import { dump } from '../../../../runner/engines/postgres/dump';
import { isClosed, type RestoreRequest } from '../../../../runner/tools/tool';

const target: Target = {
  connection: { host: 'orders-db', port: 5432 } as Target['connection'],
  username: 'backup',
  password: 'hunter2',
  tls: { mode: 'verify-full', ca: 'CA' },
};

/** What psql is given of a dump. */
async function given(what: RestoreRequest, text = 'SELECT 1;\n'): Promise<string> {
  async function* content(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from(text);
  }
  const out: Uint8Array[] = [];
  for await (const chunk of dump.restore?.(target, what).refine?.(content()) ?? content()) out.push(chunk);
  return Buffer.concat(out).toString();
}

describe('the tools of PostgreSQL', () => {
  it.each([
    ['pg_dumpall', dump.dump(target, {}), ['--no-password', "--dbname=dbname='postgres' sslrootcert='/f/ca.crt'"]],
    [
      'pg_dumpall',
      dump.dump(target, { databases: ['a'] }),
      ['--no-password', '--globals-only', "--dbname=dbname='postgres' sslrootcert='/f/ca.crt'"],
    ],
    [
      'pg_dump',
      dump.dump(target, { database: "o'r" }),
      ['--no-password', "--dbname=dbname='o\\'r' sslrootcert='/f/ca.crt'"],
    ],
  ])('%s: the password in the environment, never in the arguments', (program, command, args) => {
    expect([command.program, command.args('/f')]).toEqual([program, args]);
    expect(command).toMatchObject({
      env: { PGHOST: 'orders-db', PGPORT: '5432', PGUSER: 'backup', PGPASSWORD: 'hunter2', PGSSLMODE: 'verify-full' },
      files: { 'ca.crt': 'CA' },
      secrets: ['hunter2'],
    });
    expect(JSON.stringify(command.args('/f'))).not.toContain('hunter2');
  });

  it('some databases one after the other, as pg_dumpall would write them', async () => {
    const runs: unknown[] = [];
    let command = dump.dump(target, { databases: ['orders', 'template1'] }).next;
    for (; command !== undefined; command = command.next) {
      async function* nothing(): AsyncGenerator<Uint8Array, void> {}
      const before: Uint8Array[] = [];
      for await (const chunk of command.refine?.(nothing()) ?? nothing()) before.push(chunk);
      runs.push([command.program, command.args('/f').slice(1, -1), command.closing, `${Buffer.concat(before)}`]);
    }
    expect(runs).toEqual([
      ['pg_dump', ['--create'], '-- PostgreSQL database dump complete', ''],
      ['pg_dump', [], '-- PostgreSQL database dump complete', '\\connect template1\n\n'],
    ]);
  });

  it('psql: stops at the first error; one database in one transaction, which the end of the input does not commit', async () => {
    expect(dump.restore?.(target, {}).args('/f')).toContain('--set=ON_ERROR_STOP=1');
    expect(dump.restore?.(target, {}).args('/f')).toContain('--set=VERBOSITY=terse');
    expect(await given({})).toBe('SELECT 1;\n');
    expect(await given({ database: 'orders' })).toBe('BEGIN;\nSELECT 1;\n\nCOMMIT;\n');
  });

  it.each(['rows', 'a string'])('psql: a dump that ends in the middle of %s is never committed', async (what) => {
    const text = what === 'rows' ? 'COPY t FROM stdin;\n1\n' : "SELECT 'a\n";
    await expect(given({ database: 'orders' }, text)).rejects.toMatchObject({ code: 'restore-failed' });
  });

  it('psql: one database out of a dump of everything, under any name, in one transaction', () => {
    const command = dump.restore?.(target, { outOf: 'orders', database: 'copy' });
    expect(command?.args('/f')).toEqual(expect.arrayContaining([expect.stringContaining("'copy'")]));
  });

  it.each<[tool: string, server: string, unfit: string | undefined]>([
    ['pg_dumpall (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)', '17.6', undefined],
    ['pg_dumpall (PostgreSQL) 17.2', '15.9', undefined],
    [
      'pg_dumpall (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)',
      '17.2',
      'the tool is of PostgreSQL 15, and the server of 17',
    ],
    ['busybox', '17.2', '"busybox" is not what PostgreSQL\'s own tool says of itself'],
  ])('%s for %s', (tool, version, unfit) => {
    expect(dump.unfit(tool, { version })).toBe(unfit);
  });

  it.each<[tool: string, server: string, unreadable: string | undefined]>([
    ['pg_dumpall (PostgreSQL) 17.2', '17.6', undefined],
    ['pg_dumpall (PostgreSQL) 15.14', '17.6', undefined],
    [
      'pg_dumpall (PostgreSQL) 17.2',
      '15.9',
      'the dump was written by the tool of PostgreSQL 17, and the server is of 15',
    ],
    ['', '17.6', undefined],
  ])('what %s has written, into %s', (tool, version, unreadable) => {
    expect(dump.unreadable?.(tool, { version })).toBe(unreadable);
  });

  it.each<[tail: string, closed: boolean]>([
    ['--\n-- PostgreSQL database cluster dump complete\n--\n\n', true],
    ['--\n-- PostgreSQL database cluster dump complete\n--\n\n\\unrestrict abc\n', true],
    ['-- PostgreSQL database cluster dump complete', false],
    ['1\t-- PostgreSQL database cluster dump complete\n', false],
    ['-- PostgreSQL database cluster dump complete\n1\tmore\n', false],
    ['', false],
  ])('the end %j', (tail, closed) => {
    expect(isClosed(tail, '-- PostgreSQL database cluster dump complete')).toBe(closed);
  });
});
