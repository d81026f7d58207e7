/**
 * What the user of a dump may see. The tool leaves out what its user may not see, with exit code 0 and a closing line: a part that looks
 * like the whole.
 */
import { configuredEndpoint } from '../../endpoint';
import type { Finding } from '../../ports';
import type { EngineDump } from '../../tools/tool';
import { accountInSql } from './checks';
import { Connection } from './connection';
import { identifier } from './destination';
import { dialectOf, type Flavour } from './versions';

/** What the tool asks for without complaining where it may not: tables and rows, views, triggers, events. */
const NEEDED = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'];
/** Where routines are kept: who may read that sees them all, but in a MySQL that has a privilege for it. */
const SYSTEM = 'mysql';
/** Since when MySQL has that privilege. [doc: SHOW_ROUTINE] */
const SHOW_ROUTINE_SINCE = 80_020;

/** A line of SHOW GRANTS that is about what is in databases. */
interface Grant {
  readonly revoked: boolean;
  readonly privileges: ReadonlySet<string>;
  /** The database, as a pattern; undefined: all of them. */
  readonly database: string | undefined;
}

/** Reads a line of SHOW GRANTS; undefined where it is of one table, one routine, or a role. */
function grantIn(line: string): Grant | undefined {
  const [, verb, list, name] = /^(GRANT|REVOKE) (.+?) ON (\*|`(?:[^`]|``)+`)\.\* (?:TO|FROM) /.exec(line) ?? [];
  if (list === undefined || name === undefined) return undefined;
  return {
    revoked: verb === 'REVOKE',
    privileges: new Set(list.split(',').map((privilege) => privilege.trim().toUpperCase())),
    database: name === '*' ? undefined : name.slice(1, -1).replaceAll('``', '`'),
  };
}

/** Whether the pattern of a grant takes a database in: `_` and `%` stand for others unless they are escaped. */
function takesIn(pattern: string, database: string): boolean {
  const expression = pattern.replaceAll(/\\([_%])|([_%])|([^\w])/g, (_all, escaped, wild, other) => {
    if (wild !== undefined) return wild === '_' ? '.' : '.*';
    return escaped ?? `\\${other}`;
  });
  return new RegExp(`^${expression}$`, 's').test(database);
}

/** What somebody may do, by the lines of SHOW GRANTS. */
class Grants {
  readonly #all: readonly Grant[];

  constructor(lines: readonly string[]) {
    this.#all = lines.map(grantIn).filter((grant) => grant !== undefined);
  }

  /** Whether a privilege is held on everything, or on the database that is named. */
  may(privilege: string, database: string | undefined): boolean {
    return this.#all.some(
      ({ revoked, privileges, database: of }) =>
        !revoked &&
        (privileges.has(privilege) || privileges.has('ALL PRIVILEGES')) &&
        (of === undefined || (database !== undefined && takesIn(of, database))),
    );
  }

  /** What of it was taken back for single databases. */
  takenBack(database: string | undefined): readonly string[] {
    return this.#all
      .filter(
        ({ revoked, database: of }) => revoked && of !== undefined && (database === undefined || takesIn(of, database)),
      )
      .flatMap(({ privileges, database: of }) =>
        NEEDED.filter((each) => privileges.has(each)).map((each) => `${each} on ${of}`),
      );
  }
}

/** What is dumped, and by whose rules. */
interface Asked {
  readonly database: string | undefined;
  readonly flavour: Flavour;
  /** As the server says it. */
  readonly version: string;
}

/** The privilege by which routines are seen, apart from SELECT on everything; undefined where there is none. */
function routinePrivilege({ flavour, version }: Pick<Asked, 'flavour' | 'version'>): string | undefined {
  if (flavour === 'mariadb') return 'SHOW CREATE ROUTINE';
  return dialectOf(version).number >= SHOW_ROUTINE_SINCE ? 'SHOW_ROUTINE' : undefined;
}

