/** A lasting server on prepared files, for clones: what runs on it before it is opened, and who may log in. */
import { join } from 'node:path';
import type { EngineCopy } from '../../engine';
import { connect, detachedCommand, PORT } from './throw-away';

/** A user of the clone's own: the original's root may be let in from its own host alone. */
const ADMINISTRATOR = 'stillpoint_clone';
const INIT_FILE = 'init.sql';

export const copy: EngineCopy = {
  server: (record, prepared, { socketDirectory, filesDirectory, password }) => ({
    command: detachedCommand(record, prepared, socketDirectory, [`--init-file=${join(filesDirectory, INIT_FILE)}`]),
    port: PORT,
    // Read at each start, before anybody is let in: one statement a line.
    files: { [INIT_FILE]: initFile(password) },
    username: ADMINISTRATOR,
  }),

  async run(socketDirectory, _, { name, text }, signal) {
    const connection = await connect(socketDirectory, signal, { script: true });
    try {
      await connection.rows(`running ${name}`, text, [], signal);
    } finally {
      await connection.close();
    }
  },

  // A server without grant tables cannot change them: the init file of the command does.
  login: async () => undefined,
};

function initFile(password: string): string {
  const user = `'${ADMINISTRATOR}'@'%'`;
  return [
    `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY '${password}';`,
    `ALTER USER ${user} IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO ${user} WITH GRANT OPTION;`,
    '',
  ].join('\n');
}
