/**
 * Which rights a backup needs and its user lacks. Nothing is tried by doing it, not even by setting a setting to what it is: that
 * was read a moment ago, and another backup may have let the server go in between. What would do something is put into a
 * transaction, where the server looks at the rights of each command when it is queued, and which ends with its connection.
 */
import { StillpointError } from '../../errors';
import { Connection } from './connection';
import { ruleFor } from './rights';
import type { RedisSession } from './session';
import type { Ask } from './settings';

type Command = readonly string[];

const TRANSACTION: Command = ['MULTI'];

/** All of them, as ACL rules; but for the one to send a message, which is tried by sending it. */
export async function missingRights(session: RedisSession, signal: AbortSignal): Promise<readonly string[]> {
  const inert = await refused(session.ask, inertOf(session));
  const connection = await Connection.open(session.target, session.endpoint, signal);
  try {
    const ask: Ask = (what, args) => connection.ask(what, args, signal);
    const without = await refused(ask, [TRANSACTION]);
    const queued = without.length === 0 ? await refused(ask, queuedOf(session)) : [];
    return [...inert, ...without, ...queued].map(ruleFor);
  } finally {
    await connection.close();
  }
}

/** What does nothing: it looks, or asks for what does not exist, which the server refuses after it has looked at the rights. */
function inertOf({ server }: RedisSession): readonly Command[] {
  return [
    ['CONFIG', 'SET', 'appendfsync', 'never'],
    ['CLIENT', 'PAUSE', 'never', 'WRITE'],
    ['CLIENT', 'LIST', 'ID', server.connectionId],
    ['CLIENT', 'ID'],
    ['BGSAVE', 'never'],
    ...(server.clustered ? [['CLUSTER', 'INFO']] : []),
  ];
}

/** What has no form that does nothing. Of servers with sentinels also what writes their configuration file. */
function queuedOf({ target, server }: RedisSession): readonly Command[] {
  const writesFile = target.connection.sentinel !== undefined && (server.settings.config_file ?? '') !== '';
  return [['CLIENT', 'UNPAUSE'], ...(writesFile ? [['CONFIG', 'REWRITE']] : [])];
}

/** Those of some commands that the user may not send. */
async function refused(ask: Ask, commands: readonly Command[]): Promise<readonly Command[]> {
  const all: Command[] = [];
  for (const args of commands) if (!(await may(ask, args))) all.push(args);
  return all;
}

async function may(ask: Ask, args: Command): Promise<boolean> {
  try {
    await ask(`trying ${args.slice(0, 2).join(' ')}`, args);
    return true;
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    if (error.code === 'session-lost') throw error;
    return error.code !== 'privilege-missing';
  }
}
