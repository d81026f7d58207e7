/** Online backups of Neo4j's Enterprise edition: what is there is asked over Bolt, the files are taken by neo4j-admin. */
import { configuredEndpoint } from '../../../endpoint';
import type { EngineOnline } from '../../../tools/online';
import { Connection, type Row } from '../connection';
import { SYSTEM } from './admin-lines';
import { adminVersionOf, hasArtifacts, wordOf } from './admin-version';
import { backUpOnline } from './online-backup';
import { enterpriseRestore } from './online-restore';
import { SHOW_ALIASES, SHOW_DATABASES, select } from './selection';
import { aliasOf, databaseOf } from './statements';

/** Opens a connection, on which the database `system` is asked. */
export type OpenConnection = (
  ...args: Parameters<typeof Connection.open>
) => Promise<Pick<Connection, 'ask' | 'change' | 'close'>>;

/** The online backups of the Enterprise edition. */
export function enterpriseOnline(open: OpenConnection = Connection.open): EngineOnline {
  return {
    versionOf: () => ({ program: 'neo4j-admin', args: ['--version'] }),

    unfit(toolSays) {
      const version = adminVersionOf(toolSays);
      // Its backups are folders, and what a folder holds is not on record file by file.
      return hasArtifacts(version)
        ? undefined
        : `neo4j-admin ${wordOf(version)} writes backups that are folders, and policies take those that are files`;
    },

    async find(target, wanted, _log, signal) {
      const connection = await open(target, configuredEndpoint(target), signal);
      try {
        const ask = async (what: string, statement: string): Promise<readonly Row[]> =>
          (await connection.ask(what, statement, signal, SYSTEM)).rows;
        const databases = (await ask('looking for databases', SHOW_DATABASES)).map(databaseOf);
        // The Community edition has no such statement: it is asked only by whoever wants aliases.
        const aliases = wanted.aliases.length === 0 ? [] : await ask('looking for aliases', SHOW_ALIASES);
        return select(wanted, { databases, aliases: aliases.map(aliasOf) });
      } finally {
        await connection.close();
      }
    },

    ...enterpriseRestore(open),

    backUp: ({ toolSays, ...request }, world) => backUpOnline({ ...request, version: adminVersionOf(toolSays) }, world),
  };
}
