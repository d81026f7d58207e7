import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../../runner/engines/mongodb/connection';
import { ILLEGAL_OPERATION } from '../../../../runner/engines/mongodb/errors';
import { undoLateLock, undoLock } from '../../../../runner/engines/mongodb/lock';

const LOCK = { locks: 1, comment: 'stillpoint 20260101000000' };
const open = new AbortController().signal;

/** A server to which the request for the lock comes after so many looks at it; never without a number. */
function serverLockedAfter(looks: number | undefined) {
  const server = { looks: 0, locked: false };
  const command = async (_: string, asked: Readonly<Record<string, unknown>>): Promise<object> => {
    if (asked.fsyncUnlock === 1) {
      if (!server.locked)
        throw Object.assign(new Error('fsyncUnlock called when not locked'), { code: ILLEGAL_OPERATION });
      server.locked = false;
      return { lockCount: 0 };
    }
    if (server.looks++ === looks) server.locked = true;
    return { inprog: [], ...(server.locked ? { fsyncLock: true } : {}) };
  };
  return { server, connection: { command } as unknown as Connection };
}

describe('rule 8: a lock whose request was given up before it was answered', () => {
  it('is taken back when it comes later than the first look', async () => {
    const { server, connection } = serverLockedAfter(3);
    await undoLateLock(connection, LOCK, open, 0);
    expect(server).toEqual({ looks: 4, locked: false });
  });

  it('is not said to be undone when it was never seen', async () => {
    const { connection } = serverLockedAfter(undefined);
    await expect(undoLateLock(connection, LOCK, open, 0)).rejects.toMatchObject({ code: 'thaw-failed' });
  });

  it('is not waited for when the server had answered', async () => {
    const { server, connection } = serverLockedAfter(3);
    expect(await undoLock(connection, LOCK, open)).toBe(0);
    expect(server.looks).toBe(1);
  });
});
