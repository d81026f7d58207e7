/**
 * Statements that change something, over the runner's own connection to a real Neo4j Community: it has no aliases and makes no databases,
 * so that what restores of online backups run there is refused, and all else of the way is what they go.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Change, Connection } from '../../runner/engines/neo4j/connection';
import { removeStatement, seedStatement } from '../../runner/engines/neo4j/enterprise/statements';
import { StillpointError } from '../../runner/errors';
import type { Target } from '../../runner/target';
import { selfSigned, type TestCertificate } from './harness/certificate';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { driverOf, NEO4J_PASSWORD, NEO4J_PORT, startNeo4j, type TestNeo4j } from './harness/neo4j';

const never = new AbortController().signal;
const CREATE = 'CREATE (mark:Mark {name: $name}) RETURN mark.name AS name';

let namespace: TestNamespace;
let graph: TestNeo4j;
let certificate: TestCertificate;

beforeAll(async () => {
  namespace = await makeNamespace('neo4j-change');
  certificate = await selfSigned('DNS:graph');
  graph = await startNeo4j({ namespace: namespace.name, certificate });
  const client = await graph.connect();
  await client.end();
});
afterAll(() => namespace?.[Symbol.asyncDispose]());

async function open(tls = false): Promise<Connection> {
  const target: Target = {
    connection: { host: 'graph', port: NEO4J_PORT, usernameFile: '' },
    username: 'neo4j',
    password: NEO4J_PASSWORD,
    tls: tls ? { mode: 'verify-full', ca: certificate.certificate } : undefined,
  };
  return await Connection.open(target, { host: await graph.address(), port: NEO4J_PORT, name: 'graph' }, never);
}

async function within<T>(work: (connection: Connection) => Promise<T>, tls = false): Promise<T> {
  const connection = await open(tls);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

const change = (what: Change, tls = false, signal = never) =>
  within((connection) => connection.change('making a mark', what, signal), tls);

/** How many marks of a name there are, as a connection of its own finds them. */
async function marks(name: string): Promise<unknown> {
  const driver = await driverOf(graph.address);
  try {
    const { records } = await driver.executeQuery('MATCH (mark:Mark {name: $name}) RETURN count(mark) AS n', { name });
    return records[0]?.get('n');
  } finally {
    await driver.close();
  }
}

const failureOf = async (work: Promise<unknown>): Promise<StillpointError> => {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof StillpointError) return thrown;
  throw new Error('it did not fail with an error of ours', { cause: thrown });
};

describe('a change over Bolt', () => {
  test.each([
    ['in the clear', false],
    ['with TLS', true],
  ])('%s is there for others when it has ended, with its parameters as they were', async (how, tls) => {
    const name = `${how}'; \`MATCH\` (n) DETACH DELETE n //`;
    expect(await change({ statement: CREATE, parameters: { name }, database: 'neo4j' }, tls)).toEqual([{ name }]);
    expect(await marks(name)).toBe(1);
  });

  test('is not made by a connection that asks', async () => {
    const statement = "CREATE (:Mark {name: 'asked'})";
    const error = await failureOf(within((each) => each.ask('asking', statement, never, 'neo4j')));
    expect(error.message).toMatch(/Neo\.ClientError\.Statement\.AccessMode/);
    expect(await marks('asked')).toBe(0);
  });

  test.each<[string, Change, string, RegExp]>([
    [
      'on a database that is not there',
      { statement: CREATE, parameters: { name: 'refused' }, database: 'nowhere' },
      'config-invalid',
      /Neo\.ClientError\.Database\.DatabaseNotFound/,
    ],
    [
      'that is of no language',
      { statement: 'MAKE A MARK', database: 'neo4j' },
      'restore-failed',
      /Neo\.ClientError\.Statement\.SyntaxError/,
    ],
    [
      'that lacks a parameter',
      { statement: CREATE, database: 'neo4j' },
      'restore-failed',
      /Neo\.ClientError\.Statement\.ParameterMissing/,
    ],
    [
      'of data on the database system',
      { statement: CREATE, parameters: { name: 'refused' }, database: 'system' },
      'restore-failed',
      /Neo\.ClientError\./,
    ],
    [
      'that makes a database, of Community',
      { statement: seedStatement('copy'), parameters: { uri: 'http://127.0.0.1/seed' }, database: 'system' },
      'restore-failed',
      /Neo\.ClientError\.Statement\.UnsupportedAdministrationCommand/,
    ],
    [
      'that removes a database, of Community',
      { statement: removeStatement('copy'), database: 'system' },
      'restore-failed',
      /Neo\.ClientError\.Statement\.UnsupportedAdministrationCommand/,
    ],
  ])('%s is refused by the server', async (_, what, code, message) => {
    const error = await failureOf(change(what));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.message).toMatch(/^making a mark failed: /);
    expect(await marks('refused')).toBe(0);
  });

  test('that is told to stop while it waits for a lock is undone by the server', async () => {
    const driver = await driverOf(graph.address);
    const session = driver.session({ database: 'neo4j' });
    try {
      await change({ statement: CREATE, parameters: { name: 'held' }, database: 'neo4j' });
      const holder = session.beginTransaction();
      await holder.run("MATCH (mark:Mark {name: 'held'}) SET mark.held = true");
      const stop = new AbortController();
      const statement =
        "CREATE (:Mark {name: 'stopped'}) WITH 1 AS one MATCH (mark:Mark {name: 'held'}) SET mark.changed = one";
      const stopped = failureOf(change({ statement, database: 'neo4j' }, false, stop.signal));
      const waits =
        "SHOW TRANSACTIONS YIELD currentQuery, status WHERE currentQuery STARTS WITH 'CREATE (:Mark' AND status STARTS WITH 'Blocked' RETURN status";
      const seen = async (): Promise<number> =>
        (await driver.executeQuery(waits, {}, { database: 'neo4j' })).records.length;
      await expect.poll(seen, { timeout: 60_000 }).toBe(1);
      stop.abort(new StillpointError('interrupted', 'told to stop'));
      expect(await stopped).toMatchObject({ code: 'interrupted' });
      // Nobody waits for it any more, though what it waited for is still held.
      await expect.poll(seen, { timeout: 60_000 }).toBe(0);
      await holder.commit();
      expect(await marks('stopped')).toBe(0);
    } finally {
      await session.close();
      await driver.close();
    }
  });
});
