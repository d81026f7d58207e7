/**
 * What a lock does to a server at work: it blocks what it says, gives up in time, is not taken twice, and never outlives
 * its runner (safety rules 4 and 8).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { EngineSession, Plan, StepContext } from '../../runner/engine';
import { engine } from '../../runner/engines/mysql';
import { type SqlClient, sqlLedger } from '../ledger/sql';
import { LedgerWriter } from '../ledger/writer';
import { QuietLog } from '../support/quiet-log';
import { attemptBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { misbehave } from './harness/disk';
import { nthPod, startBackup, type TestJob } from './harness/job';
import { MYSQL_BACKUP_PASSWORD, startMySql, type TestMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyMySqlPolicy, type TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { type RunnerProcess, runnerProcess } from './harness/runner-process';
import { eventually } from './harness/wait';

const run = promisify(execFile);
const never = new AbortController().signal;
const BUDGET_SECONDS = 8;

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

  /** Whether a statement is still waiting after a while that is long for a server that holds nothing. */
  async function waits(statement: Promise<unknown>): Promise<boolean> {
    return await Promise.race([
      statement.then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1500)),
    ]);
  }

  test.each([
    { mode: 'global', commitWaits: true, definitionWaits: true },
    { mode: 'instance', commitWaits: false, definitionWaits: true },
    { mode: 'none', commitWaits: false, definitionWaits: false },
  ])('$mode blocks what it says, and the thaw frees it', async ({ mode, commitWaits, definitionWaits }) => {
    const [writer, definer] = [await client(), await client()];
    const plan = (await open()).plan(request(mode));
    await freeze(plan);
    const before = await plan.observe(within());
    const commit = writer.query('INSERT INTO seen SELECT coalesce(max(number), 0) + 1 FROM seen');
    const definition = definer.query(`CREATE OR REPLACE VIEW of_${mode} AS SELECT 1`).catch((error: Error) => error);
    const table = definition.then(() => definer.query(`CREATE TABLE of_mode_${mode} (a int PRIMARY KEY)`));
    expect(await waits(commit)).toBe(commitWaits);
    expect(await waits(table)).toBe(definitionWaits);
    expect(await plan.observe(within())).toEqual(before);
    await plan.thaw(within());
    await Promise.all([commit, table]);
  });

  test('rule 4: a lock that does not come is given up in time, and the writers go on', async () => {
    const ledger = await startLedger();
    await ledger.more(20);
    const inTheWay = await client();
    // A read lock waits for a statement that writes; a backup stage waits for another backup.
    const release = image.startsWith('mariadb')
      ? await inTheWay.query('BACKUP STAGE START').then(() => () => inTheWay.query('BACKUP STAGE END'))
      : ((): (() => Promise<unknown>) => {
          const long = inTheWay.query('INSERT INTO seen SELECT 1000 + SLEEP(12)');
          return () => long;
        })();
    const session = await open();
    const plan = session.plan(request('global'));
    const from = Date.now();
    await expect(freeze(plan)).rejects.toMatchObject({ code: 'freeze-timeout' });
    expect(Date.now() - from).toBeLessThan(8000);
    expect(session.lost.aborted).toBe(true);
    await ledger.more(20);
    expect(ledger.longestStallMs(from)).toBeLessThan(8000);
    await release();
  });

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

  test('rule 2: a statement that has been running for long refuses the backup before anything is touched', async () => {
    const busy = await client();
    const long = busy.query(image.startsWith('mariadb') ? 'DO SLEEP(12)' : 'SELECT SLEEP(12)');
    const session = await open();
    const codes = await eventually('the statement is long', async () => {
      const found = await session.check(request('global'));
      return found.some(({ severity }) => severity === 'error') ? found.map(({ code }) => code) : undefined;
    });
    expect(codes).toContain('long-running-statement');
    await long;
  });

  test('rule 2: a server that is held already is not frozen a second time', async () => {
    const first = (await open()).plan(request('global'));
    await freeze(first);
    const second = await open();
    const found = (await second.check(request('global'))).map(({ code }) => code);
    if (image === 'mysql:9') expect(found).toContain('freeze-left');
    else await expect(freeze(second.plan(request('global')))).rejects.toMatchObject({ code: 'freeze-timeout' });
    await first.thaw(within());
  });

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

  describe('a runner that is lost while the server is frozen', () => {
    /** Brings a backup to where every commit waits for a cut that does not come, and says when that began. */
    async function frozenBackup(
      ledger: LedgerWriter,
    ): Promise<{ job: TestJob; policy: TestPolicy; runner: RunnerProcess }> {
      const policy = await applyMySqlPolicy(server, {
        name: 'lost',
        database: 'lost',
        budget: Duration.seconds(BUDGET_SECONDS),
      });
      const job = await startBackup(policy);
      const runner = await runnerProcess(await nthPod(job), namespace.name);
      await eventually('every commit waits', async () => {
        const newest = Math.max(...ledger.rows.map(({ acknowledged }) => acknowledged ?? 0));
        return Date.now() - newest > 700;
      });
      return { job, policy, runner };
    }

    test.each([
      { how: 'killed', lose: async (runner: RunnerProcess) => runner.kill() },
      {
        how: 'cut off from the network',
        lose: async ({ pid }: RunnerProcess) => {
          await run('nsenter', ['-t', String(pid), '-n', 'ip', 'link', 'set', 'eth0', 'down']);
        },
      },
    ])('rule 8: $how, and writes go on within the budget and 5 s, and there is no backup', async ({ lose }) => {
      await using _ = await misbehave({ cutDelayMs: 25_000 });
      const ledger = await startLedger();
      await ledger.more(50);
      const from = Date.now();
      const { job, policy, runner } = await frozenBackup(ledger);
      await lose(runner);
      await ledger.more(20);
      const stall = ledger.longestStallMs(from);
      expect(stall).toBeGreaterThan(700);
      expect(stall).toBeLessThan((BUDGET_SECONDS + 5) * 1000);
      await remove(KINDS.job, job.name, job.namespace);
      for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
    });
  });
});
