/**
 * What others do at a server between the looks of a backup, another backup of it among them: it leaves their settings as those want
 * them, and takes nothing of theirs for its own.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EngineSession, Plan, PlanRequest, StepContext, Target } from '../../runner/engine';
import { QuietLog } from '../support/quiet-log';
import type { TestServer } from './engines/adapter';
import { redis, valkey } from './engines/redis';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { addressOf } from './harness/pods';
import { connectTo, type RedisClient } from './harness/redis';

const NAME = 'shared-db';

/** What others set, and what a server has by itself. */
const OTHERS = { 'auto-aof-rewrite-percentage': '55', appendfsync: 'no' };
const DEFAULTS = { 'auto-aof-rewrite-percentage': '100', appendfsync: 'everysec' };

const within: StepContext = { signal: new AbortController().signal, remainingMs: () => 5_000 };

const CHANGING = ['config|set', 'config|rewrite', 'client|pause', 'client|unpause', 'bgsave'] as const;

describe.each([redis, valkey])('$title', (adapter) => {
  const [mode] = adapter.modes;
  let namespace: TestNamespace;
  let server: TestServer;
  let admin: RedisClient;
  let session: EngineSession;

  beforeAll(async () => {
    namespace = await makeNamespace('settings');
    server = await adapter.start({ namespace: namespace.name, name: NAME, setup: mode?.setup ?? '' });
    admin = await connectTo(await addressOf(server.pod, namespace.name));
  });
  afterAll(async () => {
    await admin.end();
    await namespace[Symbol.asyncDispose]();
  });

  // What a session reads when it opens is what the server has by itself; then others come.
  beforeEach(async () => {
    session = await adapter.engine.open(
      (await server.target()) as Target,
      new QuietLog(),
      new AbortController().signal,
    );
  });
  afterEach(async () => {
    await session.close();
    await set(DEFAULTS);
  });

  test('rule 2: looking changes nothing, and puts nothing back that others set while it looks', async () => {
    const before = await changes();
    await set(OTHERS);
    const found = await session.check(request());
    expect(found.map(({ severity }) => severity)).toEqual(['ok']);
    expect(await settings()).toEqual(OTHERS);
    expect(await changes()).toEqual({ ...before, 'config|set': (before['config|set'] ?? 0) + 1 });
  });

  test('what others have set since is not taken for what the server has by itself', async () => {
    const plan = session.plan(request());
    await set(OTHERS);
    await expect(firstSteps(plan, within)).rejects.toMatchObject({
      code: 'freeze-failed',
      message: expect.stringContaining('auto-aof-rewrite-percentage went from 100 to 55'),
    });
    await plan.thaw(within);
    expect(await settings()).toEqual(OTHERS);
  });

  test('rule 3: a server that has taken the other role since is not paused, and gets its settings back', async () => {
    const plan = session.plan(request());
    const { 'client|pause': pauses } = await changes();
    await admin.send('REPLICAOF', '127.0.0.1', '1');
    try {
      await expect(firstSteps(plan, within)).rejects.toMatchObject({
        code: 'server-changed',
        message: 'since the backup looked at the server role went from master to slave',
      });
      await plan.thaw(within);
    } finally {
      await admin.send('REPLICAOF', 'NO', 'ONE');
    }
    expect(await changes()).toMatchObject({ 'client|pause': pauses });
    expect(await settings()).toEqual(DEFAULTS);
  });

  test('rule 6: a dump that the server has written since is not cut for ours, which is made anew in its turn', async () => {
    const plan = session.plan({ ...request(), options: { mode: 'rdb' } });
    const turn = plan.steps.findIndex((step) => step.kind === 'act' && step.takesTurn === true);
    expect(turn).toBeGreaterThan(0);
    await firstSteps({ steps: plan.steps.slice(0, turn) }, within);
    const { dumpBegun } = plan.results().position;
    await admin.send('BGSAVE');
    await firstSteps({ steps: plan.steps.slice(turn) }, within);
    await plan.observe(within);
    expect(plan.results().position.dumpBegun).not.toBe(dumpBegun);
    await admin.send('BGSAVE');
    await expect(plan.observe(within)).rejects.toMatchObject({
      code: 'proof-failed',
      message: 'the server has written another dump since ours began',
    });
    await plan.thaw(within);
  });

  function request(): PlanRequest {
    if (mode === undefined) throw new Error(`${adapter.title} has no mode`);
    return server.request(mode);
  }

  async function firstSteps(plan: Pick<Plan, 'steps'>, within: StepContext): Promise<void> {
    for (const step of plan.steps) if (step.kind === 'act') await step.run(within);
  }

  async function set(values: Readonly<Record<string, string>>): Promise<void> {
    await admin.send('CONFIG', 'SET', ...Object.entries(values).flat());
  }

  async function settings(): Promise<Readonly<Record<string, string>>> {
    const names = Object.keys(DEFAULTS);
    const values = await Promise.all(names.map((name) => admin.send('CONFIG', 'GET', name)));
    return Object.fromEntries(values as [string, string][]);
  }

  /** How often each command that changes a server has done so, by the server's own count; those that it refused are not in it. */
  async function changes(): Promise<Readonly<Record<string, number>>> {
    const stats = String(await admin.send('INFO', 'commandstats'));
    return Object.fromEntries(
      CHANGING.map((command) => {
        const line = stats.split('\r\n').find((each) => each.startsWith(`cmdstat_${command}:`)) ?? '';
        const count = (what: string): number => Number(new RegExp(`\\b${what}=(\\d+)`).exec(line)?.[1] ?? 0);
        return [command, count('calls') - count('failed_calls')];
      }),
    );
  }
});
