/**
 * The script that `neo4j-admin database restore` writes beside a database: statements that make its users, roles and privileges
 * anew. What of it is run is chosen before anything is touched. Pure. [doc: Operations Manual, Restore users and roles metadata]
 */
import type { MetadataName } from '../../../../src/contract';
import { StillpointError } from '../../../errors';

/** The statements of a script: they end with a semicolon outside of quotes; lines that begin with `//` or `:` are the shell's. */
export function statementsIn(script: string): readonly string[] {
  const statements: string[] = [];
  let statement = '';
  let quote = '';
  const lines = script.split(/\r?\n/).filter((line) => !/^\s*(\/\/|:)/.test(line));
  const text = lines.join('\n');
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (quote !== '' && quote !== '`' && letter === '\\') {
      statement += letter + (text[++at] ?? '');
      continue;
    }
    if (quote === '' && letter === ';') {
      statements.push(statement.trim());
      statement = '';
      continue;
    }
    if (quote === letter) quote = '';
    else if (quote === '' && ["'", '"', '`'].includes(letter)) quote = letter;
    statement += letter;
  }
  if (quote !== '') throw notUnderstood(statement);
  return [...statements, statement.trim()].filter((each) => each !== '');
}

/** What of a script is run. Throws tool-failed where a statement is of a kind that is not known, and users are to be left out. */
export function chosenOf(script: string, choice: MetadataName): readonly string[] {
  if (choice === 'none') return [];
  const statements = statementsIn(script);
  return choice === 'all' ? statements : statements.filter((statement) => kindOf(statement) === 'role');
}

/** Names of roles and users stand in backticks or are words: what is granted to whom is told by the keywords before them. */
const USERS = [
  /^(CREATE( OR REPLACE)?|ALTER|RENAME|DROP) USER\s/i,
  // Memberships: they name roles right after GRANT, and no privilege does.
  /^(GRANT|REVOKE) ROLES?\s+(?!MANAGEMENT\b)/i,
];
const ROLES = [/^(CREATE|ALTER|RENAME|DROP)( OR REPLACE)?( IMMUTABLE)? ROLE\s/i, /^(GRANT|DENY|REVOKE)\s/i];

function kindOf(statement: string): 'user' | 'role' {
  if (USERS.some((pattern) => pattern.test(statement))) return 'user';
  if (ROLES.some((pattern) => pattern.test(statement))) return 'role';
  throw notUnderstood(statement);
}

/** A statement may hold the hash of a password: none of it is shown but its first words. */
function notUnderstood(statement: string): StillpointError {
  const words = statement.trim().split(/\s+/).slice(0, 2).join(' ');
  return new StillpointError(
    'tool-failed',
    `the backup's script of users and roles has a statement that is not understood: ${words} …`,
    { hint: 'take all of it, or none: metadata' },
  );
}
