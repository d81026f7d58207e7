/** Whether a standstill could be had: every database lets the user in, and every table lets itself be locked. */
import { lookLimit } from '../../endpoint';
import { asStillpointError } from '../../errors';
import type { Finding } from '../../ports';
import type { ServerFacts } from './facts';
import { openTableLocks, releaseAll } from './plan-locked';
import type { PostgresSession } from './session';
import type { NotLockable } from './table-locks';

/** Looks at every database of the session's server, as the user who will lock. */
export async function checkTableLocks(session: PostgresSession): Promise<readonly Finding[]> {
  using limit = lookLimit(session.target, 'trying the locks');
  const { signal } = limit;
  const { user, dialect } = session.server;
  try {
    const locks = await openTableLocks(session, signal);
    try {
      const found: Finding[] = [];
      for (const one of locks)
        found.push(...lacks(await one.notLockable(dialect.major >= 17, signal), one.database, user.name, dialect));
      return found;
    } finally {
      await releaseAll(locks, signal);
    }
  } catch (thrown) {
    const { code, message, hint } = asStillpointError(thrown);
    const denied = code === 'authentication-failed' || code === 'privilege-missing';
    const remedy = `let the user connect to every database of the server: GRANT CONNECT ON DATABASE … TO "${user.name}", and pg_hba.conf`;
    return [{ severity: 'error', code, subject: `user ${user.name}`, message, hint: denied ? remedy : hint }];
  }
}

function lacks(
  tables: readonly NotLockable[],
  database: string,
  user: string,
  { major }: Pick<ServerFacts['dialect'], 'major'>,
): readonly Finding[] {
  const [first] = tables;
  if (first === undefined) return [];
  const others = tables.length === 1 ? '' : ` and ${tables.length - 1} others`;
  return [
    {
      severity: 'error',
      code: 'privilege-missing',
      subject: `user ${user}`,
      message: `user ${user} may not lock table ${first.name}${others} of database ${database}`,
      hint: first.seen
        ? lockRole(user, major)
        : `as a superuser in database ${database}: GRANT USAGE ON SCHEMA ${first.schema} TO "${user}"`,
    },
  ];
}

/** The role that may lock every table, by version. */
function lockRole(user: string, major: number): string {
  if (major >= 17) return `as a superuser: GRANT pg_maintain TO "${user}"`;
  if (major >= 14) return `as a superuser: GRANT pg_write_all_data TO "${user}" (pg_maintain is new in 17)`;
  return `in that database: GRANT DELETE ON ALL TABLES IN SCHEMA … TO "${user}"`;
}
