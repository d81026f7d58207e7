/**
 * Ocelot as its users deploy it: a graph in Neo4j Community and a backend that stores uploads, each a Deployment with one claim,
 * and beside each program a container `freezer` that mounts the same claim at the same path.
 */
import { createHash } from 'node:crypto';
import type { Driver } from 'neo4j-driver';
import { type Anything, apply, create, KINDS, list, remove } from './cluster';
import { driverOf, NEO4J_PASSWORD, NEO4J_PORT, serverContainer } from './neo4j';
import { secret } from './objects';
import { addressOf, isReady } from './pods';
import { runInPod } from './tool-in-pod';
import { eventually } from './wait';

export const GRAPH = 'ocelot-neo4j';
export const BACKEND = 'ocelot-backend';
const LOGIN = 'ocelot-neo4j-login';
const UPLOADS = '/app/public/uploads';
const PORT = 4000;

/** Stores what is put to it, and answers when that is on the device. */
const SERVER = `
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
createServer(async (request, response) => {
  if (request.method === 'GET') return response.end();
  const file = await open('${UPLOADS}' + request.url, 'wx');
  for await (const chunk of request) await file.write(chunk);
  await file.sync();
  await file.close();
  const folder = await open('${UPLOADS}');
  await folder.sync();
  await folder.close();
  response.end();
}).listen(${PORT});
`;

/** What a graph, or a volume of uploads, says of its files: their sums by their names. */
export type Sums = ReadonlyMap<string, string>;

/** Applies both Deployments, and waits until they serve. */
export async function startOcelot(namespace: string): Promise<void> {
  await apply([
    secret(
      { name: LOGIN, namespace },
      { username: 'neo4j', password: NEO4J_PASSWORD, auth: `neo4j/${NEO4J_PASSWORD}` },
    ),
    { ...KINDS.configMap, metadata: { name: BACKEND, namespace }, data: { 'server.mjs': SERVER } } as Anything,
    ...deployed(namespace, { name: GRAPH, port: NEO4J_PORT, claim: 'volume-claim-ocelot-neo4j' }, [
      serverContainer(LOGIN),
      freezer('/data'),
    ]),
    ...deployed(
      namespace,
      {
        name: BACKEND,
        port: PORT,
        claim: 'volume-claim-ocelot-uploads',
        more: [{ name: 'app', configMap: { name: BACKEND } }],
      },
      [
        {
          name: 'backend',
          image: 'node:24',
          command: ['node', '/srv/server.mjs'],
          readinessProbe: { httpGet: { path: '/', port: PORT }, periodSeconds: 1 },
          volumeMounts: [
            { name: 'data', mountPath: UPLOADS },
            { name: 'app', mountPath: '/srv' },
          ],
        },
        freezer(UPLOADS),
      ],
    ),
  ]);
  await Promise.all([GRAPH, BACKEND].map((name) => addressOfReady(namespace, name)));
}

/** Stands ready for `fsfreeze`, in an image that has it: any of Debian. */
function freezer(mountPath: string): object {
  return {
    name: 'freezer',
    image: 'node:24',
    command: ['sleep', 'infinity'],
    securityContext: { runAsUser: 0, capabilities: { add: ['SYS_ADMIN'] } },
    volumeMounts: [{ name: 'data', mountPath }],
  };
}

interface Deployed {
  readonly name: string;
  readonly port: number;
  readonly claim: string;
  readonly more?: readonly object[];
}

function deployed(namespace: string, what: Deployed, containers: readonly object[]): readonly Anything[] {
  const { name, port, claim, more = [] } = what;
  const metadata = { name, namespace };
  return [
    {
      ...KINDS.claim,
      metadata: { name: claim, namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: name }, ports: [{ name: 'server', port }] },
    },
    {
      ...KINDS.deployment,
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            // The freezer does not listen, and the server stops well within.
            terminationGracePeriodSeconds: 10,
            containers,
            volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }, ...more],
          },
        },
      },
    },
  ];
}

