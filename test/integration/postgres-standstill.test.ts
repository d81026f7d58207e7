/** PostgreSQL as one of several servers: every table of every database locked, on real servers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineSession, Plan, PlanRequest } from '../../runner/engine';
import { engine } from '../../runner/engines/postgres';
import type { PostgresSession } from '../../runner/engines/postgres/session';
import { TableLocks } from '../../runner/engines/postgres/table-locks';
import { QuietLog } from '../support/quiet-log';
import { BACKUP_USER, type PostgresFixture, postgresFixture } from './postgres-fixture';

const never = new AbortController().signal;
const within = { signal: never, remainingMs: () => 30_000 };
const REQUEST: PlanRequest = {
  id: '20260101000000',
  volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: '' }],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  standstill: true,
};

const LOCK_ROLE = { 14: 'pg_write_all_data', 18: 'pg_maintain' } as const;

describe.each([14, 18] as const)('a standstill of PostgreSQL %i', (version) => {
  let fixture: PostgresFixture;
  let session: EngineSession;
  let plan: Plan;

  beforeAll(async () => {
    fixture = await postgresFixture(version);
    await fixture.server.query('CREATE TABLE public.first (n int)');
    await fixture.server.query('CREATE SCHEMA "Shop"');
    await fixture.server.query('CREATE TABLE "Shop"."Second Table" (n int) PARTITION BY RANGE (n)');
    await fixture.server.query('CREATE TABLE "Shop".part PARTITION OF "Shop"."Second Table" DEFAULT');
    await fixture.server.query('CREATE SEQUENCE counter');
  });
  beforeEach(async () => {
    session = await engine.open(fixture.target(), new QuietLog(), never);
    plan = session.plan(REQUEST);
  });
  afterEach(async () => {
    await plan.thaw(within);
    await session.close();
  });
  afterAll(() => fixture?.remove());

  /** Runs the acts of a plan up to its cut. */
  async function freeze(of = plan): Promise<void> {
    for (const step of of.steps) {
      if (step.kind === 'cut') return;
      await step.run(within);
    }
  }

  /** Writes where no lock keeps it waiting: `written`, or why not. What a busy machine takes for it does not count. */
  async function write(sql = 'INSERT INTO public.first VALUES (1)'): Promise<string> {
    const client = await fixture.server.connect();
    try {
      await client.query("SET lock_timeout = '400ms'");
      await client.query(sql);
      return 'written';
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      await client.end();
    }
  }

  const errors = async (): Promise<readonly { readonly message: string; readonly hint?: string | undefined }[]> =>
    (await session.check(REQUEST)).filter(({ severity }) => severity === 'error');

  it('says which table may not be locked, and what it tells people to grant mends it', async () => {
    const [schema] = await errors();
    expect(schema?.message).toBe(
      `user ${BACKUP_USER.name} may not lock table "Shop"."Second Table" and 2 others of database postgres`,
    );
    expect(schema?.hint).toBe(
      `as a superuser in database postgres: GRANT USAGE ON SCHEMA "Shop" TO "${BACKUP_USER.name}"`,
    );
    await fixture.server.query(`GRANT USAGE ON SCHEMA "Shop" TO "${BACKUP_USER.name}"`);
    const [role] = await errors();
    expect(role?.hint).toContain(`GRANT ${LOCK_ROLE[version]} TO "${BACKUP_USER.name}"`);
    await fixture.server.query(`GRANT ${LOCK_ROLE[version]} TO "${BACKUP_USER.name}"`);
    expect(await errors()).toEqual([]);
  });

  it('holds every write to every table until it is let go, and says so of the session that holds it', async () => {
    await freeze();
    expect(await write()).toBe('55P03');
    expect(await write('DELETE FROM "Shop".part')).toBe('55P03');
    expect(await write('ALTER TABLE public.first ADD COLUMN m int')).toBe('55P03');
    expect(await write('SELECT count(*) FROM public.first')).toBe('written');
    expect((await plan.observe(within))['locks of postgres']).toMatch(/^process \d+ holds 3 tables in SHARE MODE$/);
    await plan.thaw(within);
    expect(await write()).toBe('written');
    expect(plan.results().position.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  });

  it('holds for as long as the budget says, whatever limits others of its user have', async () => {
    const role = `ALTER ROLE "${BACKUP_USER.name}"`;
    const limits = ['idle_session_timeout', 'idle_in_transaction_session_timeout'];
    if (version >= 17) limits.push('transaction_timeout');
    for (const name of limits) await fixture.server.query(`${role} SET ${name} = '300ms'`);
    const held = await engine.open(fixture.target(), new QuietLog(), never);
    const locks = held.plan(REQUEST);
    try {
      await freeze(locks);
      const before = await locks.observe(within);
      const other = await fixture.server.connect({ user: BACKUP_USER.name, password: BACKUP_USER.password });
      const ended = new Promise((end) => other.once('end', end));
      // On a busy machine the first limit may have ended it by then.
      await other.query('BEGIN').catch(() => undefined);
      await ended;
      expect(await locks.observe(within)).toEqual(before);
    } finally {
      await locks.thaw(within);
      await held.close();
      await fixture.server.query(`${role} RESET ALL`);
    }
  });

  it('says what went on that no lock holds', async () => {
    await freeze();
    const after = plan.steps.at(-1);
    await fixture.server.query("SELECT nextval('counter')");
    if (after?.kind === 'act') await after.run(within);
    expect(plan.results().warnings).toEqual([expect.stringMatching(/changed something that no lock holds/)]);
  });

  it('says nothing of the kind where nothing went on', async () => {
    await freeze();
    const after = plan.steps.at(-1);
    if (after?.kind === 'act') await after.run(within);
    expect(plan.results().warnings).toEqual([]);
  });

  it('rule 4: gives up where a transaction stays open, with writers held for less than a second at a time', async () => {
    const open = await fixture.server.connect();
    await open.query('BEGIN');
    await open.query('INSERT INTO public.first VALUES (1)');
    const writes: Promise<unknown>[] = [];
    let waits = 0;
    const writer = await fixture.server.connect();
    const stop = new AbortController();
    writes.push(
      (async () => {
        while (!stop.signal.aborted) {
          const from = performance.now();
          await writer.query('INSERT INTO public.first VALUES (2)');
          if (performance.now() - from > 300) waits++;
        }
      })(),
    );
    await expect(freeze()).rejects.toMatchObject({ code: 'freeze-timeout' });
    stop.abort();
    await Promise.all(writes);
    await writer.end();
    await open.query('ROLLBACK');
    await open.end();
    // It tries for ten seconds, for 0.8 s at a time: between two attempts the writer gets in. A busy machine makes each of
    // these waits longer, not fewer; waiting for as long as a lock takes would make one of all of them.
    expect(waits).toBeGreaterThan(5);
  });

  it('rule 6: notices that its transaction has ended, although its session has not', async () => {
    const connection = await (session as PostgresSession).openIn('postgres', never);
    const locks = new TableLocks('postgres', connection, async () => undefined);
    await locks.take(within);
    expect(await locks.fact(within)).toMatch(/holds 3 tables/);
    await connection.rows('ending it', 'ROLLBACK');
    await expect(locks.fact(within)).rejects.toMatchObject({ code: 'proof-failed' });
    await locks.release(within);
  });

  it('rule 6: notices that a session which held locks is gone, and that the locks are', async () => {
    await freeze();
    await fixture.server.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE mode = 'ShareLock' AND locktype = 'relation' LIMIT 1",
    );
    await expect.poll(() => session.lost.aborted).toBe(true);
    await expect(plan.observe(within)).rejects.toMatchObject({ code: 'session-lost' });
    expect(await write()).toBe('written');
  });
});
