/** Reads what the checks look at: what the user may do, and what else is going on at the server. */
import { StillpointError } from '../../errors';
import { Connection } from './connection';
import { type Info, infoOf } from './replies';
import { ruleFor } from './rights';
import type { RedisSession } from './session';
import { type Ask, OURS } from './settings';
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
  const missing = [...(await missingRights(session)), ...(await missingForSentinels(session, signal))];
  if (missing.length > 0) return { info, missingRights: missing, paused: false };
  const clusterInfo = session.server.clustered
    ? infoOf(await session.ask('reading the state of the cluster', ['CLUSTER', 'INFO']))
    : undefined;
  const through = await asWriter(session, signal);
  if (through !== true) {
    return { info, clusterInfo, missingRights: through === false ? [] : [through], paused: through === false };
  }
  // Nothing is paused: there is nothing that this could end.
  const mayUnpause = await may(session.ask, ['CLIENT', 'UNPAUSE']);
  return { info, clusterInfo, missingRights: mayUnpause ? [] : [ruleFor(['CLIENT', 'UNPAUSE'])], paused: false };
}

/**
 * Each right is tried by what changes nothing: settings are set to what they are, and the others are asked for something that
 * does not exist, which the server refuses after it has looked at the rights.
 */
async function missingRights({ ask, server }: RedisSession): Promise<readonly string[]> {
  const same = Object.keys(OURS).flatMap((name) => {
    const value = server.settings[name];
    return value === undefined ? [] : [name, value];
  });
  const tries: readonly (readonly string[])[] = [
    ['CONFIG', 'SET', ...(server.dialect.sinceSeven ? same : same.slice(0, 2))],
    ['CLIENT', 'PAUSE', 'never', 'WRITE'],
    ['CLIENT', 'LIST', 'ID', server.connectionId],
    ['CLIENT', 'ID'],
    ['BGSAVE', 'never'],
    ...(server.clustered ? [['CLUSTER', 'INFO']] : []),
  ];
  const missing: string[] = [];
  for (const args of tries) if (!(await may(ask, args))) missing.push(ruleFor(args));
  return missing;
}

/**
 * Writing the configuration file has no form that changes nothing; in a transaction the server looks at the rights of each command
 * when it is queued, and this one ends with its connection.
 */
async function missingForSentinels(
  { target, endpoint, server }: RedisSession,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (target.connection.sentinel === undefined || (server.settings.config_file ?? '') === '') return [];
  const connection = await Connection.open(target, endpoint, signal);
  try {
    const ask: Ask = (what, args) => connection.ask(what, args, signal);
    if (!(await may(ask, ['MULTI']))) return [ruleFor(['MULTI']), ruleFor(['CONFIG', 'REWRITE'])];
    return (await may(ask, ['CONFIG', 'REWRITE'])) ? [] : [ruleFor(['CONFIG', 'REWRITE'])];
  } finally {
    await connection.close();
  }
}

async function may(ask: Ask, args: readonly string[]): Promise<boolean> {
  try {
    await ask(`trying ${args.slice(0, 2).join(' ')}`, args);
    return true;
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    if (error.code === 'session-lost') throw error;
    return error.code !== 'privilege-missing';
  }
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
