/**
 * Moves an alias to another database, and back. What it was moved from stands on the alias itself, in the statement that moves it: there
 * is no instant at which one is true without the other, and whoever reaches the server can go back. Pure.
 */
import { StillpointError } from '../../../errors';
import type { Switched } from '../../../tools/online-restore';
import { SYSTEM } from './admin-lines';
import type { Known, KnownAlias } from './selection';
import { quoted } from './statements';

/** One statement for the database `system`. */
interface Move {
  readonly statement: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly database: typeof SYSTEM;
}

/** The properties of an alias that say what moved it. Others of its owner's stay. */
const PROPERTIES = { from: 'stillpointFrom', to: 'stillpointTo', at: 'stillpointAt' } as const;

/** A name beside the original's, which no deployment has used: `customer1-1767741527`. */
export function restoredName(alias: string, now: Date): string {
  const end = `-${Math.floor(now.getTime() / 1000)}`;
  // A database's name has at most 63 characters.
  return `${alias.slice(0, 63 - end.length)}${end}`.toLowerCase();
}

/** What a switch runs; throws where the alias, or what it is to point to, is not as it has to be. */
export function switchTo(
  { alias, to, now }: { readonly alias: string; readonly to: string; readonly now: Date },
  known: Known,
): { readonly move: Move; readonly switched: Switched } {
  const found = localAlias(alias, known);
  const from = targetOf(found);
  assertOnline(to, known);
  if (from === to.toLowerCase()) {
    throw new StillpointError('restore-exists', `alias ${alias} points to ${to} already`);
  }
  const switched = { alias: found.name, from, to: to.toLowerCase(), at: now.toISOString() };
  const { [PROPERTIES.from]: _, [PROPERTIES.to]: __, [PROPERTIES.at]: ___, ...others } = found.properties ?? {};
  const noted = { [PROPERTIES.from]: from, [PROPERTIES.to]: switched.to, [PROPERTIES.at]: switched.at };
  return { move: moved(found.name, switched.to, { ...others, ...noted }), switched };
}

/** What undoes it. Refused where somebody has moved the alias since: that is not ours to undo. */
export function switchBack(
  { alias, now }: { readonly alias: string; readonly now: Date },
  known: Known,
): { readonly move: Move; readonly switched: Switched } {
  const found = localAlias(alias, known);
  const target = targetOf(found);
  const { [PROPERTIES.from]: from, [PROPERTIES.to]: to, [PROPERTIES.at]: at, ...others } = found.properties ?? {};
  if (typeof from !== 'string' || typeof to !== 'string') {
    throw new StillpointError('restore-not-found', `nothing is on record of what alias ${alias} was moved from`, {
      hint: 'name where it goes: --to-database',
    });
  }
  if (target !== to.toLowerCase()) {
    throw new StillpointError(
      'restore-differs',
      `alias ${alias} was moved from ${from} to ${to} at ${at}, and now points to ${target}`,
      { hint: 'somebody has moved it since: move it by name, if that is what is wanted: --to-database' },
    );
  }
  assertOnline(from, known);
  const switched = { alias: found.name, from: target, to: from.toLowerCase(), at: now.toISOString() };
  return { move: moved(found.name, from, others), switched };
}

/** What an alias points to, in this DBMS. */
export function localAlias(alias: string, { aliases }: Known): KnownAlias {
  const found = aliases.find(({ name }) => name.toLowerCase() === alias.toLowerCase());
  if (found?.location === 'local') return found;
  throw new StillpointError(
    'database-not-found',
    found === undefined ? `there is no alias ${alias}` : `alias ${alias} points to a database of another DBMS`,
    { hint: 'see SHOW ALIASES FOR DATABASE' },
  );
}

const targetOf = ({ database }: KnownAlias): string => database.toLowerCase();

/** Whoever came by the alias would find nothing there. */
function assertOnline(database: string, { databases }: Known): void {
  const rows = databases.filter(({ name }) => name.toLowerCase() === database.toLowerCase());
  if (rows.some(({ currentStatus }) => currentStatus === 'online')) return;
  const is = rows[0]?.currentStatus ?? 'not there';
  throw new StillpointError('restore-not-started', `database ${database} is ${is}: the alias stays where it is`);
}

function moved(alias: string, target: string, properties: Readonly<Record<string, unknown>>): Move {
  return {
    statement: `ALTER ALIAS ${quoted(alias)} SET DATABASE TARGET ${quoted(target)} PROPERTIES $properties`,
    parameters: { properties },
    database: SYSTEM,
  };
}