async function addressOfReady(namespace: string, app: string): Promise<string> {
  return await eventually(
    `a pod of ${app} is ready`,
    async () => {
      for (const { metadata } of await list(KINDS.pod, namespace, `app=${app}`)) {
        const name = metadata?.name ?? '';
        if (metadata?.deletionTimestamp === undefined && (await isReady(name, namespace)))
          return addressOf(name, namespace);
      }
      return undefined;
    },
    { seconds: 180 },
  );
}

/** One upload after the other: the file first, then the graph is told of it. */
export class Uploader implements AsyncDisposable {
  readonly #backend: string;
  readonly #driver: Driver;
  readonly #done: Promise<void>;
  #stopped = false;
  /** What the graph has acknowledged, with the time of that. */
  readonly acknowledged: { readonly file: string; readonly atMs: number }[] = [];
  /** What was begun, with the time of that. */
  readonly begun: { readonly file: string; readonly atMs: number }[] = [];

  private constructor(backend: string, driver: Driver, prefix: string) {
    this.#backend = backend;
    this.#driver = driver;
    this.#done = this.#upload(prefix);
    this.#done.catch(() => undefined);
  }

  static async start(namespace: string, prefix: string): Promise<Uploader> {
    const backend = await addressOfReady(namespace, BACKEND);
    return new Uploader(backend, await driverOf(() => addressOfReady(namespace, GRAPH)), prefix);
  }

  async more(uploads: number): Promise<void> {
    const from = this.acknowledged.length;
    await Promise.race([
      this.#done,
      eventually(`${uploads} more uploads`, async () => this.acknowledged.length >= from + uploads),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
    await this.#driver.close();
  }

  async #upload(prefix: string): Promise<void> {
    for (let number = 1; !this.#stopped; number++) {
      const file = `${prefix}-${number}.png`;
      const content = `the picture ${file}`.repeat(number);
      this.begun.push({ file, atMs: Date.now() });
      const stored = await fetch(`http://${this.#backend}:${PORT}/${file}`, { method: 'PUT', body: content });
      if (!stored.ok) throw new Error(`${file} was answered with ${stored.status}`);
      const sha256 = createHash('sha256').update(content).digest('hex');
      await this.#driver.executeQuery('CREATE (:Image {file: $file, sha256: $sha256})', { file, sha256 });
      this.acknowledged.push({ file, atMs: Date.now() });
    }
  }
}

/** Starts Neo4j on a copy of the graph's claim: what it knows of uploads. */
export async function knownIn(namespace: string, claimName: string): Promise<Sums> {
  const name = `graph-${claimName}`;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      containers: [serverContainer(LOGIN)],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  } as Anything);
  const driver = await driverOf(() => addressOf(name, namespace));
  try {
    const { records } = await driver.executeQuery('MATCH (image:Image) RETURN image.file, image.sha256');
    return new Map(records.map((record) => [record.get(0) as string, record.get(1) as string]));
  } finally {
    await driver.close();
    await remove(KINDS.pod, name, namespace);
  }
}

/** The uploads in a copy of their claim. */
export async function storedIn(namespace: string, claimName: string): Promise<Sums> {
  const name = `files-${claimName}`;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'look',
          image: 'node:24',
          command: ['sleep', 'infinity'],
          volumeMounts: [{ name: 'files', mountPath: '/files' }],
        },
      ],
      volumes: [{ name: 'files', persistentVolumeClaim: { claimName } }],
    },
  } as Anything);
  try {
    await eventually(`${name} runs`, () => isReady(name, namespace), { seconds: 120 });
    const sums = await runInPod({ namespace, pod: name }, [
      'find',
      '/files',
      '-name',
      '*.png',
      '-exec',
      'sha256sum',
      '{}',
      '+',
    ]);
    const lines = sums.split('\n').filter((line) => line !== '');
    return new Map(lines.map((line) => [line.slice(line.lastIndexOf('/') + 1), line.slice(0, 64)]));
  } finally {
    await remove(KINDS.pod, name, namespace, 0);
  }
}
