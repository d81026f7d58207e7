/** MongoDB, a stand-in where no mongod is to be had, as the bench sees an engine. */
import { MONGO_BACKUP_PASSWORD, MONGO_TITLE, startMongo } from '../e2e/harness/mongo';
import { applyMongoPolicy } from '../e2e/harness/policy';
import type { BenchEngine } from './engines';

export const mongodb: BenchEngine = {
  title: MONGO_TITLE,
  name: 'mongodb',
  modes: [{ name: 'locked', setup: 'plain', layout: 'atomic', freezes: 'writes', exact: true }],
  start: async ({ namespace, name }) => {
    const server = await startMongo({ namespace, name });
    return {
      namespace,
      claims: { data: server.claim },
      connect: () => server.connect(),
      policy: (_mode, { credentials: _, ...options }) =>
        applyMongoPolicy(server, { database: options.name, ...options }),
      target: async () => ({
        connection: { host: await server.address(), port: 27017, usernameFile: '' },
        username: 'stillpoint',
        password: MONGO_BACKUP_PASSWORD,
        tls: undefined,
      }),
    };
  },
};
