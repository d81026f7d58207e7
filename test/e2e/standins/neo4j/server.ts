/**
 * A stand-in for a server of Neo4j's Enterprise edition, which was not to be had, in a pod: the database `system` of
 * test/support/neo4j-system-standin.ts (which says what that is not) behind Bolt, so that the driver, the login and the network between pods
 * are real. What it is not, besides:
 * - Bolt is as much of 5.4 as bolt.ts says; there is one user, who may do everything; a session that reads changes nothing, as on the real one;
 * - of `neo4j` and other databases nothing is kept but the number of their last transaction;
 * - at 6362 it speaks HTTP in place of the backup protocol: `GET /<database>` answers what neo4j-admin's stand-in makes a file of;
 * - at 8080 tests write and look: `PUT /databases/<name>`, `GET /state`, and `PUT /hold/backup` or `PUT /hold/seed` with `true` or `false`:
 *   held, a backup gets no answer, and a seed that was fetched does not become a database.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { StillpointError } from '../../../../runner/errors';
import { systemStandin } from '../../../support/neo4j-system-standin';
import { BoltFailure, boltServer, type Statement } from './bolt';

const { USERNAME, PASSWORD, HOSTNAME = 'graph-0' } = process.env;

/** What is held until a test lets it go. */
class Hold {
  waiting = 0;
  #gate: PromiseWithResolvers<void> | undefined;

  set(held: boolean): void {
    if (held) this.#gate ??= Promise.withResolvers();
    else {
      this.#gate?.resolve();
      this.#gate = undefined;
    }
  }

  async pass(): Promise<void> {
    this.waiting += 1;
    await this.#gate?.promise;
    this.waiting -= 1;
  }
}

const holds: Readonly<Record<string, Hold>> = { backup: new Hold(), seed: new Hold() };
const metadata: Record<string, string> = {};

const system = systemStandin(
  {
    customer1: { lastCommittedTxn: 10 },
    customer2: { lastCommittedTxn: 10 },
    system: { type: 'system', lastCommittedTxn: 10 },
  },
  { shop: 'customer1', other: 'customer2' },
  {
    seeded: async (seed) => {
      await holds.seed?.pass();
      return seed;
    },
  },
);
const session = await system.open(undefined as never, undefined as never, undefined as never);
const signal = new AbortController().signal;

/** What sessions ask besides: who the process is. Settings are those that a record has. */
const OWN: readonly (readonly [RegExp, readonly Readonly<Record<string, unknown>>[]])[] = [
  [/^RETURN 1$/, [{ '1': 1 }]],
  [/^CALL dbms\.components\(\)$/, [{ name: 'Neo4j Kernel', versions: ['2025.10.0'], edition: 'enterprise' }]],
  [/^CALL dbms\.queryJmx\('java\.lang:type=Runtime'\)/, [{ name: `1@${HOSTNAME}`, started: 1 }]],
  [/^SHOW SETTINGS YIELD name, value WHERE name IN /, [{ name: 'server.directories.data', value: '/data' }]],
];

async function run({ text, parameters, database, reads }: Statement): Promise<readonly object[]> {
  const [, own] = OWN.find(([pattern]) => pattern.test(text)) ?? [];
  if (own !== undefined) return own;
  if (reads) return (await session.ask('', text, signal, database)).rows;
  return await session.change('', { statement: text, parameters, database: database ?? 'neo4j' }, signal);
}

boltServer({
  logIn: (principal, credentials) => {
    if (principal === USERNAME && credentials === PASSWORD) return;
    throw new BoltFailure(
      'Neo.ClientError.Security.Unauthorized',
      'The client is unauthorized due to authentication failure.',
    );
  },
  run: async (statement) => {
    try {
      return (await run(statement)) as readonly Readonly<Record<string, unknown>>[];
    } catch (thrown) {
      if (!(thrown instanceof StillpointError)) throw thrown;
      throw new BoltFailure('Neo.ClientError.Statement.ExecutionFailed', thrown.message);
    }
  },
}).listen(7687);

/** The databases that are online, as neo4j-admin's stand-in reads them. */
async function backup({ url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = url.slice(1);
  const { lastCommittedTxn: highest } = system.databases[name] ?? {};
  if (highest === undefined) return void response.writeHead(404).end();
  await holds.backup?.pass();
  response.end(JSON.stringify({ id: `id-of-${name}`, highest, metadata: metadata[name] }));
}

async function control(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, what, name = ''] = (request.url ?? '').split('/');
  if (what === 'databases') {
    const { highest, metadata: script } = (await json(request)) as { highest: number; metadata?: string };
    system.databases[name] = { lastCommittedTxn: highest };
    if (script !== undefined) metadata[name] = script;
  } else if (what === 'hold') holds[name]?.set((await json(request)) === true);
  const { databases, aliases, properties, changed } = system;
  const waiting = Object.fromEntries(Object.entries(holds).map(([key, { waiting: count }]) => [key, count]));
  response.end(JSON.stringify({ databases, aliases, properties, changed, waiting }));
}

for (const [port, answer] of [
  [6362, backup],
  [8080, control],
] as const) {
  createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => response.writeHead(500).end(String(thrown)));
  }).listen(port);
}
