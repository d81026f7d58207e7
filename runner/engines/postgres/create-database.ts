/** A database to restore into. */
import { configuredEndpoint } from '../../endpoint';
import type { EngineDump } from '../../tools/tool';
import { Connection } from './connection';

/** Makes it from an empty one: template1 may have been filled by somebody. */
export const createDatabase: NonNullable<EngineDump['createDatabase']> = async (target, database, _log, signal) => {
  const at = { ...target, connection: { ...target.connection, database: 'postgres' } };
  const on = await Connection.open(at, configuredEndpoint(target), signal);
  try {
    const there = 'SELECT FROM pg_database WHERE datname = $1';
    if ((await on.rows('asking for a database', there, [database], signal)).length > 0) return;
    const sql = `CREATE DATABASE "${database.replaceAll('"', '""')}" TEMPLATE template0`;
    await on.rows(`making the database ${database}`, sql, [], signal);
  } finally {
    await on.close();
  }
};
