/** What neo4j-admin is told of files, by version, and what it says of them. */
import { describe, expect, it } from 'vitest';
import { NO_TARGET } from '../../../../runner/engine';
import { dump, isModern, nameOf, withoutProgress } from '../../../../runner/engines/neo4j/dump';
import { dumpOf } from '../../../../runner/engines/neo4j/dump-head';
import { factsIn, foldersOf, occupied } from '../../../../runner/engines/neo4j/stored-files';
import type { StoredDatabase, StoredFiles, ToolCommand } from '../../../../runner/tools/tool';

const files = dump.files as StoredFiles;

function told(make: (what: StoredDatabase) => ToolCommand | undefined, toolSays: string): string {
  const command = make({ directory: '/data', database: 'orders', toolSays });
  expect(command?.env).toEqual({ NEO4J_CONF: '/data/.stillpoint' });
  return [command?.program, ...(command?.args('/tmp/x') ?? [])].join(' ');
}

const LINES: readonly [
  what: string,
  make: (what: StoredDatabase) => ToolCommand | undefined,
  old: string,
  modern: string,
][] = [
  [
    'dump',
    (what) => dump.dump(NO_TARGET, what),
    'neo4j-admin dump --database=orders --to=-',
    'neo4j-admin database dump --to-stdout orders',
  ],
  [
    'load',
    (what) => dump.restore?.(NO_TARGET, { ...what, readerSays: what.toolSays }),
    'neo4j-admin load --database=orders --from=- --force',
    'neo4j-admin database load --from-stdin --overwrite-destination=true orders',
  ],
  [
    'look',
    (what) => files.look(what),
    'neo4j-admin store-info --structured /data/databases/orders',
    'neo4j-admin database info --format=json orders',
  ],
  [
    'check',
    (what) => files.check(what),
    'neo4j-admin check-consistency --database=orders --report-dir=/data/.stillpoint/logs',
    'neo4j-admin database check --report-path=/data/.stillpoint/logs --max-off-heap-memory=30% orders',
  ],
  ['complete', (what) => files.complete(what).command, 'neo4j console', 'neo4j console'],
];

describe('the tool', () => {
  it.each(LINES)('is told to %s by the words of its version', (_, make, old, modern) => {
    expect(told(make, '4.4.44')).toBe(old);
    for (const version of ['5.0.0', '5.26.30', '2025.01.0', '2025.10.1']) expect(told(make, version)).toBe(modern);
  });

  it.each([
    ['3.5.35', false],
    ['4.3.23', false],
    ['4.4.44', true],
    ['neo4j-admin 5.26.30', true],
    ['2025.01.0', true],
    ['bash: neo4j-admin: not found', false],
  ])('that says "%s" is fit: %s', (says, fit) => {
    expect(dump.unfit(says, { version: '' }) === undefined).toBe(fit);
  });

  it('of an unknown version is told nothing', () => {
    expect(() => isModern('4.3.23')).toThrow('neo4j-admin says "4.3.23", and 4.4 and 5 or later are known');
  });

  it.each(['*', 'neo?j', '--verbose', 'a b', 'Orders', 'ab', '../x', ''])('is given no name like "%s"', (name) => {
    expect(() => nameOf(name)).toThrow('is no name of a Neo4j database');
  });

  it('dumps no server', () => {
    expect(() => dump.dump(NO_TARGET, { database: 'neo4j', toolSays: '5.26.30' })).toThrow('none are named');
  });

  it('has said what went wrong, not how far it was', () => {
    const said = [
      "2026-11-26 18:42:16.096+0000 INFO  [o.n.c.d.DumpCommand] Starting dump of database 'neo4j'",
      '',
      'Files: 1/36, data:  0.0%\rFiles: 36/36, data: 100.0%',
      'Done: 36 files, 258.1MiB processed in 1.238 seconds.',
      '....................  30%',
      "Dump failed for databases: 'neo4j'",
      "Run with '--verbose' for a more detailed error message.",
    ];
    expect(withoutProgress(said.join('\n')).split('\n').filter(Boolean)).toEqual([said[0], said[5]]);
  });
});

describe('what the tool says of files', () => {
  // As 5.26.30 has said it of a store whose server was killed, and of the same when one had been started and ended.
  const said = (transaction: string, recovery: string): string =>
    `{"databaseName":"neo4j","inUse":"false","storeFormat":"record-aligned-1.1","storeFormatIntroduced":"5.0.0","storeFormatSuperseded":null,"lastCommittedTransaction":"${transaction}","recoveryRequired":"${recovery}"}`;

  it.each([
    [said('3', 'true'), { incomplete: true, position: { transaction: '3' } }],
    [said('9', 'false'), { incomplete: false, position: { transaction: '9' } }],
  ])('%s is understood', (answer, facts) => expect(factsIn(answer)).toEqual(facts));

  it.each([said('-1', 'true'), said('9', 'null'), '[]', '', 'Store needs recovery: false', 'null'])(
    '%s is not',
    (answer) => {
      expect(() => factsIn(answer)).toThrow('which is not understood');
    },
  );
});

describe('a data directory', () => {
  it.each([
    [['lost+found'], [], []],
    [['databases', 'transactions', '.stillpoint'], [], []],
    [['databases', 'transactions'], ['databases/neo4j'], ['the database neo4j']],
    [['databases', 'server_id', 'dbms'], [], ['dbms', 'server_id']],
  ])('with %j, of the database %j, holds %j', (top, folders, holds) => {
    expect(occupied('neo4j', { top, folders })).toEqual(holds);
  });

  it('has the log of a database before its store', () => {
    expect(foldersOf('neo4j')).toEqual(['transactions/neo4j', 'databases/neo4j']);
  });
});

describe('the head of a dump', () => {
  async function through(...chunks: readonly string[]): Promise<string> {
    async function* content(): AsyncGenerator<Uint8Array, void> {
      for (const chunk of chunks) yield Buffer.from(chunk);
    }
    const out: Uint8Array[] = [];
    for await (const chunk of dumpOf(content())) out.push(chunk);
    return Buffer.concat(out).toString();
  }

  it.each([[['DZV1abc', 'def']], [['D', 'ZV', '1abc', 'def']], [['DGV1abcdef']]])('is found in %j', async (chunks) => {
    expect(await through(...chunks)).toBe(chunks.join(''));
  });

  it.each([[[]], [['DZV']], [['2026-11-26 INFO', 'DZV1']]])('is missing in %j', async (chunks) => {
    await expect(through(...chunks)).rejects.toMatchObject({ code: 'tool-failed' });
  });
});
