/** A lasting server on prepared files, for clones: what runs on it before it is opened, and who may log in. */
import type { EngineCopy } from '../../engine';
import { connect, detachedCommand, PORT, superuserOf } from './throw-away';

export const copy: EngineCopy = {
  server: (record, prepared, { socketDirectory }) => ({
    // The prepared hba file lets in over the network who knows the password of a role, and nobody else.
    command: detachedCommand(record, prepared, { unix_socket_directories: socketDirectory, listen_addresses: '*' }),
    port: PORT,
    files: {},
    username: superuserOf(record),
  }),

  async run(socketDirectory, record, { name, text }, signal) {
    const connection = await connect(socketDirectory, record, signal);
    try {
      await connection.script(`running ${name}`, text, signal);
    } finally {
      await connection.close();
    }
  },

  async login(socketDirectory, record, password, signal) {
    const connection = await connect(socketDirectory, record, signal);
    try {
      // Roles of the original with an older hash would not be let in by the hba file; this one is.
      await connection.rows('choosing how passwords are kept', "SET password_encryption = 'scram-sha-256'", [], signal);
      const role = `"${superuserOf(record).replaceAll('"', '""')}"`;
      const sql = `ALTER ROLE ${role} PASSWORD '${password.replaceAll("'", "''")}'`;
      await connection.rows("setting the administrator's password", sql, [], signal);
    } finally {
      await connection.close();
    }
  },
};
