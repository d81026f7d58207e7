/** Ends a backup's hold on a server: writes go on first, then the settings go back. */
import type { Held } from '../../../src/contract';
import type { StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { openGuard } from './guard';
import type { RedisSession } from './session';
import { putBack } from './settings';

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
    const again = await openGuard(session.target, { member: `${host}:${port}`, host, port, undo }, signal);
    try {
      await again.letGo(signal);
    } finally {
      await again.close();
    }
  } catch (error) {
    const { message } = asStillpointError(error);
    throw new StillpointError('thaw-failed', `${first.message}; and over another connection: ${message}`, {
      hint: 'the pause ends by itself; the guard, the next backup or `stillpoint heal` puts the settings back',
      cause: error,
    });
  }
}
