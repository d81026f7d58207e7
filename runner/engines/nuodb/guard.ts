/** Ends what a runner that is gone has begun at the backup hooks (safety rule 8): by its id, and nobody else's. */
import type { Held } from '../../../src/contract';
import type { EngineGuard, GuardSession, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { BackupHooks, currentIn } from './hooks';

export const guard: EngineGuard = {
  open: async (_target: Target, held: Held, _log: Log, signal: AbortSignal) => {
    const hooks = new BackupHooks(held.host, held.port);
    // Asked once before anything is held: a guard that cannot reach them is of no use.
    await hooks.current(signal);
    return sessionOf(hooks, held.undo.backup ?? '');
  },
};

function sessionOf(hooks: BackupHooks, id: string): GuardSession {
  return {
    holds: async (signal) => (await hooks.current(signal)) === id,
    undo: async (signal) => {
      if ((await hooks.current(signal)) !== id) return [];
      const { status, message } = await hooks.end(id, signal);
      const done = `backup ${id} was ended at the backup hooks at ${hooks.where}`;
      if (status === 200) return [done];
      // It has let go by itself meanwhile.
      if (currentIn(message) !== undefined) return [];
      // The process was started anew: its files were left, and are gone now.
      if ((await hooks.current(signal)) !== id) return [`${done}, whose archive was not held any more`];
      throw new StillpointError(
        'thaw-failed',
        `the backup hooks at ${hooks.where} did not end backup ${id}: ${message} (${status})`,
        {
          hint: `by hand: POST http://${hooks.where}/post-backup/${id}`,
        },
      );
    },
    lost: new AbortController().signal,
    close: async () => undefined,
  };
}
