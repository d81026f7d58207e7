/** What a plan makes of a server that is not any more what the checks have found. */
import { describe, expect, it } from 'vitest';
import type { PlanResults } from '../../../../runner/engine';
import type { Connection, Row } from '../../../../runner/engines/mysql/connection';
import type { ServerFacts } from '../../../../runner/engines/mysql/facts';
import { MySqlSession } from '../../../../runner/engines/mysql/session';
import { dialectOf } from '../../../../runner/engines/mysql/versions';
import { NO_TARGET } from '../../../../runner/target';

/** The two settings by which a commit is on disk before it is acknowledged. */
type Synced = readonly [syncBinlog: string, innodb: string];

interface Server {
  readonly opening?: Synced;
  readonly now?: Synced;
  /** The server that it replicates from by now. */
  readonly source?: string;
}

const within = { signal: new AbortController().signal, remainingMs: () => 5_000 };

/** Runs a plan up to its cut: what was asked of the server, and what the plan has found out. */
async function frozen(
  options: Readonly<Record<string, string>>,
  { opening = ['1', '1'], now = ['1', '1'], source }: Server,
): Promise<{ readonly asked: readonly string[]; readonly results: PlanResults }> {
  const asked: string[] = [];
  const answers: readonly (readonly [pattern: RegExp, row: Row])[] = [
    [/^SHOW BINARY LOG STATUS/, { File: 'binlog.000007', Position: '157' }],
    [/gtid_executed/, { gtid: 'a:1-5' }],
    [/@@GLOBAL.sync_binlog/, { binlog: now[0], redo: now[1] }],
    [/temp_tables/, { count: '0' }],
    ...(source === undefined
      ? []
      : ([[/^SHOW REPLICA STATUS/, { Source_Host: source, Source_Port: '3306' }]] as const)),
  ];
  const connection = {
    rows: async (_: string, sql: string): Promise<readonly Row[]> => {
      asked.push(sql);
      return answers.filter(([pattern]) => pattern.test(sql)).map(([, row]) => row);
    },
  } as unknown as Connection;
  const [sync_binlog, innodb_flush_log_at_trx_commit] = opening;
  const server = {
    dialect: dialectOf('9.7.4'),
    settings: { log_bin: 'ON', sync_binlog, innodb_flush_log_at_trx_commit },
  } as unknown as ServerFacts;
  const plan = new MySqlSession(connection, server, NO_TARGET).plan({
    id: '20260101000000',
    volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: 'shop', mountPath: '/var/lib/mysql' }],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options,
  });
  for (const step of plan.steps) if (step.kind === 'act') await step.run(within);
  return { asked, results: plan.results() };
}

const FLUSHES = ['FLUSH LOCAL BINARY LOGS', 'FLUSH LOCAL ENGINE LOGS'];

describe('mode global flushes what was acknowledged without being on disk', () => {
  it.each<[what: string, opening: Synced, now: Synced, flushes: boolean]>([
    ['all was synced', ['1', '1'], ['1', '1'], false],
    ['the server never syncs its binary log', ['0', '1'], ['0', '1'], true],
    ['it was told not to sync its binary log while the backup waited', ['1', '1'], ['0', '1'], true],
    ['it was told not to sync its redo log while the backup waited', ['1', '1'], ['1', '2'], true],
    ['it was told to sync while the backup waited: what was committed before is not', ['0', '2'], ['1', '1'], true],
  ])('%s', async (_, opening, now, flushes) => {
    const { asked, results } = await frozen({}, { opening, now });
    const lock = asked.indexOf('FLUSH TABLES WITH READ LOCK');
    expect(asked.slice(lock).filter((sql) => FLUSHES.includes(sql))).toEqual(flushes ? FLUSHES : []);
    expect(results).toMatchObject({ position: { exact: 'true', gtid: 'a:1-5' }, warnings: [] });
  });
});

describe.each(['instance', 'none'])('mode %s', (mode) => {
  it('has a position that the copy has at least, where all is synced', async () => {
    const { asked, results } = await frozen({ mode }, {});
    expect(results).toMatchObject({ position: { mode, exact: 'false', gtid: 'a:1-5' }, warnings: [] });
    expect(asked.filter((sql) => FLUSHES.includes(sql))).toEqual([]);
  });

  it('has none of a server that was told not to sync while the backup waited, and says so', async () => {
    const { results } = await frozen({ mode }, { now: ['0', '1'] });
    expect(results.position).toEqual({ mode, exact: 'false' });
    expect(results.warnings).toEqual([expect.stringMatching(/^sync_binlog or .* the newest commits .* no position$/)]);
  });

  it('says it once where the checks have said it', async () => {
    const { results } = await frozen({ mode }, { opening: ['0', '1'], now: ['0', '1'] });
    expect(results).toMatchObject({ position: { mode, exact: 'false' }, warnings: [] });
  });
});

describe('a server that has become a replica while the backup waited', () => {
  it.each(['global', 'instance', 'none'])('is refused in mode %s', async (mode) => {
    await expect(frozen({ mode }, { source: 'primary-1' })).rejects.toMatchObject({
      code: 'server-changed',
      message: 'since the backup looked at the server it has become a replica of primary-1:3306',
    });
  });

  it('is taken where a replica will do', async () => {
    const { results } = await frozen({ replica: 'allow' }, { source: 'primary-1' });
    expect(results.position).toMatchObject({ source: 'primary-1:3306', exact: 'true' });
  });
});
