/**
 * Moves an alias to a database that was restored beside the one that it points to, and back. The order of steps, and the
 * statements for the database `system`. Pure.
 */
import { StillpointError } from '../../../errors';
import type { Known } from './selection';

/** What a switch did: with that it is undone. */
export interface Switched {
  readonly alias: string;
  /** What the alias pointed to. It is kept as it is. */
  readonly from: string;
  readonly to: string;
  readonly at: string;
}

/** A name beside the original's, which no deployment has used: `customer1-1767741527`. */
export function restoredName(alias: string, now: Date): string {
  const end = `-${Math.floor(now.getTime() / 1000)}`;
  // A database's name has at most 63 characters.
  return `${alias.slice(0, 63 - end.length)}${end}`;
}

/** Run after the files are there, and waited for. */
export function createStatement(database: string): string {
  return `CREATE DATABASE ${quoted(database)} WAIT`;
}

/** What a switch runs; throws where the alias, or what it is to point to, is not as it has to be. */
export function switchTo(
  { alias, to, now }: { readonly alias: string; readonly to: string; readonly now: Date },
  known: Known,
): { readonly statement: string; readonly switched: Switched } {
  const from = targetOf(alias, known);
  assertOnline(to, known);
  if (from === to.toLowerCase()) {
    throw new StillpointError('restore-exists', `alias ${alias} points to ${to} already`);
  }
  return { statement: moved(alias, to), switched: { alias, from, to, at: now.toISOString() } };
}

/** What undoes it. Refused where somebody has moved the alias since: that is not ours to undo. */
export function switchBack(switched: Switched, known: Known): string {
  const { alias, from, to } = switched;
  const target = targetOf(alias, known);
  if (target === from.toLowerCase())
    throw new StillpointError('restore-exists', `alias ${alias} points to ${from} again`);
  if (target !== to.toLowerCase()) {
    throw new StillpointError(
      'restore-differs',
      `alias ${alias} was moved from ${from} to ${to}, and now points to ${target}`,
      {
        hint: 'somebody has moved it since: move it by hand, if that is what is wanted',
      },
    );
  }
  assertOnline(from, known);
  return moved(alias, from);
}

function targetOf(alias: string, { aliases }: Known): string {
  const found = aliases.find(({ name }) => name.toLowerCase() === alias.toLowerCase());
  if (found?.location === 'local') return found.database.toLowerCase();
  throw new StillpointError(
    'database-not-found',
    found === undefined ? `there is no alias ${alias}` : `alias ${alias} points to a database of another DBMS`,
    { hint: 'see SHOW ALIASES FOR DATABASE' },
  );
}

/** Whoever came by the alias would find nothing there. */
function assertOnline(database: string, { databases }: Known): void {
  const rows = databases.filter(({ name }) => name.toLowerCase() === database.toLowerCase());
  if (rows.some(({ currentStatus }) => currentStatus === 'online')) return;
  const is = rows[0]?.currentStatus ?? 'not there';
  throw new StillpointError('restore-not-started', `database ${database} is ${is}: the alias stays where it is`);
}

function moved(alias: string, target: string): string {
  return `ALTER ALIAS ${quoted(alias)} SET DATABASE TARGET ${quoted(target)}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
