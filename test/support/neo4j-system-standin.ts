/**
 * A stand-in for the database `system` of Neo4j's Enterprise edition, which was not to be had: Community has no aliases. It stands
 * in for the connection, not for the server: Bolt, logins and TLS are tried on the real Community server. What it is not:
 * - it answers three statements by their words (`SHOW DATABASES YIELD *`, `SHOW ALIASES FOR DATABASE YIELD …`, `ALTER ALIAS … SET
 *   DATABASE TARGET …`), parses none, and fails for all others;
 * - its rows have the columns that are read, and no others; a database has one row, as on a single server;
 * - it knows no privileges, and every login is that of an administrator;
 * - an alias that is moved to what is not there is moved all the same.
 */
import type { Answer } from '../../runner/engines/neo4j/connection';
import type { OpenConnection } from '../../runner/engines/neo4j/enterprise/online';
import { SHOW_ALIASES, SHOW_DATABASES } from '../../runner/engines/neo4j/enterprise/selection';

export interface SystemStandin {
  /** Names, and how they are. */
  readonly databases: Readonly<Record<string, { readonly type?: string; readonly currentStatus?: string }>>;
  /** Names, and what they point to. */
  readonly aliases: Record<string, string>;
  /** Which database each statement was run on. */
  readonly asked: string[];
  open: OpenConnection;
}

export function systemStandin(
  databases: SystemStandin['databases'],
  aliases: Readonly<Record<string, string>> = {},
): SystemStandin {
  const now = { ...aliases };
  const asked: string[] = [];
  const answer = (statement: string): Answer['rows'] => {
    if (statement === SHOW_DATABASES) {
      return Object.entries(databases).map(([name, { type = 'standard', currentStatus = 'online' }]) => ({
        name,
        type,
        currentStatus,
      }));
    }
    if (statement === SHOW_ALIASES) {
      return Object.entries(now).map(([name, database]) => ({ name, database, location: 'local' }));
    }
    const [, alias, target] = /^ALTER ALIAS `([^`]+)` SET DATABASE TARGET `([^`]+)`$/.exec(statement) ?? [];
    if (alias === undefined || target === undefined) throw new Error(`the stand-in does not know: ${statement}`);
    now[alias] = target;
    return [];
  };
  return {
    databases,
    aliases: now,
    asked,
    open: async () => ({
      ask: async (_what, statement, _signal, database) => {
        asked.push(`${database}: ${statement}`);
        return { rows: answer(statement), bookmark: undefined };
      },
      close: async () => undefined,
    }),
  };
}
