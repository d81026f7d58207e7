/**
 * A replica is backed up where the policy says so: its own executed position, as GTIDs and in its source's binary log, is
 * in the record to the transaction, while the primary goes on writing and the replica is behind.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { type SqlClient, sqlLedger } from '../ledger/sql';
import { LEDGER_RUNS } from '../support/soak';
import { inspectRestored, pathOf, startLedger } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { startMySql, startMySqlOnClaims, type TestMySql } from './harness/mysql';
import { follows, REPLICATION_PASSWORD, startReplica } from './harness/mysql-replica';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyMySqlPolicy } from './harness/policy';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

describe.concurrent.each(['mariadb:11.8', 'mysql:9'] as const)('%s', (image) => {
  const ofMariaDb = image.startsWith('mariadb');
  let namespace: TestNamespace;
  let primary: TestMySql;
  let replica: TestMySql;

  beforeAll(async () => {
    namespace = await makeNamespace('replica');
    primary = await startMySql({ namespace: namespace.name, image, name: 'primary' });
    replica = await startReplica(primary, 'replica');
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  const asAdministrator = async <T>(server: TestMySql, work: (client: SqlClient) => Promise<T>): Promise<T> => {
    const client = await server.connect();
    return await work(client).finally(() => client.end());
  };

  describe('a policy', { concurrent: false }, () => {
    test('rule 2: a replica is refused where nobody has said that one will do', async () => {
      const policy = await applyMySqlPolicy(replica, { name: 'refused', database: 'refused' });
      const { error, pod } = await attemptBackup(policy);
      expect(pod.exitCode).toBe(3);
      expect(error).toMatchObject({ code: 'server-unsafe', message: expect.stringContaining('primary:3306') });
    });

    test('rule 2: temporary tables that statements of the source have left open are refused, and nothing stays', async () => {
      const policy = await applyMySqlPolicy(replica, { name: 'open', database: 'open', allowReplica: true });
      const source = await primary.connect();
      const open = (): Promise<number> =>
        asAdministrator(replica, async (client) => {
          const { rows } = await client.query(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Replica_open_temp_tables', 'Slave_open_temp_tables')",
          );
          return Math.max(...rows.map(({ Value }) => Number(Value)));
        });
      try {
        await source.query("SET SESSION binlog_format = 'STATEMENT'");
        await source.query('CREATE TEMPORARY TABLE half_done (a int)');
        await eventually('the replica has it', async () => (await open()) === 1);
        const { error, record, pod } = await attemptBackup(policy);
        expect(pod.exitCode).toBe(4);
        expect(error).toMatchObject({
          code: 'server-unsafe',
          message: expect.stringContaining('1 temporary tables of statements of primary:3306'),
          hint: expect.stringContaining('binlog_format = ROW'),
        });
        expect(record).toMatchObject({ phase: 'failed', cuts: [] });
      } finally {
        await source.end();
      }
      await eventually('the replica has let it go', async () => (await open()) === 0);
      await expectFollowing();
    });

    test.each(Array.from({ length: LEDGER_RUNS }, (_, run) => run + 1))(
      `run %i of ${LEDGER_RUNS}: the copy stands exactly where the record says, also in the log of the source`,
      async (run) => {
        const policy = await applyMySqlPolicy(replica, { name: 'allowed', database: 'allowed', allowReplica: true });
        const { record, others } = await backupOfReplica(policy);
        expect(record).toMatchObject({ freezes: 'writes', proof: { holds: true }, warnings: [] });
        expect(record.position).toMatchObject({ exact: 'true', source: 'primary:3306', sourceExact: 'true' });
        expect(record.position?.behindSeconds).toMatch(/^\d+$/);
        expect(Number(record.position?.receivedPosition)).toBeGreaterThanOrEqual(
          Number(record.position?.sourcePosition),
        );
        // What the primary itself has at that place of its log is what the record says in GTIDs.
        const executed = await asAdministrator(primary, (client) => executedAt(client, record));
        expect(executed).toBe(transactionsOf(record));
        const [said] = await Promise.all([run === 1 ? inspectRestored(record) : [], expectCopied(record, others)]);
        expect(said.filter((each) => each !== 'ok')).toEqual([]);
        await expectFollowing();
      },
    );
  });

  /** A backup of the replica, while the primary is written to; with the primary's transactions that are no rows. */
  async function backupOfReplica(
    policy: Parameters<typeof takeBackup>[0],
  ): Promise<{ readonly record: BackupRecord; readonly others: number }> {
    // As fast as one applier follows on a machine with other work, so that it has caught up before the next run.
    await using ledger = await startLedger(
      { connect: async () => ({ ...sqlLedger(await primary.connect()), position: async () => ({}) }) },
      { everyMs: 5 },
    );
    await ledger.more(100);
    const record = succeeded(await takeBackup(policy));
    expect(JSON.stringify(record)).not.toContain(REPLICATION_PASSWORD);
    await ledger.stop();
    return await asAdministrator(primary, async (client) => {
      const variable = ofMariaDb ? 'gtid_binlog_pos' : 'gtid_executed';
      const { rows } = await client.query(`SELECT @@GLOBAL.${variable} AS gtid`);
      return { record, others: newest(String(rows[0]?.gtid)) - (await sqlLedger(client).numbers()).length };
    });
  }

  /** The source's transactions that a record says the replica has. */
  function transactionsOf({ position }: BackupRecord): number {
    return newest((ofMariaDb ? position?.sourceGtid : position?.gtid) ?? '');
  }

  /** The newest transaction that the primary's log has before the place that the record names. */
  async function executedAt(client: SqlClient, { position }: BackupRecord): Promise<number> {
    const { sourceFile: file = '', sourcePosition: at = '' } = position ?? {};
    if (ofMariaDb) {
      const { rows } = await client.query(`SELECT BINLOG_GTID_POS('${file}', ${at}) AS gtid`);
      return newest(String(rows[0]?.gtid));
    }
    const { rows } = await client.query(`SHOW BINLOG EVENTS IN '${file}'`);
    const ends = rows.find(({ End_log_pos }) => String(End_log_pos) === at);
    expect(ends?.Event_type, 'a transaction ends there').toBe('Xid');
    const before = rows.filter(({ Event_type, Pos }) => Event_type === 'Gtid' && Number(Pos) < Number(at));
    return newest(String(before.at(-1)?.Info).replaceAll("'", ''));
  }

  async function expectCopied(record: BackupRecord, others: number): Promise<void> {
    const name = uniqueName('copy');
    const restored = await stillpoint('restore', pathOf(record), '--claim', name);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startMySqlOnClaims({ name, namespace: namespace.name, image }, { data: name });
    const variable = ofMariaDb ? 'gtid_slave_pos' : 'gtid_executed';
    const { rows } = await copy.query(`SELECT @@GLOBAL.${variable} AS gtid`);
    expect(newest(String(rows[0]?.gtid))).toBe(transactionsOf(record));
    expect((await sqlLedger(copy).numbers()).length).toBe(transactionsOf(record) - others);
    // Safety rule 13: it may know its source, and does not go there.
    const status = await copy.query(ofMariaDb ? 'SHOW ALL SLAVES STATUS' : 'SHOW REPLICA STATUS');
    expect(JSON.stringify(status.rows)).not.toMatch(/_(IO|SQL)_Running":"(Yes|Connecting)"/);
    await copy.end();
    await remove(KINDS.pod, name, namespace.name);
  }

  /** The replica goes on, without a word from anybody. */
  async function expectFollowing(): Promise<void> {
    const [source, client] = [await primary.connect(), await replica.connect()];
    await eventually('the replica has caught up', () => follows(source, client, ofMariaDb), { seconds: 180 });
    await Promise.all([source.end(), client.end()]);
  }
});

/** The number of the newest transaction of a set: of one server here, without gaps. */
function newest(gtid: string): number {
  return Number(/(\d+)\s*$/.exec(gtid)?.[1]);
}
