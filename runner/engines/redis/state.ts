/** Reads what the checks look at: what the user may do, and what else is going on at the server. */
import { StillpointError } from '../../errors';
import { missingRights } from './missing-rights';
import { type Info, infoOf } from './replies';
import { ruleFor } from './rights';
import type { RedisSession } from './session';
import { CHANNEL, WaitingWriter } from './waiting-writer';

/** The server as it is at the moment. */
export interface ServerState {
  readonly info: Info;
  /** How the cluster is; undefined where the server is no node of one. */
  readonly clusterInfo?: Info | undefined;
  /** Rights that a backup needs and the user lacks, as ACL rules. */
  readonly missingRights: readonly string[];
  /** Whether writes wait although this backup has paused nothing. */
  readonly paused: boolean;
}

/** Reads it all. Nothing of it changes anything. */
export async function readState(session: RedisSession, signal: AbortSignal): Promise<ServerState> {
  const info = infoOf(await session.ask('reading what the server says of itself', ['INFO']));
  const missing = await missingRights(session, signal);
  if (missing.length > 0) return { info, missingRights: missing, paused: false };
  const clusterInfo = session.server.clustered
    ? infoOf(await session.ask('reading the state of the cluster', ['CLUSTER', 'INFO']))
    : undefined;
  const through = await asWriter(session, signal);
  const lacks = typeof through === 'string' ? [through] : [];
  return { info, clusterInfo, missingRights: lacks, paused: through === false };
}

/** Whether a write would get through: true, false, or the right that is missing to find out. */
async function asWriter({ target, endpoint, ask }: RedisSession, signal: AbortSignal): Promise<boolean | string> {
  const writer = await WaitingWriter.open(target, endpoint, signal);
  try {
    return await writer.getsThrough(ask);
  } catch (error) {
    if (error instanceof StillpointError && error.code === 'privilege-missing') return ruleFor(['PUBLISH', CHANNEL]);
    throw error;
  } finally {
    await writer.close();
  }
}
