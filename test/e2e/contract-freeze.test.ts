/**
 * The contract of all engines, first part: what a freeze does to a server at work. It blocks what its plan says, lets go,
 * gives up in time, and is not taken twice. Sessions are opened by the test itself: no Job, no storage.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineSession, Plan, StepContext } from '../../runner/engine';
import { LedgerWriter } from '../ledger/writer';
import { QuietLog } from '../support/quiet-log';
import { ENGINES, isHeldBySession } from './engines';
import type { EngineMode, TestServer } from './engines/adapter';
import { Servers } from './engines/servers';
import { eventually } from './harness/wait';

const never = new AbortController().signal;

/** For as long a statement waits that does not get through: long for a server that holds nothing. */
const WAITS_MS = 1500;

/** The time limit of a lock, and what the rest takes on a machine at work. */
const GIVES_UP_MS = 8000;

// Engines side by side, the tests of each one after the other: they share its servers.
describe.concurrent.each(ENGINES)('$title', (adapter) => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await Servers.in(adapter, 'freeze');
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  async function open(server: TestServer): Promise<EngineSession & AsyncDisposable> {
    const target = await server.target();
    const session = await adapter.engine.open(target, new QuietLog(), never);
    // As a backup does when it has traced the server to its pod: other connections to it go to that address.
    await session.isAt?.(target.connection.host);
    return Object.assign(session, { [Symbol.asyncDispose]: () => session.close() });
  }

  async function ledgerOf(server: TestServer): Promise<LedgerWriter & AsyncDisposable> {
    const client = await server.connect();
    await client.forget();
    await client.end();
    const ledger = await LedgerWriter.start({ connect: server.connect, now: Date.now });
    return Object.assign(ledger, { [Symbol.asyncDispose]: () => ledger.stop().catch(() => undefined) });
  }

  describe.each(adapter.modes.filter(isHeldBySession))('mode $name', { concurrent: false }, (mode) => {
    test('the freeze blocks what it says, reads go on, and the thaw frees it', async () => {
      const server = await servers.of(mode);
      const [client, other] = [await server.connect(), await server.connect()];
      await client.prepare();
      await using session = await open(server);
      const found = await session.check(server.request(mode));
      expect(found.filter(({ severity }) => severity === 'error')).toEqual([]);
      const plan = session.plan(server.request(mode));
      expect(plan).toMatchObject({ freezes: mode.freezes, layout: mode.layout });
      await freeze(plan);
      const before = await plan.observe(within());
      if (mode.freezes !== 'everything') await client.numbers();
      const row = client.add(1);
      const definition = other.define?.(`of_${mode.name.replaceAll('-', '_')}`) ?? Promise.resolve();
      const [rowWaits, definitionWaits] = await Promise.all([waits(row), waits(definition)]);
      expect(rowWaits, 'a commit waits').toBe(commitsWait(mode));
      expect(definitionWaits, 'a definition waits').toBe(other.define !== undefined && definitionsWait(mode));
      expect(await plan.observe(within())).toEqual(before);
      await plan.thaw(within());
      await Promise.all([row, definition]);
      expect(await client.numbers()).toContain(1);
      await client.forget();
      await Promise.all([client.end(), other.end()]);
    });

    test('a freeze that was thawed leaves nothing at the server', async ({ skip }) => {
      const server = await servers.of(mode);
      const { sessions } = server.unmet ?? {};
      if (mode.freezes === 'nothing' && sessions !== undefined) return skip(sessions);
      const session = await open(server);
      const plan = session.plan(server.request(mode));
      await freeze(plan);
      expect(await server.held()).not.toEqual([]);
      await plan.thaw(within());
      await session.close();
      await eventually('nothing is held', async () => (await server.held()).length === 0, { seconds: 10 });
    });

    test.runIf(mode.secondFreeze !== undefined)('rule 2: a server that is frozen is not frozen twice', async () => {
      const server = await servers.of(mode);
      await using first = await open(server);
      const plan = first.plan(server.request(mode));
      await freeze(plan);
      await expect(refusal(server, mode)).resolves.toBe(mode.secondFreeze);
      await plan.thaw(within());
    });
  });

  const [usual] = adapter.modes;
  describe('a server at work', { concurrent: false }, () => {
    test('rule 4: a freeze that does not come is given up in time, and nobody queues behind it', async ({ skip }) => {
      const server = await servers.of(usual);
      if (server.obstruct === undefined) {
        return skip(server.unmet?.obstruct ?? 'no freeze of this engine waits for anything');
      }
      await using ledger = await ledgerOf(server);
      await ledger.more(20);
      const obstacle = await server.obstruct();
      const from = Date.now();
      await expect(refusal(server, usual)).resolves.toBe('freeze-timeout');
      expect(Date.now() - from).toBeLessThan(GIVES_UP_MS);
      await obstacle.end();
      expect(await server.held()).toEqual([]);
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(GIVES_UP_MS);
    });

    test('rule 2: a statement at work for long refuses the backup before anything is touched', async ({ skip }) => {
      const server = await servers.of(usual);
      if (server.longStatement === undefined) {
        return skip(server.unmet?.longStatement ?? 'no freeze of this engine waits for a statement');
      }
      const statement = await server.longStatement();
      await using session = await open(server);
      const found = await session.check(server.request(usual));
      await statement.end();
      expect(found.filter(({ severity }) => severity === 'error')).toMatchObject([{ code: 'long-running-statement' }]);
    });
  });

  /** The code by which a session of its own refuses to freeze a server, by a finding or by an error. */
  async function refusal(server: TestServer, mode: EngineMode): Promise<string> {
    try {
      await using session = await open(server);
      const found = await session.check(server.request(mode));
      const wrong = found.find(({ severity }) => severity === 'error');
      if (wrong !== undefined) return wrong.code;
      await freeze(session.plan(server.request(mode)));
      return 'nothing';
    } catch (error) {
      return String((error as { code?: unknown }).code);
    }
  }
});

function within(): StepContext {
  return { signal: never, remainingMs: () => 30_000 };
}

/** Runs a plan up to its first cut. */
async function freeze({ steps }: Plan): Promise<void> {
  for (const step of steps) {
    if (step.kind === 'cut') return;
    await step.run(within());
  }
}

/** Whether a statement is still waiting after a while. */
async function waits(statement: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(true), WAITS_MS);
  return await Promise.race([statement.then(() => false), late.promise]).finally(() => clearTimeout(timer));
}

function commitsWait({ freezes }: EngineMode): boolean {
  return freezes === 'writes' || freezes === 'everything';
}

function definitionsWait(mode: EngineMode): boolean {
  return commitsWait(mode) || mode.freezes === 'table-definitions';
}
