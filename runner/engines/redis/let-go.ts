/** Ends a backup's hold on a server: writes go on first, then the settings go back. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Held } from '../../../src/contract';
import type { StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { openGuard } from './guard';
import { textOf } from './replies';
import type { RedisSession } from './session';
import { type Ask, putBack } from './settings';

/** How often, and how far apart, a server is called again that takes no connection: in a failover it ends several in a row. */
const CALLS = 12;
const BETWEEN_CALLS_MS = 250;

/** On the session itself; over another connection to the same server where the session is gone. Throws thaw-failed. */
export async function letGo(session: RedisSession, undo: Held['undo'], within: StepContext): Promise<void> {
  try {
    const ask = session.within(within);
    await ask('letting writes go on', ['CLIENT', 'UNPAUSE']);
    await putBack(ask, undo);
  } catch (first) {
    await letGoAnew(session, undo, within, asStillpointError(first));
  }
}

async function letGoAnew(
  session: RedisSession,
  undo: Held['undo'],
  { signal }: StepContext,
  first: StillpointError,
): Promise<void> {
  const { host, port } = session.endpoint;
  try {
    await whileUnreachable(async () => {
      const again = await openGuard(session.target, { member: `${host}:${port}`, host, port, undo }, signal);
      try {
        // What the session had sent may be on its way still: it would be set after it was put back.
        const ended = await hasEnded(session.server.connectionId, again.asking(signal), signal).catch(() => false);
        await again.letGo(signal);
        if (!ended)
          throw new StillpointError('session-lost', 'the server has the session still, which may change it yet');
      } finally {
        await again.close();
      }
    }, signal);
  } catch (error) {
    const { message } = asStillpointError(error);
    throw new StillpointError('thaw-failed', `${first.message}; and over another connection: ${message}`, {
      hint: 'the pause ends by itself; the guard, the next backup or `stillpoint heal` puts the settings back',
      cause: error,
    });
  }
}

/** Waits until the server has no such connection any more, and with it nothing that it had sent; says whether that came. */
export async function hasEnded(
  id: string,
  ask: Ask,
  signal: AbortSignal,
  betweenMs = BETWEEN_CALLS_MS,
): Promise<boolean> {
  for (let look = 1; look <= CALLS; look++) {
    if (textOf(await ask('looking for the session that is gone', ['CLIENT', 'LIST', 'ID', id])).trim() === '')
      return true;
    await delay(betweenMs, undefined, { signal });
  }
  return false;
}

/** Does something that may be done twice, again while the server takes no connection or ends it; its last failure else. */
export async function whileUnreachable(
  work: () => Promise<void>,
  signal: AbortSignal,
  betweenMs = BETWEEN_CALLS_MS,
): Promise<void> {
  for (let call = 1; ; call++) {
    try {
      await work();
      return;
    } catch (error) {
      const { code } = asStillpointError(error);
      const passes = code === 'server-unreachable' || code === 'session-lost';
      if (!passes || call === CALLS || signal.aborted) throw error;
    }
    await delay(betweenMs, undefined, { signal }).catch(() => undefined);
  }
}
