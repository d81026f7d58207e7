/** The session with PostgreSQL: whom it talks to, what it may do, and that it ends when nobody is behind it any more. */
import { copyFile, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EngineSession, PlanRequest, Target, TlsMaterial } from '../../runner/engine';
import { engine } from '../../runner/engines/postgres';
import { LocalPlatform } from '../../runner/local/platform';
import type { Finding } from '../../runner/ports';
import { QuietLog } from '../support/quiet-log';
import { Pooler } from './pooler';
import { POSTGRES_VERSIONS } from './postgres-binaries';
import { BACKUP_USER, grants, PostgresFixture, postgresFixture } from './postgres-fixture';
import { PASSWORD, PostgresServer } from './postgres-server';

const never = new AbortController().signal;
const log = new QuietLog();

const requestFor = async ({ volumes }: PostgresFixture, more: Partial<PlanRequest> = {}): Promise<PlanRequest> => ({
  id: '20260101000000',
  volumes: await new LocalPlatform(volumes).resolveVolumes(volumes),
  layout: 'auto',
  groupClass: false,
  atomicStore: false,
  options: {},
  ...more,
});

const errorsOf = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ severity }) => severity === 'error');

describe.each(POSTGRES_VERSIONS)('a session with PostgreSQL %i', (version) => {
  let fixture: PostgresFixture;
  const sessions: EngineSession[] = [];

  beforeAll(async () => {
    fixture = await postgresFixture(version);
  });
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
  });
  afterAll(async () => {
    await fixture?.remove();
  });

  const open = async (target: Target): Promise<EngineSession> => {
    const session = await engine.open(target, log, never);
    sessions.push(session);
    return session;
  };

  it('rule 8: is ended by the server when its runner hangs, and holds nothing any more', async () => {
    const session = await open(fixture.target());
    const plan = session.plan(await requestFor(fixture));
    const within = { signal: never, remainingMs: () => 400 };
    for (const step of plan.steps.slice(0, 2)) if (step.kind === 'act') await step.run(within);
    expect(await fixture.held()).toHaveLength(1);
    // Nothing is said any more: the budget of 400 ms runs out at the server.
    await new Promise((ended) => session.lost.addEventListener('abort', ended, { once: true }));
    expect(session.lost.reason).toMatchObject({ code: 'session-lost' });
    // The server tells its client before it has put everything away.
    await expect.poll(() => fixture.held()).toEqual([]);
  });

  it('is named, so that an administrator sees whose it is', async () => {
    const session = await open(fixture.target());
    const rows = await fixture.server.query<{ application_name: string }>(
      'SELECT application_name FROM pg_stat_activity WHERE pid = $1',
      [(session as unknown as { pid: string }).pid],
    );
    expect(rows).toEqual([{ application_name: 'stillpoint' }]);
  });

  it('lacks a right: the finding says which, and what it tells people to run mends it', async () => {
    await fixture.server.query(`CREATE ROLE bare LOGIN PASSWORD '${BACKUP_USER.password}'`);
    const target = fixture.target({ user: 'bare' });
    const first = errorsOf(await (await open(target)).check(await requestFor(fixture)));
    expect(new Set(first.map(({ code }) => code))).toEqual(new Set(['privilege-missing']));
    expect(first.map(({ message }) => message).join('\n')).toMatch(/data_directory[\s\S]*replication slot[\s\S]*start/);
    for (const { hint } of first) {
      for (const [sql] of hint?.matchAll(/(GRANT|ALTER)[^;]*/g) ?? []) {
        await fixture.server.query(sql.replace(/ and in database postgres:?/, ''));
      }
    }
    const second = await open(target);
    expect(errorsOf(await second.check(await requestFor(fixture)))).toEqual([]);
    expect((await second.paths([fixture.server.dataPath])).map(({ role }) => role)).toContain('log');
  });

  it('warns of another backup at work on the same server', async () => {
    const first = await open(fixture.target());
    const [hold] = first.plan(await requestFor(fixture)).steps;
    if (hold?.kind === 'act') await hold.run({ signal: never, remainingMs: () => 30_000 });
    const findings = await (await open(fixture.target())).check(await requestFor(fixture));
    expect(findings.map(({ code }) => code)).toContain('freeze-left');
    expect(errorsOf(findings)).toEqual([]);
  });

  it('refuses an engine option that is not known', async () => {
    const session = await open(fixture.target());
    const findings = await session.check(await requestFor(fixture, { options: { chekpoint: 'true' } }));
    expect(errorsOf(findings)).toMatchObject([{ code: 'config-invalid' }]);
  });
});

