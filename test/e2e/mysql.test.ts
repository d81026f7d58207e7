/**
 * Exact means exact: under write load, with the servers' default settings, the restored copy holds the rows and the
 * position of the record, no more and no less. LEDGER_RUNS says how often each is tried (`npm run soak`: 20).
 */

import { MySqlMode } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { type SqlClient, sqlLedger } from '../ledger/sql';
import { compareLedger, LedgerWriter } from '../ledger/writer';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { startMySql, startMySqlOnClaims, type TestMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyMySqlPolicy, type TestPolicy } from './harness/policy';
import { stillpoint } from './harness/stillpoint';

const RUNS = Number(process.env.LEDGER_RUNS ?? '3');

/** How many transactions a server has in its binary log, as MySQL or MariaDB counts them. */
async function transactions(client: SqlClient, mariadb: boolean): Promise<{ readonly gtid: string; count: number }> {
  const variable = mariadb ? '@@GLOBAL.gtid_binlog_pos' : '@@GLOBAL.gtid_executed';
  const { rows } = await client.query(`SELECT ${variable} AS gtid`);
  const gtid = String(rows[0]?.gtid).replaceAll('\n', '');
  return { gtid, count: Number(gtid.split('-').at(-1)) };
}

describe.each(['mariadb:11.8', 'mysql:9'] as const)('%s', (image) => {
  const mariadb = image.startsWith('mariadb');
  let namespace: TestNamespace;
  let server: TestMySql;

  beforeAll(async () => {
    namespace = await makeNamespace(mariadb ? 'mariadb' : 'mysql');
    server = await startMySql({ namespace: namespace.name, image });
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  /** Begins a new ledger. */
  async function startLedger(): Promise<LedgerWriter> {
    const admin = await server.connect();
    await admin.query('DROP TABLE IF EXISTS ledger');
    await admin.end();
    return await LedgerWriter.start({ connect: async () => sqlLedger(await server.connect()), now: Date.now });
  }

  /** A backup under load, and a server of the user's own on what was restored of it. */
  async function backupAndRestore(policy: TestPolicy): Promise<{
    readonly record: BackupRecord;
    readonly ledger: LedgerWriter;
    readonly copy: SqlClient;
    /** Transactions of the original that are no rows of the ledger. */
    readonly others: number;
  }> {
    const admin = await server.connect();
    onTestFinished(async () => void (await admin.end()));
    const ledger = await startLedger();
    await ledger.more(100);
    const record = succeeded(await takeBackup(policy));
    await ledger.more(20);
    await ledger.stop();
    const others = (await transactions(admin, mariadb)).count - (await sqlLedger(admin).numbers()).length;

    const name = uniqueName('copy');
    const backup = `${namespace.name}/${policy.database}/${record.id}`;
    const restored = await stillpoint('restore', backup, '--claim', name);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startMySqlOnClaims({ name, namespace: namespace.name, image }, { data: name });
    onTestFinished(async () => {
      await copy.end();
      await remove(KINDS.pod, name, namespace.name);
    });
    return { record, ledger, copy, others };
  }

  function verdictOf(
    { record, ledger }: { readonly record: BackupRecord; readonly ledger: LedgerWriter },
    rows: readonly number[],
  ): ReturnType<typeof compareLedger> {
    return compareLedger(ledger.rows, rows, {
      firstAsked: Date.parse(record.times.firstAsked ?? ''),
      lastSeen: Date.parse(record.times.lastCutSeen ?? ''),
    });
  }

  test.each(Array.from({ length: RUNS }, (_, run) => run + 1))(
    'global, run %i: the copy holds exactly the rows and the position of the record',
    async () => {
      const policy = await applyMySqlPolicy(server);
      const taken = await backupAndRestore(policy);
      const { record, copy, others } = taken;
      expect(record).toMatchObject({
        layout: 'atomic',
        freezes: 'writes',
        flavour: mariadb ? 'mariadb' : 'mysql',
        proof: { holds: true },
        position: { mode: 'global', exact: 'true' },
      });
      expect(record.proof?.before.facts.lock).toMatch(mariadb ? /BLOCK_COMMIT/ : /COMMIT SHARED/);
      const rows = await sqlLedger(copy).numbers();
      const { gtid, count } = await transactions(copy, mariadb);
      expect(gtid).toBe(record.position?.gtid);
      // Each row is one transaction: as many rows as the position says, not one more or less.
      expect(rows.length).toBe(count - others);
      expect(verdictOf(taken, rows)).toMatchObject({ lost: [], foreign: [] });
    },
  );

  test.each([MySqlMode.INSTANCE, MySqlMode.NONE])(
    '%s: the copy holds what was acknowledged before, and nothing from after',
    async (mode) => {
      const policy = await applyMySqlPolicy(server, { name: `accounts-${mode}`, database: `accounts-${mode}`, mode });
      const taken = await backupAndRestore(policy);
      const { record, copy } = taken;
      expect(record.position).toMatchObject({ mode, exact: 'false' });
      const rows = await sqlLedger(copy).numbers();
      const verdict = verdictOf(taken, rows);
      expect(verdict.foreign).toEqual([]);
      // MariaDB's sync_binlog = 0 loses the newest commits in a copy as in a crash, and the record warns of it.
      if (mariadb) expect(record.warnings?.join()).toContain('sync_binlog is 0');
      else expect(verdict.lost).toEqual([]);
    },
  );

  test('global, the binary log on a claim of its own: exact as well', async () => {
    const own = await startMySql({ namespace: namespace.name, image, name: 'split-db', separateBinlog: true });
    const admin = await own.connect();
    onTestFinished(async () => void (await admin.end()));
    const ledger = await LedgerWriter.start({ connect: async () => sqlLedger(await own.connect()), now: Date.now });
    onTestFinished(() => ledger.stop().catch(() => undefined));
    await ledger.more(100);
    const policy = await applyMySqlPolicy(own);
    const record = succeeded(await takeBackup(policy));
    await ledger.stop();
    expect(record).toMatchObject({ layout: 'locked', position: { exact: 'true' } });
    const others = (await transactions(admin, mariadb)).count - (await sqlLedger(admin).numbers()).length;

    const [data, binlog] = [uniqueName('split-data'), uniqueName('split-log')];
    const backup = `${namespace.name}/${policy.database}/${record.id}`;
    const claims = ['--claim', `data=${data}`, '--claim', `log=${binlog}`];
    const restored = await stillpoint('restore', backup, ...claims);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startMySqlOnClaims({ name: data, namespace: namespace.name, image }, { data, binlog });
    onTestFinished(async () => void (await copy.end()));
    const rows = await sqlLedger(copy).numbers();
    const { gtid, count } = await transactions(copy, mariadb);
    expect(gtid).toBe(record.position?.gtid);
    expect(rows.length).toBe(count - others);
  });

  test('a throw-away server says that its position is the recorded one, and is detached', async () => {
    const policy = await applyMySqlPolicy(server);
    const ledger = await startLedger();
    onTestFinished(() => ledger.stop().catch(() => undefined));
    await ledger.more(20);
    const record = succeeded(await takeBackup(policy));
    await ledger.stop();
    const backup = `${namespace.name}/${policy.database}/${record.id}`;
    const started = await stillpoint('restore', backup, '--claim', uniqueName('seen'), '--start', '-o', 'json');
    expect(started, `${started.stdout}${started.stderr}`).toMatchObject({ exitCode: 0 });
    const { inspection } = JSON.parse(started.stdout).server as { inspection: { findings: { severity: string }[] } };
    expect(inspection.findings.length).toBeGreaterThan(3);
    expect(inspection.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
  });
});
