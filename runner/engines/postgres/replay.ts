/** What of a dump of all databases is not put to a server that has it already. Pure. */
import type { Content } from '../../pipe/stages';
import { latin1, rewritten } from './script';

const NAME = '("(?:[^"]|"")+"|[^\\s;"]+)';

/** The statements of pg_dumpall that make or change one role, each with that role's name. */
const OF_ROLE: readonly RegExp[] = [
  new RegExp(`^CREATE ROLE ${NAME};`),
  // Attributes and password, and settings: of a setting in one database it is that database, which the dump makes, that has it.
  new RegExp(`^ALTER ROLE ${NAME} (?:WITH|SET) `),
  new RegExp(`^COMMENT ON ROLE ${NAME} IS `),
  new RegExp(`^SECURITY LABEL FOR ${NAME.replace('(', '(?:')} ON ROLE ${NAME} IS `),
  // Who becomes a member. What is granted on the dump's own tablespaces changes these, and no role.
  new RegExp(`^GRANT ${NAME.replace('(', '(?:')} TO ${NAME}(?: WITH | GRANTED BY |;)`),
  new RegExp(`^GRANT [A-Z, ]+ ON PARAMETER \\S+ TO ${NAME}(?: WITH |;)`),
];

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/**
 * Whether a statement of the dump's head is left out: a role that is there stays as it is, whatever the dump says of one of its name
 * (safety rule 12), the password that the server was set up with too: with another one of its own psql could connect to no database
 * after that line. And psql stops at a role that is there.
 */
export function isLeftOut(line: string, there: readonly string[]): boolean {
  return OF_ROLE.some((statement) => {
    const name = statement.exec(line)?.[1];
    return name !== undefined && there.includes(unquoted(name));
  });
}

/**
 * The dump without the statements that are left out, with all of their lines. They stand before it connects to the first database:
 * what comes after, rows that look the same among it, goes by as it is.
 */
export function withoutRoles(content: Content, roles: readonly string[]): AsyncGenerator<Uint8Array, void> {
  const there = roles.map(latin1);
  const state = { inHead: true, leavesOut: false };
  return rewritten(content, ({ bytes, line }) => {
    if (!state.inHead) return bytes;
    if (line?.startsWith('\\connect ')) state.inHead = false;
    // What begins inside of something belongs to the statement before.
    if (line !== undefined) state.leavesOut = isLeftOut(line, there);
    return state.leavesOut ? undefined : bytes;
  });
}
