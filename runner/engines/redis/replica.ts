/**
 * A replica as what is backed up. A pause of writes holds back what its primary sends as it does every writer: what comes in meanwhile
 * is kept, and done when the pause is over [tried: Redis 8.0, Valkey 8.1; redis/redis#9448].
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { Connection } from './connection';
import { readInfo } from './facts';
import type { Position } from './position';
import { clientOf, type Info, textOf } from './replies';
import type { RedisSession } from './session';

const POLL_MS = 50;

/** How long a replica may take to come to where its primary was when the backup began. */
const CATCH_UP_MS = 60_000;

/** How far the primary was when the backup began. */
export interface Lag {
  readonly position: Position;
  readonly warnings: readonly string[];
}

/** Waits until a replica has all that its primary had when this was called. Nothing to do at a primary. */
export async function catchUp(session: RedisSession, within: StepContext): Promise<Lag> {
  const { primary } = session.server;
  if (primary === undefined) return { position: {}, warnings: [] };
  const name = `${primary.host}:${primary.port}`;
  const asked = await offsetOfPrimary(session, within).catch((error: unknown) => asStillpointError(error));
  within.signal.throwIfAborted();
  if (asked instanceof StillpointError) {
    return {
      position: {},
      warnings: [`how far the replica is behind its primary ${name} is not known: ${asked.message}`],
    };
  }
  await reach(session, asked, within);
  return { position: { primaryOffset: String(asked) }, warnings: [] };
}

/** With the same user: the rights of a backup are the same at both. */
async function offsetOfPrimary({ server, target }: RedisSession, { signal }: StepContext): Promise<number> {
  const { host, port } = server.primary ?? { host: '', port: 0 };
  const connection = await Connection.open(target, { host, port, name: target.connection.host }, signal);
  try {
    const { master_replid: replid, master_repl_offset: offset } = await readInfo(connection, signal);
    if (replid === server.identity.replid) return Number(offset);
    throw new StillpointError('server-changed', `there a server of another history (${replid ?? 'unknown'}) answers`);
  } finally {
    await connection.close();
  }
}

async function reach(session: RedisSession, offset: number, within: StepContext): Promise<void> {
  for (let waited = 0; ; waited += POLL_MS) {
    const { slave_repl_offset: own } = await session.info(within);
    if (Number(own) >= offset) return;
    if (waited >= CATCH_UP_MS) {
      throw new StillpointError(
        'member-unsuitable',
        `the replica is at offset ${own ?? 'unknown'} ${CATCH_UP_MS / 1000} s after its primary was at ${offset}`,
        { hint: 'look at its link and load (INFO replication), or back up the primary' },
      );
    }
    await delay(POLL_MS, undefined, { signal: within.signal });
  }
}

/**
 * The link to the primary, for the proof: the very connection. A new one may bring a whole new copy of the primary's data, and a
 * dump in place of ours. Nothing at a primary.
 */
export async function linkFact(session: RedisSession, info: Info, within: StepContext): Promise<Position> {
  if (info.role !== 'slave') return {};
  const ask = session.within(within);
  const { id = 'none' } = clientOf(textOf(await ask('looking at the link to the primary', LIST_PRIMARY)));
  return { link: `${info.master_link_status ?? 'unknown'}, client ${id}` };
}

const LIST_PRIMARY = ['CLIENT', 'LIST', 'TYPE', 'MASTER'] as const;
