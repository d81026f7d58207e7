/** What comes between the choice of a member and its lock, where a backup waits long for its turn: no stand-in holds elections. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Plan, PlanRequest, StepContext, Target } from '../../../../runner/engine';
import { planBackup } from '../../../../runner/engines/mongodb/plan';
import { type MongoSession, openSession } from '../../../../runner/engines/mongodb/session';
import { startWireServer, type WireServer } from '../../../wire/server';

const within: StepContext = { signal: new AbortController().signal, remainingMs: () => 1000 };
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() } as never;
const PRIMARY = 1;
const SECONDARY = 2;
const ELSEWHERE = 'mongo-9.mongo:27017';

/** A secondary of a set of two, as it sees the set. */
class TestMember {
  state = SECONDARY;
  behindMs = 2_000;
  locked = false;
  #server: WireServer | undefined;
  #session: MongoSession | undefined;

  async plan(options: Record<string, string> = {}): Promise<Plan> {
    const server = await startWireServer({
      hello: () => ({
        setName: 'rs0',
        me: this.#host,
        isWritablePrimary: this.state === PRIMARY,
        secondary: this.state === SECONDARY,
      }),
      replSetGetConfig: () => ({ config: { _id: 'rs0', members: [{ host: this.#host }, { host: ELSEWHERE }] } }),
      replSetGetStatus: () => ({
        members: [
          { name: this.#host, state: this.state, health: 1, optimeDate: new Date(600_000 - this.behindMs) },
          { name: ELSEWHERE, state: PRIMARY + SECONDARY - this.state, health: 1, optimeDate: new Date(600_000) },
        ],
      }),
      serverStatus: () => ({ host: this.#host, pid: 1, uptimeMillis: 1, localTime: new Date(1), version: '8.0.4' }),
      getCmdLineOpts: () => ({ parsed: {} }),
      currentOp: () => ({ inprog: [], ...(this.locked ? { fsyncLock: true } : {}) }),
      fsync: ({ lock }) => {
        this.locked = lock === true;
        return { lockCount: 1 };
      },
      fsyncUnlock: () => {
        this.locked = false;
        return { lockCount: 0 };
      },
    });
    this.#server = server;
    const connection = { host: '127.0.0.1', port: server.port, usernameFile: '', connectTimeoutSeconds: 60 };
    const target: Target = { connection, username: '', password: undefined, tls: undefined, options };
    this.#session = await openSession(target, log, within.signal);
    return planBackup(this.#session, requestOf(options));
  }

  get #host(): string {
    return this.#server?.host ?? '';
  }

  /** Whether it was ever asked for its lock. */
  get asked(): boolean {
    return this.#server?.asked.includes('fsync') ?? false;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    await this.#server?.[Symbol.asyncDispose]();
  }
}

function requestOf(options: Record<string, string>): PlanRequest {
  const volumes = [{ name: 'data', role: 'data', claim: 'data', namespace: 'shop' }] as const;
  return { id: '1', volumes, layout: 'auto', groupClass: false, atomicStore: true, options };
}

async function run(plan: Plan, name: string): Promise<void> {
  for (const step of plan.steps) if (step.kind === 'act' && step.name === name) await step.run(within);
}

const members: TestMember[] = [];
afterEach(() => Promise.all(members.splice(0).map((member) => member.close())));

function testMember(): TestMember {
  const member = new TestMember();
  members.push(member);
  return member;
}

describe('a secondary that waited for its turn', () => {
  it('is locked as it was chosen, and the record has how far it is behind by then', async () => {
    const member = testMember();
    const plan = await member.plan();
    expect(plan.results().position.behindSeconds).toBe('2');
    member.behindMs = 40_000;
    await run(plan, 'prepare the lock');
    await run(plan, 'lock');
    await run(plan, 'read the position');
    expect(plan.results().position.behindSeconds).toBe('40');
    await plan.thaw(within);
    expect(member).toMatchObject({ asked: true, locked: false });
  });

  it.each<[string, Partial<TestMember>, string]>([
    ['is the primary by now', { state: PRIMARY }, 'by now it is the primary'],
    ['is too far behind by now', { behindMs: 90_000 }, 'by now it is 90 s behind, more than 60 s'],
  ])('is not locked where it %s', async (_, is, says) => {
    const member = testMember();
    const plan = await member.plan();
    Object.assign(member, is);
    const refused = { code: 'member-unsuitable', message: expect.stringContaining(says) };
    await expect(run(plan, 'prepare the lock')).rejects.toMatchObject(refused);
    expect(member.asked).toBe(false);
  });

  it('is let go where it is elected right before its lock', async () => {
    const member = testMember();
    const plan = await member.plan();
    await run(plan, 'prepare the lock');
    member.state = PRIMARY;
    await run(plan, 'lock');
    await expect(run(plan, 'read the position')).rejects.toMatchObject({ code: 'member-unsuitable' });
    await plan.thaw(within);
    expect(member.locked).toBe(false);
  });

  it('is looked at once more before its first cut where nothing is locked, and not after the last', async () => {
    const member = testMember();
    const plan = await member.plan({ lock: 'false' });
    member.behindMs = 90_000;
    await expect(plan.observe(within)).rejects.toMatchObject({ code: 'member-unsuitable' });
    member.behindMs = 3_000;
    const before = await plan.observe(within);
    member.behindMs = 90_000;
    expect(await plan.observe(within)).toEqual(before);
    expect(plan.results().position.behindSeconds).toBe('3');
  });
});
