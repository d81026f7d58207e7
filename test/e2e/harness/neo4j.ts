/** A Neo4j Community in a StatefulSet, made as a user would make one: plain manifests of the public image. */
import neo4j, { type Driver } from 'neo4j-driver';
import type { LedgerClient } from '../../ledger/writer';
import type { TestCertificate } from './certificate';
import { type Anything, apply, create, KINDS } from './cluster';
import { secret, statefulServer } from './objects';
import { addressOf, isReady } from './pods';
import { eventually } from './wait';

export const NEO4J_IMAGE = 'neo4j:5-community';

/** The only user that Community has rights for: its password may stand in no log. */
export const NEO4J_PASSWORD = 'nodes that know each other';

export const NEO4J_PORT = 7687;

const CERTIFICATES = '/var/lib/neo4j/certificates/bolt';

export interface TestNeo4j {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly claim: string;
  readonly credentials: string;
  address(): Promise<string>;
  /** A connection as the administrator, to the pod itself. */
  connect(): Promise<TestNeo4jClient>;
}

export interface TestNeo4jClient extends LedgerClient {
  count(): Promise<number>;
  /** How long the server has been running, by its own count. */
  uptimeMs(): Promise<number>;
  /** The connections of clients that call themselves so. */
  sessionsOf(userAgent: string): Promise<readonly string[]>;
}

/** Starts a server, and waits until it answers. With a certificate it speaks TLS to whoever asks for it. */
export async function startNeo4j({
  namespace,
  name = 'graph',
  certificate,
}: {
  readonly namespace: string;
  readonly name?: string;
  readonly certificate?: TestCertificate;
}): Promise<TestNeo4j> {
  const pod = `${name}-0`;
  const credentials = `${name}-login`;
  await apply([
    ...(certificate === undefined
      ? []
      : [
          secret(
            { name: `${name}-tls`, namespace },
            {
              'private.key': certificate.key,
              'public.crt': certificate.certificate,
              'ca.crt': certificate.certificate,
            },
          ),
        ]),
    secret(
      { name: credentials, namespace },
      { username: 'neo4j', password: NEO4J_PASSWORD, auth: `neo4j/${NEO4J_PASSWORD}` },
    ),
    ...statefulServer({
      namespace,
      name,
      port: NEO4J_PORT,
      pod: podSpec(credentials, certificate && `${name}-tls`),
      volumes: ['data'],
    }),
  ]);
  await eventually(`${name} is ready`, () => isReady(pod, namespace), { seconds: 180 });
  const address = (): Promise<string> => addressOf(pod, namespace);
  return {
    name,
    namespace,
    pod,
    claim: `data-${pod}`,
    credentials,
    address,
    connect: async () => await connectTo(address),
  };
}

/** A pod with a server on a claim that a restore has made, as a user would start one. */
export async function startNeo4jOnClaim(options: {
  readonly name: string;
  readonly namespace: string;
  readonly claim: string;
  readonly credentials: string;
}): Promise<TestNeo4jClient> {
  const { name, namespace, claim, credentials } = options;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: { ...podSpec(credentials), volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }] },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 180 });
  return await connectTo(() => addressOf(name, namespace));
}

function podSpec(credentials: string, certificates?: string): object {
  const container = serverContainer(credentials);
  const pod = { terminationGracePeriodSeconds: 60, containers: [container] };
  if (certificates === undefined) return pod;
  const env = Object.entries({
    NEO4J_dbms_ssl_policy_bolt_enabled: 'true',
    NEO4J_dbms_ssl_policy_bolt_base__directory: CERTIFICATES,
    // The clients of the tests themselves go on in the clear.
    NEO4J_server_bolt_tls__level: 'OPTIONAL',
  }).map(([variable, value]) => ({ name: variable, value }));
  const volumeMounts = [...container.volumeMounts, { name: 'tls', mountPath: CERTIFICATES }];
  return {
    ...pod,
    containers: [{ ...container, env: [...container.env, ...env], volumeMounts }],
    volumes: [{ name: 'tls', secret: { secretName: certificates } }],
  };
}

/** The server's container, with its volume `data`, and its login from a Secret. */
export function serverContainer(credentials: string): {
  readonly env: readonly object[];
  readonly volumeMounts: readonly object[];
} & Readonly<Record<string, unknown>> {
  return {
    name: 'neo4j',
    image: NEO4J_IMAGE,
    env: [
      { name: 'NEO4J_AUTH', valueFrom: { secretKeyRef: { name: credentials, key: 'auth' } } },
      { name: 'NEO4J_server_memory_heap_max__size', value: '256m' },
      { name: 'NEO4J_server_memory_pagecache_size', value: '64m' },
    ],
    readinessProbe: { tcpSocket: { port: NEO4J_PORT }, periodSeconds: 1 },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
}

async function connectTo(address: () => Promise<string>): Promise<TestNeo4jClient> {
  return clientOf(await driverOf(address));
}

/** Connects, and waits until the server answers. */
export async function driverOf(address: () => Promise<string>): Promise<Driver> {
  return await eventually(
    'the server answers',
    async () => {
      const auth = neo4j.auth.basic('neo4j', NEO4J_PASSWORD);
      const driver = neo4j.driver(`bolt://${await address()}:${NEO4J_PORT}`, auth, {
        disableLosslessIntegers: true,
        connectionTimeout: 5_000,
      });
      try {
        await driver.getServerInfo();
        return driver;
      } catch (error) {
        await driver.close();
        throw error;
      }
    },
    { seconds: 120 },
  );
}

function clientOf(driver: Driver): TestNeo4jClient {
  const ask = async <T>(text: string, parameters: object = {}): Promise<readonly T[]> => {
    const { records } = await driver.executeQuery(text, parameters);
    return records.map((record) => record.get(0) as T);
  };
  const run = (text: string, parameters: object = {}): Promise<readonly number[]> => ask<number>(text, parameters);
  return {
    prepare: async () => void (await run('CREATE INDEX ledger IF NOT EXISTS FOR (row:Ledger) ON (row.number)')),
    forget: async () => void (await run('MATCH (row:Ledger) DELETE row')),
    // Sent again, it is the same row.
    add: async (number) => void (await run('MERGE (:Ledger {number: $number})', { number: neo4j.int(number) })),
    numbers: () => run('MATCH (row:Ledger) RETURN row.number AS number ORDER BY number'),
    count: async () => (await run('MATCH (row:Ledger) RETURN count(row)'))[0] ?? 0,
    uptimeMs: async () => {
      const [uptime] = await run(
        "CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes RETURN attributes.Uptime.value",
      );
      return uptime ?? Number.NaN;
    },
    sessionsOf: async (userAgent) =>
      await ask<string>(
        'CALL dbms.listConnections() YIELD connectionId, userAgent WHERE userAgent = $userAgent RETURN connectionId',
        { userAgent },
      ),
    end: () => driver.close(),
  };
}
