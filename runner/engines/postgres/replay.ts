/** What of a dump of all databases is not put to a server that has it already. Pure. */
import type { Content } from '../../pipe/stages';

/** What a statement of pg_dumpall begins with that is about one role, up to the role's name. */
const OF_ROLE = /^(CREATE|ALTER) ROLE ("(?:[^"]|"")+"|[^\s;"]+)( WITH |;)/;

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/**
 * Whether a line of the dump's head is left out: pg_dumpall makes every role, and psql stops where it is there already. Such a role keeps
 * its attributes (safety rule 12), and the password that the server was set up with: with another one of its own psql could connect
 * to no database after that line. Settings (ALTER ROLE … SET), memberships and comments of the dump are added to it.
 */
export function isLeftOut(line: string, there: readonly string[]): boolean {
  const [, verb, quoted = '', rest] = OF_ROLE.exec(line) ?? [];
  const role = unquoted(quoted);
  if (verb === 'CREATE') return rest === ';' && there.includes(role);
  return verb === 'ALTER' && rest === ' WITH ' && there.includes(role);
}

const NEWLINE = 10;

/**
 * The dump without the lines that are left out. They stand before it connects to the first database: what comes after, rows
 * that look the same among it, goes by as it is.
 */
export async function* withoutRoles(content: Content, there: readonly string[]): AsyncGenerator<Uint8Array, void> {
  let rest: Buffer = Buffer.alloc(0);
  let inHead = true;
  for await (const chunk of content) {
    if (!inHead) {
      yield chunk;
      continue;
    }
    rest = Buffer.concat([rest, chunk]);
    const kept: Buffer[] = [];
    for (let end = rest.indexOf(NEWLINE); inHead && end >= 0; end = rest.indexOf(NEWLINE)) {
      const line = rest.subarray(0, end + 1);
      rest = rest.subarray(end + 1);
      const text = line.toString('utf8').trimEnd();
      if (text.startsWith('\\connect ')) inHead = false;
      if (!isLeftOut(text, there)) kept.push(line);
    }
    if (!inHead) kept.push(rest);
    if (kept.length > 0) yield Buffer.concat(kept);
  }
  if (inHead && rest.length > 0) yield rest;
}
