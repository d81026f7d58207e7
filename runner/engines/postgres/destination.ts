/** A server that a dump is restored into: what it holds, and who logs in there. */
import { configuredEndpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { type Destination, type EngineDump, HOLDINGS_LIMIT } from '../../tools/tool';
import { Connection, type Row } from './connection';

/** A new server has three; what lies in one of them shows when that is asked. */
const DATABASES = `SELECT 'database ' || datname AS what FROM pg_database
  WHERE datname NOT IN ('postgres', 'template0', 'template1') ORDER BY 1 LIMIT ${HOLDINGS_LIMIT}`;

/** What a user has made that is neither the server's own nor of an extension. Row types and array types go with others. */
const OBJECTS = `
  WITH own AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
  SELECT what FROM (
    SELECT 'pg_class'::regclass AS class, c.oid, 'relation ' || c.oid::regclass AS what FROM pg_class c
      WHERE c.relnamespace IN (SELECT oid FROM own) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 'function ' || p.oid::regprocedure FROM pg_proc p
      WHERE p.pronamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 'type ' || t.oid::regtype FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typnamespace IN (SELECT oid FROM own) AND t.typcategory <> 'A' AND t.typtype <> 'm' AND coalesce(c.relkind = 'c', true)
    UNION ALL
    SELECT 'pg_operator'::regclass, o.oid, 'operator ' || o.oid::regoperator FROM pg_operator o
      WHERE o.oprnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT 'pg_collation'::regclass, c.oid, 'collation ' || quote_ident(c.collname) FROM pg_collation c
      WHERE c.collnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, 'schema ' || quote_ident(n.nspname) FROM pg_namespace n
      WHERE n.oid IN (SELECT oid FROM own) AND n.nspname <> 'public'
    UNION ALL
    SELECT 'pg_publication'::regclass, p.oid, 'publication ' || quote_ident(p.pubname) FROM pg_publication p
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, e.oid, 'event trigger ' || quote_ident(e.evtname) FROM pg_event_trigger e
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, f.oid, 'foreign server ' || quote_ident(f.srvname) FROM pg_foreign_server f
    UNION ALL
    SELECT 'pg_largeobject'::regclass, l.oid, 'large object ' || l.oid FROM pg_largeobject_metadata l
  ) made
  WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = made.class AND d.objid = made.oid AND d.deptype = 'e')
  ORDER BY 1 LIMIT ${HOLDINGS_LIMIT}`;

const ROLES = 'SELECT rolname AS name FROM pg_roles ORDER BY 1';

async function ask(target: Target, database: string, sql: string, signal: AbortSignal): Promise<readonly Row[]> {
  const at = { ...target, connection: { ...target.connection, database } };
  const on = await Connection.open(at, configuredEndpoint(target), signal);
  try {
    return await on.rows(`asking what the database ${database} holds`, sql, [], signal);
  } finally {
    await on.close();
  }
}

/** Roles do not count: a server has those that its image, or who set it up, has made. They stay as they are in all things (replay.ts). */
export const destination: NonNullable<EngineDump['destination']> = async (
  target,
  { database, outOf },
  log,
  signal,
): Promise<Destination> => {
  const one = database ?? outOf;
  const found: Row[] = [];
  if (one === undefined) {
    found.push(...(await ask(target, 'postgres', DATABASES, signal)));
    // What a dump of all puts into these it puts beside what is there.
    for (const each of ['postgres', 'template1']) found.push(...(await ask(target, each, OBJECTS, signal)));
  } else {
    found.push(...(await ask(target, one, OBJECTS, signal)));
  }
  const roles = await ask(target, one ?? 'postgres', ROLES, signal);
  const named = roles.map(({ name }) => `${name}`).filter((name) => !name.startsWith('pg_'));
  if (one === undefined)
    log.info({ roles: named }, 'these roles are there, and stay as they are: the dump changes none of them');
  return { holds: found.map(({ what }) => `${what}`), logins: roles.map(({ name }) => `${name}`) };
};
