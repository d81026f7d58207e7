/** A lasting server on prepared files, for clones: what runs on it before it is opened, and who may log in. */
import { join } from 'node:path';
import type { EngineCopy } from '../../engine';
import { StillpointError } from '../../errors';
import { recordedDialect } from './recorded';
import { connect, filesOf, keepsLog, loaded, PORT, socketOf } from './throw-away';

const CONFIG_FILE = 'server.conf';

export const copy: EngineCopy = {
  server: (record, prepared, { socketDirectory, filesDirectory, password }) => ({
    command: [
      recordedDialect(record).daemon,
      // On the command line the password would be seen by whoever may read the pod.
      join(filesDirectory, CONFIG_FILE),
      ...['--port', String(PORT)],
      ...['--bind', '*', '-::*'],
      ...['--unixsocket', socketOf(socketDirectory)],
      ...filesOf(record, prepared),
    ],
    port: PORT,
    files: { [CONFIG_FILE]: `requirepass ${password}\n` },
    username: 'default',
  }),

  async run(socketDirectory, record, { name, text }, signal) {
    const connection = await connect(socketDirectory, signal);
    try {
      await loaded(connection, signal);
      for (const [index, line] of text.split('\n').entries()) {
        const words = commandOf(line);
        if (words.length > 0) await connection.ask(`line ${index + 1} of ${name}`, words, signal);
      }
      if (!keepsLog(record)) await connection.ask('saving what was changed', ['SAVE'], signal);
    } finally {
      await connection.close();
    }
  },

  // Logins are no part of the data.
  login: async () => undefined,
};

/** The words of a line as redis-cli takes them: quotes hold words together. Nothing of a comment. */
export function commandOf(line: string): readonly string[] {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return [];
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+)/g)];
  return words.map(([, double, single, bare]) => {
    if (bare === undefined) return (double ?? single ?? '').replaceAll(/\\(.)/g, '$1');
    if (!/["']/.test(bare)) return bare;
    throw new StillpointError('usage-invalid', `a quote is not closed, or not between spaces: ${text}`);
  });
}
