/** Puts back what a backup has changed at a server, from another process than the one that changed it. */
import type { Held } from '../../../src/contract';
import type { EngineGuard, GuardSession, Target } from '../../engine';
import { StillpointError } from '../../errors';
import { Connection } from './connection';
import { readInfo } from './facts';
import { type Ask, putBack, RUN, stillOurs } from './settings';

/** What is undone for a runner that is gone. */
export const guard: EngineGuard = {
  open: (target, held, _log, signal) => openGuard(target, held, signal),
};

/** Connects to the server that a plan holds, at its own address. */
export async function openGuard(target: Target, held: Held, signal: AbortSignal): Promise<RedisGuard> {
  const { host, port, undo } = held;
  const connection = await Connection.open(target, { host, port, name: target.connection.host }, signal);
  try {
    const { run_id: running } = await readInfo(connection, signal);
    if (undo[RUN] === undefined || undo[RUN] === running) return new RedisGuard(connection, undo);
    throw new StillpointError(
      'server-changed',
      `at ${host}:${port} the server runs as ${running ?? 'unknown'}, and what was changed was at ${undo[RUN]}`,
      { hint: 'it was restarted or replaced: what CONFIG SET had changed has ended with it' },
    );
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class RedisGuard implements GuardSession {
  constructor(
    private readonly connection: Connection,
    private readonly undoMap: Held['undo'],
  ) {}

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  async holds(signal: AbortSignal): Promise<boolean> {
    return Object.keys(await stillOurs(this.asking(signal), this.undoMap)).length > 0;
  }

  /**
   * The pause ends by itself; it is ended here too, but only where a setting shows that the backup has not ended in the
   * ordinary way: it could be somebody else's.
   */
  async undo(signal: AbortSignal): Promise<readonly string[]> {
    if (!(await this.holds(signal))) return [];
    return await this.letGo(signal);
  }

  /** Writes go on, and the settings go back. */
  async letGo(signal: AbortSignal): Promise<readonly string[]> {
    const ask = this.asking(signal);
    await ask('letting writes go on', ['CLIENT', 'UNPAUSE']);
    return await putBack(ask, this.undoMap);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** Sends commands on its connection. */
  asking(signal: AbortSignal): Ask {
    return (what, args) => this.connection.ask(what, args, signal);
  }
}
