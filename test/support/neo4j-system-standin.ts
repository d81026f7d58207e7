/**
 * A stand-in for the database `system` of Neo4j's Enterprise edition, which was not to be had: Community has no aliases, and makes no
 * databases. It stands in for the connection, not for the server: Bolt, logins and TLS are tried on the real Community server. What
 * it is not:
 * - it answers some statements by their words (SHOW DATABASES, ALIASES, SETTINGS; CREATE DATABASE … seedURI, DROP DATABASE, ALTER ALIAS; and what
 *   begins with CREATE ROLE, CREATE USER, GRANT), parses none, and fails for all others;
 * - its rows have the columns that are read, and no others; a database has one row, as on a single server;
 * - it knows no privileges, and every login is that of an administrator;
 * - a seed is really fetched by HTTP, and is good if it is JSON with a number `highest`: what neo4j-admin's stand-in calls a dump;
 * - what is dropped is not dumped, and may be pointed to by an alias: the real one refuses that;
 * - an alias that is moved to what is not there is moved all the same.
 */
import type { Answer, Change } from '../../runner/engines/neo4j/connection';
import type { OpenConnection } from '../../runner/engines/neo4j/enterprise/online';
import { SHOW_ALIASES, SHOW_DATABASES } from '../../runner/engines/neo4j/enterprise/selection';
import { SHOW_PROVIDERS } from '../../runner/engines/neo4j/enterprise/statements';
import { StillpointError } from '../../runner/errors';

interface Database {
  readonly type?: string;
  readonly currentStatus?: string;
  readonly statusMessage?: string;
  readonly lastCommittedTxn?: number;
}

export interface SystemStandin {
  /** Names, and how they are. */
  readonly databases: Record<string, Database>;
  /** Names, and what they point to. */
  readonly aliases: Record<string, string>;
  /** Of each alias what is kept with it. */
  readonly properties: Record<string, Readonly<Record<string, unknown>>>;
  /** Which database each statement was run on. */
  readonly asked: string[];
  /** The statements that changed something. */
  readonly changed: string[];
  open: OpenConnection;
}

interface Seed {
  readonly highest: number;
}

export interface Oddities {
  readonly edition?: string;
  /** Undefined: the question is not answered. */
  readonly providers?: string | undefined;
  /** What happens to a seed between its fetch and its database; throws what `SHOW DATABASES` is to say. */
  readonly seeded?: (seed: Seed) => Seed | Promise<Seed>;
  readonly onChange?: (statement: string) => void;
}

const PROVIDERS = 'CloudSeedProvider,URLConnectionSeedProvider';

export function systemStandin(
  databases: Readonly<Record<string, Database>>,
  aliases: Readonly<Record<string, string>> = {},
  oddities: Oddities = {},
): SystemStandin {
  const { edition = 'enterprise', seeded = (seed) => seed, onChange } = oddities;
  const providers = 'providers' in oddities ? oddities.providers : PROVIDERS;
  const now: Record<string, Database> = { ...databases };
  const pointing = { ...aliases };
  const properties: SystemStandin['properties'] = {};
  const [asked, changed]: [string[], string[]] = [[], []];

  const answer = (statement: string): Answer['rows'] => {
    if (statement === SHOW_DATABASES) {
      return Object.entries(now).map(([name, each]) => ({
        type: 'standard',
        currentStatus: 'online',
        statusMessage: '',
        ...each,
        name,
      }));
    }
    if (statement === SHOW_ALIASES) {
      return Object.entries(pointing).map(([name, database]) => {
        return { name, database, location: 'local', properties: properties[name] ?? {} };
      });
    }
    if (statement === SHOW_PROVIDERS && providers !== undefined) return [{ value: providers }];
    if (statement.startsWith('CALL dbms.components()')) return [{ versions: ['2025.10.0'], edition }];
    throw new StillpointError('freeze-failed', `the stand-in does not know: ${statement}`);
  };

  const seed = async (name: string, uri: string): Promise<void> => {
    now[name] = { currentStatus: 'starting' };
    try {
      const response = await fetch(uri);
      if (!response.ok) throw new Error(`${response.status} for the seed`);
      const { highest } = await seeded((await response.json()) as Seed);
      if (typeof highest !== 'number') throw new Error('the seed is no dump');
      now[name] = { lastCommittedTxn: highest };
    } catch (thrown) {
      now[name] = { currentStatus: 'offline', statusMessage: `Unable to start database: ${(thrown as Error).message}` };
    }
  };

  const change = ({ statement, parameters = {} }: Change): void => {
    onChange?.(statement);
    changed.push(statement);
    const [, created] =
      /^CREATE DATABASE `([^`]+)` OPTIONS \{existingData: 'use', seedURI: \$uri\} NOWAIT$/.exec(statement) ?? [];
    if (created !== undefined) {
      if (now[created] !== undefined) throw new StillpointError('restore-failed', `${created} exists`);
      void seed(created, String(parameters.uri));
      return;
    }
    const [, dropped] = /^DROP DATABASE `([^`]+)` (?:IF EXISTS DESTROY|DUMP) DATA WAIT$/.exec(statement) ?? [];
    if (dropped !== undefined) {
      delete now[dropped];
      return;
    }
    const [, alias, target] =
      /^ALTER ALIAS `([^`]+)` SET DATABASE TARGET `([^`]+)` PROPERTIES \$properties$/.exec(statement) ?? [];
    if (alias !== undefined && target !== undefined) {
      pointing[alias] = target;
      properties[alias] = parameters.properties as Readonly<Record<string, unknown>>;
      return;
    }
    if (/^(CREATE (ROLE|USER)|GRANT) /.test(statement)) return;
    throw new StillpointError('restore-failed', `the stand-in does not know: ${statement}`);
  };

  return {
    databases: now,
    aliases: pointing,
    properties,
    asked,
    changed,
    open: async () => ({
      ask: async (_what, statement, _signal, database) => {
        asked.push(`${database}: ${statement}`);
        return { rows: answer(statement), bookmark: undefined };
      },
      change: async (_what, what) => {
        asked.push(`${what.database}: ${what.statement}`);
        change(what);
        return [];
      },
      close: async () => undefined,
    }),
  };
}
