/** What pg_dump and pg_dumpall would stop at, in databases that are named: asked before anything is written. */
import { configuredEndpoint } from '../../endpoint';
import type { Target } from '../../engine';
import type { Finding } from '../../ports';
import { type EngineDump, HOLDINGS_LIMIT } from '../../tools/tool';
import { Connection, type Row } from './connection';

/** The hashes of passwords are among what makes a role. */
const ROLES = `SELECT current_user AS who, has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may`;

const DATABASE = `SELECT datallowconn AS open, has_database_privilege(oid, 'CONNECT') AS may FROM pg_database WHERE datname = $1`;

/** Tables and sequences that the user may not read, or not all rows of. What comes with an extension is not dumped. */
const UNREAD = `
  SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid))
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1 LIMIT ${HOLDINGS_LIMIT}`;

/** Findings of databases that are dumped one by one. Of a whole server, and of one database, the tools complain themselves. */
export const unseen: NonNullable<EngineDump['unseen']> = async (target, { databases = [] }, signal) => {
  if (databases.length === 0) return [];
  const server = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const [{ who, may } = {}] = await server.rows('asking what the user may read', ROLES, [], signal);
    const findings: Finding[] = may === 't' ? [] : [rolesFinding(`${who}`)];
    for (const database of databases) {
      const [found] = await server.rows('asking for a database', DATABASE, [database], signal);
      const closed = closedFinding(database, found, `${who}`);
      findings.push(...(closed === undefined ? await unreadIn(target, database, `${who}`, signal) : [closed]));
    }
    return findings;
  } finally {
    await server.close();
  }
};

function closedFinding(database: string, found: Row | undefined, who: string): Finding | undefined {
  const finding = { severity: 'error', subject: `database ${database}` } as const;
  if (found === undefined) {
    const message = `the server has no database ${database}, and the policy names it`;
    return { ...finding, code: 'config-invalid', message, hint: 'take it out of databases' };
  }
  if (found.open !== 't') {
    const message = `database ${database} lets nobody connect, and the policy names it`;
    return { ...finding, code: 'config-invalid', message, hint: 'take it out of databases' };
  }
  if (found.may === 't') return undefined;
  const message = `user ${who} may not connect to database ${database}`;
  return {
    ...finding,
    code: 'privilege-missing',
    message,
    hint: 'as an administrator: GRANT CONNECT ON DATABASE … TO …',
  };
}

function rolesFinding(who: string): Finding {
  return {
    severity: 'error',
    code: 'privilege-missing',
    subject: `user ${who}`,
    message: `user ${who} may not read the roles of the server with their passwords`,
    hint: 'name a superuser in credentials; or dump one database with onlyDatabase, which has no roles in it',
  };
}

async function unreadIn(
  target: Target,
  database: string,
  who: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const at = { ...target, connection: { ...target.connection, database } };
  const on = await Connection.open(at, configuredEndpoint(target), signal);
  try {
    const rows = await on.rows(`asking what may be read in the database ${database}`, UNREAD, [], signal);
    if (rows.length === 0) return [];
    const names = rows.map(({ name }) => name).join(', ');
    return [
      {
        severity: 'error',
        code: 'privilege-missing',
        subject: `database ${database}`,
        message: `user ${who} may not read all of ${names} in database ${database}`,
        hint: 'as an administrator: GRANT pg_read_all_data TO …, and BYPASSRLS where rows have policies',
      },
    ];
  } finally {
    await on.close();
  }
}
