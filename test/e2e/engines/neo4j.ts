/** Neo4j Community: harness/neo4j.ts as the contract suite sees it. */
import { BackupVolume, Neo4jBackup, WorkloadRef } from 'stillpoint';
import { engine } from '../../../runner/engines/neo4j';
import { SETTLED_MS } from '../../../runner/engines/neo4j/settled';
import {
  NEO4J_IMAGE,
  NEO4J_PASSWORD,
  NEO4J_PORT,
  startNeo4j,
  startNeo4jOnClaim,
  type TestNeo4j,
  type TestNeo4jClient,
} from '../harness/neo4j';
import { applyPolicyOf } from '../harness/policy';
import { eventually } from '../harness/wait';
import type { EngineAdapter, TestClient, TestServer } from './adapter';

const common = { setup: 'plain', layout: 'atomic', exact: false } as const;

export const neo4j: EngineAdapter = {
  title: 'Neo4j 5 Community',
  name: 'neo4j',
  image: NEO4J_IMAGE,
  engine,
  // Whoever has logged in to Community may do everything.
  without: ['rights'],
  modes: [
    { ...common, name: 'crash', freezes: 'nothing' },
    { ...common, name: 'offline', freezes: 'everything', fromOutside: true },
  ],
  start: async ({ namespace, name }) => {
    const server = await startNeo4j({ namespace, name });
    // One that is younger is waited for by each backup (docs/decisions/0073): the suite measures freezes, not that.
    const client = await server.connect();
    await eventually(`${name} is not young any more`, async () => (await client.uptimeMs()) > SETTLED_MS, {
      seconds: 120,
    }).finally(() => client.end());
    return serverOf(server);
  },
};

function serverOf(server: TestNeo4j): TestServer {
  const { name, namespace, pod, claim, credentials } = server;
  return {
    name,
    namespace,
    pod,
    claims: { data: claim },
    secrets: [NEO4J_PASSWORD],
    connect: async () => clientOf(() => server.connect()),
    policy: (mode, options) =>
      applyPolicyOf(
        Neo4jBackup,
        { name, namespace, credentials, volumes: [BackupVolume.fromServerPod('data')] },
        {
          database: options.name,
          ...(mode.fromOutside === true ? { offline: WorkloadRef.statefulSet(name) } : {}),
          ...options,
        },
      ),
    target: async () => ({
      connection: { host: await server.address(), port: NEO4J_PORT, usernameFile: '' },
      username: 'neo4j',
      password: NEO4J_PASSWORD,
      tls: undefined,
    }),
    request: () => ({
      id: '20260101000000',
      volumes: [{ name: 'data', role: 'data', claim, namespace, mountPath: '/data' }],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: {},
    }),
    startCopy: async (copy, { data = '' }) => {
      const started = await startNeo4jOnClaim({ name: copy, namespace, claim: data, credentials });
      return clientOf(async () => started);
    },
    held: async () => {
      const client = await server.connect();
      return await client.sessionsOf('stillpoint').finally(() => client.end());
    },
    withoutRight: async () => {
      throw new Error('Neo4j Community knows no rights');
    },
  };
}

/**
 * A client that bears its server being stopped: what was not acknowledged it sends again, to wherever the server is by then, and
 * a row that was committed all the same stays one row.
 */
async function clientOf(connect: () => Promise<TestNeo4jClient>): Promise<TestClient> {
  let client = await connect();
  const again = async (): Promise<void> => {
    await client.end().catch(() => undefined);
    client = await connect();
  };
  return {
    prepare: () => client.prepare(),
    forget: () => client.forget(),
    add: async (number) => {
      for (;;) {
        const done = await client.add(number).then(
          () => true,
          () => false,
        );
        if (done) return;
        await again();
      }
    },
    numbers: () => client.numbers(),
    // A running server says where its log stands, and a copy of it is somewhere before.
    position: async () => ({}),
    end: () => client.end(),
  };
}
