/** A server that a dump is restored into: what it holds, and a database to restore into. */
import { configuredEndpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { type EngineDump, HOLDINGS_LIMIT } from '../../tools/tool';
import { Connection } from './connection';

/** What every server has. */
const SYSTEM = ['information_schema', 'mysql', 'performance_schema', 'sys'];

const OF_ALL = `SELECT schema_name AS name FROM information_schema.schemata
  WHERE schema_name NOT IN (${SYSTEM.map(() => '?').join(', ')}) ORDER BY 1 LIMIT ${HOLDINGS_LIMIT}`;

const OF_ONE = `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?
  UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema = ?
  UNION SELECT event_name FROM information_schema.events WHERE event_schema = ? ORDER BY 1 LIMIT ${HOLDINGS_LIMIT}`;

/** As an identifier, whatever is in it. */
export const identifier = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** A connection of its own, that no database needs to be there for. */
async function during<T>(target: Target, signal: AbortSignal, work: (on: Connection) => Promise<T>): Promise<T> {
  const { database: _, ...connection } = target.connection;
  const on = await Connection.open({ ...target, connection }, configuredEndpoint(target), signal);
  try {
    return await work(on);
  } finally {
    await on.close();
  }
}

/** A login of the same name is replaced by a dump of everything, the one that restores too: none is kept. */
export const destination: NonNullable<EngineDump['destination']> = async (
  target,
  { database, outOf },
  _log,
  signal,
) => {
  const one = database ?? outOf;
  const rows = await during(target, signal, (on) =>
    one === undefined
      ? on.rows('asking for the databases that are there', OF_ALL, SYSTEM, signal)
      : on.rows(`asking what the database ${one} holds`, OF_ONE, [one, one, one], signal),
  );
  return { holds: rows.map(({ name }) => `${one === undefined ? 'database ' : ''}${name}`), logins: [] };
};

export const createDatabase: NonNullable<EngineDump['createDatabase']> = (target, database, _log, signal) =>
  during(target, signal, async (on) => {
    const sql = `CREATE DATABASE IF NOT EXISTS ${identifier(database)}`;
    await on.rows(`making the database ${database}`, sql, [], signal);
  });
