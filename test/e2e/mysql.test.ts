/** What only MySQL and MariaDB have, beside the contract of all engines (contract*.test.ts). */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { EngineSession, Plan, StepContext } from '../../runner/engine';
import { engine } from '../../runner/engines/mysql';
import { type SqlClient, sqlLedger } from '../ledger/sql';
import { LedgerWriter } from '../ledger/writer';
import { QuietLog } from '../support/quiet-log';
import { attemptBackup } from './harness/backup';
import { MYSQL_BACKUP_PASSWORD, startMySql, type TestMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyMySqlPolicy } from './harness/policy';
import { eventually } from './harness/wait';

const never = new AbortController().signal;

describe.each(['mariadb:11.8', 'mysql:9'] as const)('%s', (image) => {
  let namespace: TestNamespace;
  let server: TestMySql;

  beforeAll(async () => {
    namespace = await makeNamespace('frozen');
    server = await startMySql({ namespace: namespace.name, image });
    const admin = await server.connect();
    await admin.query('CREATE TABLE seen (number int PRIMARY KEY)');
    await admin.end();
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  const within = (remainingMs = 30_000): StepContext => ({ signal: never, remainingMs: () => remainingMs });

  async function open(): Promise<EngineSession> {
    const target = {
      connection: { host: await server.address(), port: 3306, usernameFile: '' },
      username: 'stillpoint',
      password: MYSQL_BACKUP_PASSWORD,
      tls: undefined,
    };
    const session = await engine.open(target, new QuietLog(), never);
    onTestFinished(() => session.close());
    return session;
  }

  async function client(): Promise<SqlClient> {
    const connected = await server.connect();
    onTestFinished(async () => void (await connected.end()));
    return connected;
  }

  /** Begins a new ledger. */
  async function startLedger(): Promise<LedgerWriter> {
    const admin = await server.connect();
    await admin.query('DROP TABLE IF EXISTS ledger');
    await admin.end();
    const ledger = await LedgerWriter.start({ connect: async () => sqlLedger(await server.connect()), now: Date.now });
    onTestFinished(() => ledger.stop().catch(() => undefined));
    return ledger;
  }

  const request = (mode: string): Parameters<EngineSession['plan']>[0] => ({
    id: '20260101000000',
    volumes: [
      { name: 'data', role: 'data', claim: server.claims.data, namespace: namespace.name, mountPath: '/var/lib/mysql' },
    ],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options: { mode },
  });

  /** Runs a plan up to its cut. */
  async function freeze(plan: Plan): Promise<void> {
    for (const step of plan.steps) if (step.kind === 'act') await step.run(within());
  }

  test('rule 4: the lock is asked for in a moment without a statement that it would have to wait for', async () => {
    const ledger = await startLedger();
    await ledger.more(20);
    const reader = await client();
    // Of what only reads, MySQL's lock is in need of waiting; MariaDB's is of what writes.
    const long = reader.query(
      image.startsWith('mariadb') ? 'INSERT INTO seen SELECT 2000 + SLEEP(5)' : 'SELECT SLEEP(5) FROM ledger LIMIT 1',
    );
    const watcher = await client();
    await eventually('it has been at work for a while', async () => {
      const sql = "SELECT count(*) AS n FROM information_schema.PROCESSLIST WHERE info LIKE '%SLEEP(5)%' AND time >= 2";
      return Number((await watcher.query(sql)).rows[0]?.n) > 0;
    });
    const from = Date.now();
    const plan = (await open()).plan(request('global'));
    await freeze(plan);
    await plan.thaw(within());
    await long;
    await ledger.more(20);
    expect(ledger.longestStallMs(from)).toBeLessThan(1500);
  });

  test.each(['sync_binlog', 'innodb_flush_log_at_trx_commit'])(
    'mode global flushes what was acknowledged while %s was not 1, also when that was set after the session opened',
    async (name) => {
      const admin = await client();
      const logs = async (): Promise<number> => (await admin.query('SHOW BINARY LOGS')).rows.length;
      const { rows } = await admin.query(`SELECT @@GLOBAL.sync_binlog AS synced`);
      onTestFinished(async () => {
        const again = await server.connect();
        await again.query(`SET GLOBAL sync_binlog = ${rows[0]?.synced}, GLOBAL innodb_flush_log_at_trx_commit = 1`);
        await again.end();
      });
      await admin.query('SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1');
      const closed: number[] = [];
      for (const value of [1, 2]) {
        const session = await open();
        await admin.query(`SET GLOBAL ${name} = ${value}`);
        const before = await logs();
        const plan = session.plan(request('global'));
        await freeze(plan);
        await plan.thaw(within());
        closed.push((await logs()) - before);
      }
      // A binary log that is closed is on disk.
      expect(closed).toEqual([0, 1]);
    },
  );

  test('rule 2: tables of another storage engine are refused in every mode', async () => {
    const admin = await client();
    await admin.query('CREATE TABLE lossy (a int) ENGINE=MyISAM');
    const session = await open();
    for (const mode of ['global', 'instance', 'none']) {
      const found = await session.check(request(mode));
      expect(found.find(({ severity }) => severity === 'error')).toMatchObject({
        code: 'server-unsafe',
        subject: 'table books.lossy',
      });
    }
    await admin.query('DROP TABLE lossy');
  });

  test('rule 3: a server of another namespace is refused, although a pod of its name is here', async () => {
    await using elsewhere = await makeNamespace('elsewhere');
    await startMySql({ namespace: elsewhere.name, image });
    const host = `${server.name}.${elsewhere.name}`;
    const policy = await applyMySqlPolicy(server, { name: 'astray', database: 'astray', host });
    const { error, record } = await attemptBackup(policy);
    expect(error).toMatchObject({ code: 'server-not-traced' });
    expect(record?.phase).toBe('failed');
  });
});