describe('a server that must not be backed up as it is', () => {
  it('is refused with what to change: fsync off, no slots, log too thin', async () => {
    const server = await PostgresServer.create({
      version: 18,
      settings: {
        fsync: 'off',
        full_page_writes: 'off',
        max_replication_slots: '0',
        wal_level: 'minimal',
        max_wal_senders: '0',
      },
    });
    try {
      const fixture = new PostgresFixture(server);
      const session = await engine.open(fixture.target({ user: 'postgres', password: PASSWORD }), log, never);
      const findings = errorsOf(await session.check(await requestFor(fixture)));
      expect(findings.map(({ subject }) => subject)).toEqual([
        'setting fsync',
        'setting wal_level',
        'setting max_replication_slots',
      ]);
      const [data] = await new LocalPlatform(fixture.volumes.slice(0, 1)).resolveVolumes(fixture.volumes.slice(0, 1));
      const atomic = await requestFor(fixture, { volumes: data === undefined ? [] : [data], atomicStore: true });
      const instant = errorsOf(await session.check(atomic));
      expect(instant.map(({ subject }) => subject)).toEqual(['setting fsync', 'setting full_page_writes']);
      expect(instant.every(({ hint }) => hint !== undefined)).toBe(true);
      await session.close();
    } finally {
      await server.remove();
    }
  });

  it('finds the log wherever a link leads it, and not where another server has one', async () => {
    const fixture = await postgresFixture(18);
    const { server } = fixture;
    try {
      const other = await server.makeFolder('other/pg_wal');
      await server.stop();
      const wal = await server.moveLog('wal');
      await server.start();
      const session = await engine.open(fixture.target(), log, never);
      const paths = await session.paths([server.dataPath, server.folder, other]);
      expect(paths.find(({ role }) => role === 'log')?.path).toBe(wal);
      await session.close();
    } finally {
      await fixture.remove();
    }
  });

  it('says where the log may lie when it is deeper than folders are searched', async () => {
    const fixture = await postgresFixture(18);
    const { server } = fixture;
    try {
      // One by one, so that each is the server's own.
      for (const name of ['deep', 'deep/1', 'deep/1/2', 'shallow', 'shallow/1']) await server.makeFolder(name);
      await server.stop();
      await server.moveLog('deep/1/2/wal');
      await server.start();
      const session = await engine.open(fixture.target(), log, never);
      const [deep, shallow] = [join(server.folder, 'deep'), join(server.folder, 'shallow')];
      const paths = await session.paths([server.dataPath, shallow, deep]);
      expect(paths.find(({ role }) => role === 'log')).toMatchObject({ unsearched: [deep] });
      await session.close();
    } finally {
      await fixture.remove();
    }
  });
});

describe('TLS', () => {
  let fixture: PostgresFixture;
  const ca = (): Promise<string> => readFile(new URL('tls/ca.crt', import.meta.url), 'utf8');

  beforeAll(async () => {
    const server = await PostgresServer.create({ version: 18 });
    for (const name of ['server.crt', 'server.key']) {
      const path = join(server.dataPath, name);
      await copyFile(new URL(`tls/${name}`, import.meta.url), path);
      await server.secure(path);
    }
    await server.configure({ ssl: 'on' });
    await server.stop();
    await server.start();
    for (const sql of grants(18)) await server.query(sql);
    fixture = new PostgresFixture(server);
  });
  afterAll(async () => {
    await fixture?.remove();
  });

  const open = async (tls: TlsMaterial, host = '127.0.0.1'): Promise<EngineSession> => {
    const { connection, ...target } = fixture.target();
    return engine.open({ ...target, connection: { ...connection, host }, tls }, log, never);
  };

  it('encrypts without checking who answers, when only that is required', async () => {
    const session = await open({ mode: 'require' });
    const [row] = await fixture.server.query('SELECT ssl FROM pg_stat_ssl WHERE pid = $1', [
      (session as unknown as { pid: string }).pid,
    ]);
    expect(row).toEqual({ ssl: true });
    await session.close();
  });

  it('trusts a certificate of the given CA, and none of another', async () => {
    await (await open({ mode: 'verify-ca', ca: await ca() })).close();
    await expect(open({ mode: 'verify-ca' })).rejects.toMatchObject({ code: 'tls-failed' });
  });

  it('checks the name too, when that is asked for', async () => {
    await expect(open({ mode: 'verify-full', ca: await ca() })).rejects.toMatchObject({ code: 'tls-failed' });
  });

  it('says so when the server has no TLS', async () => {
    const plain = await postgresFixture(18);
    const attempt = engine.open({ ...plain.target(), tls: { mode: 'require' } }, log, never);
    await expect(attempt).rejects.toMatchObject({ code: 'tls-failed' });
    await plain.remove();
  });
});

describe('a pooler between runner and server', () => {
  let fixture: PostgresFixture;
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.internal === false && address.family === 'IPv4')?.address;

  beforeAll(async () => {
    fixture = await postgresFixture(18);
  });
  afterAll(async () => {
    await fixture?.remove();
  });

  it('is refused when the server behind it cannot be reached directly', async () => {
    await using pooler = await Pooler.start(fixture.server);
    await expect(engine.open(fixture.target({ port: pooler.port }), log, never)).rejects.toMatchObject({
      code: 'session-not-direct',
      message: expect.stringContaining('loopback'),
    });
  });

  it.skipIf(outside === undefined)('is passed by, to the server itself', async () => {
    const { server } = fixture;
    const host = outside ?? '';
    await server.allowFrom(host);
    await using pooler = await Pooler.start({ host, port: server.port });
    const session = await engine.open(fixture.target({ port: pooler.port }), log, never);
    expect(session.server.address).toBe(host);
    expect(await session.whoAnswers(never)).toEqual(session.server.identity);
    await session.close();
  });
});
