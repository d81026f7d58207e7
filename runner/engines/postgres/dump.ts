/** pg_dumpall, pg_dump and psql. Pure: what they are told, and how they say that they are done. */
import type { Target } from '../../engine';
import type { Content } from '../../pipe/stages';
import type { EngineDump, ToolCommand } from '../../tools/tool';
import { restricts, withoutCommands } from './commands';
import { createDatabase } from './create-database';
import { destination } from './destination';
import { unseen } from './grants';
import { withoutRoles } from './replay';
import { databaseOf } from './select';

/** The login and the server, by libpq's own variables: arguments can be read by everybody on the node. */
function login(target: Target): Pick<ToolCommand, 'env' | 'files' | 'secrets'> {
  const { connection, username, password, tls } = target;
  return {
    env: {
      PGHOST: connection.host,
      PGPORT: String(connection.port),
      PGUSER: username,
      PGAPPNAME: 'stillpoint',
      ...(password === undefined ? {} : { PGPASSWORD: password }),
      ...(tls === undefined ? {} : { PGSSLMODE: tls.mode }),
    },
    files: {
      ...(tls?.ca === undefined ? {} : { 'ca.crt': tls.ca }),
      ...(tls?.cert === undefined ? {} : { 'client.crt': tls.cert }),
      ...(tls?.key === undefined ? {} : { 'client.key': tls.key }),
    },
    secrets: password === undefined ? [] : [password],
  };
}

/** A connection string of nothing but the files: libpq takes the rest from its variables. */
function connectionString(files: ToolCommand['files'], folder: string, database: string): string {
  const words = Object.entries({ sslrootcert: 'ca.crt', sslcert: 'client.crt', sslkey: 'client.key' })
    .filter(([, file]) => Object.hasOwn(files, file))
    .map(([word, file]) => `${word}='${folder}/${file}'`);
  // A value in quotes, with quotes and backslashes in it escaped: a database may have any name.
  return [`dbname='${database.replaceAll(/[\\']/g, '\\$&')}'`, ...words].join(' ');
}

const majorOf = (version: string): number => Number.parseInt(/\d+/.exec(version)?.[0] ?? '', 10);

const toolMajor = (toolSays: string): number => majorOf(/\(PostgreSQL\) (\S+)/.exec(toolSays)?.[1] ?? '');

// No prompt: there is nobody to ask.
const SILENT = '--no-password';

function dumpAll(target: Target, ...more: readonly string[]): ToolCommand {
  const how = login(target);
  return {
    ...how,
    program: 'pg_dumpall',
    args: (folder) => [SILENT, ...more, `--dbname=${connectionString(how.files, folder, 'postgres')}`],
    closing: '-- PostgreSQL database cluster dump complete',
  };
}

function dumpOne(target: Target, database: string, ...more: readonly string[]): ToolCommand {
  const how = login(target);
  return {
    ...how,
    program: 'pg_dump',
    args: (folder) => [SILENT, ...more, `--dbname=${connectionString(how.files, folder, database)}`],
    closing: '-- PostgreSQL database dump complete',
  };
}

/** Every server has them: what would make them anew stops psql. As pg_dumpall has it. */
const EVERYWHERE: readonly string[] = ['postgres', 'template1'];

/** What pg_dumpall writes, of some databases alone: so it is read back like that, whole or in part. */
function oneByOne(target: Target, databases: readonly string[]): ToolCommand {
  const next = databases.reduceRight<ToolCommand | undefined>((rest, database) => {
    if (!EVERYWHERE.includes(database)) return { ...dumpOne(target, database, '--create'), next: rest };
    const connect = Buffer.from(`\\connect ${database}\n\n`);
    return { ...dumpOne(target, database), refine: (content) => behind(connect, content), next: rest };
  }, undefined);
  return { ...dumpAll(target, '--globals-only'), next };
}

/**
 * By words of our own, and not by psql's --single-transaction: that commits when the input ends, and it ends too when this process is
 * killed in the middle.
 */
async function* inOneTransaction(content: Content): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('BEGIN;\n');
  yield* content;
  yield Buffer.from('\nCOMMIT;\n');
}

async function* behind(first: Uint8Array, content: Content): AsyncGenerator<Uint8Array, void> {
  yield first;
  yield* content;
}

export const dump: EngineDump = {
  versionOf: () => ({ program: 'pg_dumpall', args: ['--version'] }),

  // Both refuse a server of a later major version themselves, but only when they are on their way.
  unfit(toolSays, server) {
    const [tool, own] = [toolMajor(toolSays), majorOf(server.version)];
    if (Number.isNaN(tool)) return `"${toolSays.trim()}" is not what PostgreSQL's own tool says of itself`;
    return tool < own ? `the tool is of PostgreSQL ${tool}, and the server of ${own}` : undefined;
  },

  // It writes what its own version knows: LOCALE_PROVIDER stops a server that is older.
  unreadable(toolSays, server) {
    const [tool, own] = [toolMajor(toolSays), majorOf(server.version)];
    return own < tool
      ? `the dump was written by the tool of PostgreSQL ${tool}, and the server is of ${own}`
      : undefined;
  },

  several: true,
  unseen,

  dump(target, { database, databases }) {
    if (databases !== undefined) return oneByOne(target, databases);
    return database === undefined ? dumpAll(target) : dumpOne(target, database);
  },

  reader: {
    program: 'psql',
    args: ['--version'],
    weakness: (says) =>
      restricts(says)
        ? undefined
        : 'this psql cannot be told to run no commands that a dump holds: they are looked for as well as can be from outside',
  },

  restore(target, { database: into, outOf, destination: there, readerSays = '' }) {
    const how = login(target);
    const { logins = [] } = there ?? {};
    const database = into ?? outOf;
    const wanted = (content: Content): Content => {
      if (database === undefined) return withoutRoles(content, [...logins, target.username]);
      return outOf === undefined ? content : databaseOf(content, outOf);
    };
    return {
      ...how,
      program: 'psql',
      refine: (content) => {
        const read = withoutCommands(wanted(content), restricts(readerSays));
        // A dump of one database is read in one transaction; one of a cluster makes databases, which none may hold.
        return database === undefined ? read : inOneTransaction(read);
      },
      args: (folder) => [
        '--no-psqlrc',
        '--no-password',
        '--quiet',
        '--set=ON_ERROR_STOP=1',
        // Its last words are kept in logs: of a row, or of a role's password, it is to say nothing.
        '--set=VERBOSITY=terse',
        '--set=SHOW_CONTEXT=never',
        `--dbname=${connectionString(how.files, folder, database ?? 'postgres')}`,
      ],
    };
  },

  destination,
  createDatabase,
};
