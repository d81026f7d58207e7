/** Rule 8: what the lock of one server makes of a request that was given up. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { ILLEGAL_OPERATION } from '../../../../runner/engines/mongodb/errors';
import { planBackup } from '../../../../runner/engines/mongodb/plan';
import { ServerLock } from '../../../../runner/engines/mongodb/server-lock';
import type { MongoSession } from '../../../../runner/engines/mongodb/session';

const signal = new AbortController().signal;

/** A server that never answers the request for its lock, or refuses it; what was sent comes to it after so many looks. */
function lockOf({ refuses = false, comesAfter = Number.POSITIVE_INFINITY } = {}) {
  const server = { looks: 0, unlocks: 0, locked: false };
  const connection = {
    usable: true,
    command: async (_: string, asked: Readonly<Record<string, unknown>>, within?: AbortSignal): Promise<object> => {
      if (asked.fsync === 1) {
        if (refuses) throw Object.assign(new Error('no'), { code: 1 });
        return await new Promise((_resolve, reject) => {
          within?.addEventListener('abort', () => {
            connection.usable = false;
            reject(within.reason);
          });
        });
      }
      if (asked.fsyncUnlock === 1) {
        if (!server.locked) throw Object.assign(new Error('not locked'), { code: ILLEGAL_OPERATION });
        server.locked = false;
        server.unlocks++;
        return { lockCount: 0 };
      }
      if (server.looks++ === comesAfter) server.locked = true;
      return { inprog: [], ...(server.locked ? { fsyncLock: true } : {}) };
    },
  };
  const spare = { command: connection.command, usable: true };
  const session = { connection, server: { member: 'db:1' }, waysBack: [spare] } as unknown as MongoSession;
  return { server, lock: new ServerLock(session, '1') };
}

async function failureOf(work: Promise<void>, ms: number): Promise<unknown> {
  const failure = work.then(
    () => undefined,
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(ms);
  return await failure;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a lock that did not come in time', () => {
  it('is taken back when it comes after that', async () => {
    const { server, lock } = lockOf({ comesAfter: 3 });
    expect(await failureOf(lock.take({ signal }), 60_000)).toMatchObject({ code: 'freeze-timeout' });
    expect(await failureOf(lock.release({ signal }), 5_000)).toBeUndefined();
    expect(server).toMatchObject({ locked: false, unlocks: 1 });
    expect(lock.asked).toBe(false);
  });

  it('is not said to be undone when it was never seen', async () => {
    const { lock } = lockOf();
    await failureOf(lock.take({ signal }), 60_000);
    expect(await failureOf(lock.release({ signal }), 5_900)).toMatchObject({ code: 'thaw-failed' });
    expect(lock.asked).toBe(true);
  });

  it('is not waited for where the server has refused it', async () => {
    const { server, lock } = lockOf({ refuses: true });
    expect(await failureOf(lock.take({ signal }), 0)).toBeDefined();
    expect(await failureOf(lock.release({ signal }), 0)).toBeUndefined();
    expect(server.looks).toBe(1);
  });

  it('that a mongos has asked for is looked for once: it is the mongos whose answer is waited for', async () => {
    const { server, lock } = lockOf();
    lock.asked = true;
    expect(await failureOf(lock.release({ signal }), 0)).toBeUndefined();
    expect(server.looks).toBe(1);
  });
});

it('what a lock may have to wait for comes before it, so that of several servers none is locked meanwhile', () => {
  const session = {
    server: { member: 'db:1', process: { startedMs: 0 } },
    direct: { host: 'db', port: 1, name: 'db' },
  } as unknown as MongoSession;
  const request = {
    id: '1',
    database: 'db',
    volumes: [{ name: 'data', role: 'data' }],
    options: {},
    atomicStore: true,
    layout: 'auto',
    groupClass: false,
  } as unknown as PlanRequest;
  const steps = planBackup(session, request).steps.filter((step) => step.kind === 'act');
  expect(steps.map(({ name, freezes = false }) => [name, freezes])).toEqual([
    ['prepare the lock', false],
    ['lock', true],
    ['read the position', false],
  ]);
});