/** What is missing to see all of a server, or of one database: nothing is left out for want of a right where there is none. */
export function missingGrants(lines: readonly string[], { database }: Pick<Asked, 'database'>): readonly string[] {
  const grants = new Grants(lines);
  return [...NEEDED.filter((privilege) => !grants.may(privilege, database)), ...grants.takenBack(database)];
}

/** Whether the routines are seen that others have made. */
export function seesRoutines(lines: readonly string[], asked: Asked): boolean {
  const grants = new Grants(lines);
  if (grants.may('SELECT', undefined)) return true;
  const privilege = routinePrivilege(asked);
  // MySQL knows the privilege of everything alone.
  const own = privilege !== undefined && grants.may(privilege, asked.flavour === 'mysql' ? undefined : asked.database);
  return own || ((asked.flavour === 'mariadb' || privilege === undefined) && grants.may('SELECT', SYSTEM));
}

/** The lines of SHOW GRANTS, with what the roles give that the session has: the tool's session has the same. */
async function grantsOf(on: Connection, flavour: Flavour, signal: AbortSignal): Promise<readonly string[]> {
  const asking = 'asking what the user may do';
  // How names are quoted is a setting of the server.
  await on.rows(asking, "SET SESSION sql_mode = '', sql_quote_show_create = 1", [], signal);
  const lines = async (sql: string): Promise<readonly string[]> =>
    (await on.rows(asking, sql, [], signal)).flatMap((row) => Object.values(row)).map((value) => value ?? '');
  // MariaDB adds those of the role by itself, and MySQL 5.7 has none.
  if (flavour === 'mariadb') return await lines('SHOW GRANTS');
  const [roles = 'NONE'] = await lines('SELECT CURRENT_ROLE()').catch(() => ['NONE']);
  return await lines(roles === 'NONE' ? 'SHOW GRANTS' : `SHOW GRANTS FOR CURRENT_USER() USING ${roles}`);
}

export const unseen: NonNullable<EngineDump['unseen']> = async (target, { database, flavour: of }, signal) => {
  const flavour = of === 'mariadb' ? 'mariadb' : 'mysql';
  const { database: _, ...connection } = target.connection;
  const on = await Connection.open({ ...target, connection }, configuredEndpoint(target), signal);
  try {
    const { version } = await on.row('asking for its version', 'SELECT VERSION() AS version', [], signal);
    const [lines, asked] = [await grantsOf(on, flavour, signal), { database, flavour, version: `${version}` } as const];
    const missing = missingGrants(lines, asked);
    const routines = seesRoutines(lines, asked);
    if (missing.length === 0 && routines) return [];
    const { account } = await on.row('asking who logs in', 'SELECT CURRENT_USER() AS account', [], signal);
    return [missing.length > 0 ? partFinding(`${account}`, missing, database) : routinesFinding(`${account}`, asked)];
  } finally {
    await on.close();
  }
};

function partFinding(account: string, missing: readonly string[], database: string | undefined): Finding {
  const [what, place] =
    database === undefined ? ['the server', '*.*'] : [`the database ${database}`, `${identifier(database)}.*`];
  return {
    severity: 'error',
    code: 'privilege-missing',
    subject: `user ${account}`,
    message: `user ${account} may not see all of ${what}, and the tool leaves out without a word what it may not see: it lacks ${missing.join(', ')}`,
    hint: `as an administrator: GRANT ${NEEDED.join(', ')} ON ${place} TO ${accountInSql(account)}`,
  };
}

/** There may be none: that is not known without the right to see them. */
function routinesFinding(account: string, asked: Asked): Finding {
  const { flavour, database } = asked;
  const privilege = routinePrivilege(asked);
  const everywhere = flavour === 'mysql' ? '*.*' : `${identifier(database ?? '')}.*`;
  const grant = privilege === undefined ? `SELECT ON ${SYSTEM}.*` : `${privilege} ON ${everywhere}`;
  return {
    severity: 'warning',
    code: 'privilege-missing',
    subject: `user ${account}`,
    message: `user ${account} sees no routines that others have made, and the tool leaves them out without a word`,
    hint: `as an administrator: GRANT ${grant} TO ${accountInSql(account)}`,
  };
}
