/** What a restore has made beside its claims, and what the undoing of it removes of that: an API server in memory. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { KubeClient } from '../../../runner/kube/client';
import { KubernetesResourceSite } from '../../../runner/kube/resource-site';
import { restoreSelector } from '../../../runner/kube/restore/labels';
import { findAllOf, findRestore, nameOfFound, undoRestore } from '../../../runner/kube/restore/undo';
import { planClaims, type RestorePlan } from '../../../runner/restore/plan';
import type { PlannedResource } from '../../../runner/restore/resource';
import { ANNOTATIONS } from '../../../src/contract';
import { recordOfTwoVolumes } from '../../support/records';

const never = new AbortController().signal;
const CLAIMS = '/api/v1/namespaces/staging/persistentvolumeclaims';
const SECRETS = '/api/v1/namespaces/staging/secrets';
const DATABASES = '/apis/cp.nuodb.com/v1beta1/namespaces/staging/databases';
const RECORDED = '/api/v1/namespaces/stillpoint/secrets/kept';

interface Stored {
  readonly metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  readonly [field: string]: unknown;
}

/** Objects by their paths. It knows labels as selectors, merges of annotations, and nothing of namespaces or kinds. */
let objects: Map<string, Stored>;
let deleted: string[];
let server: Server;
let client: KubeClient;

beforeEach(async () => {
  objects = new Map([[RECORDED, { metadata: { name: 'kept' }, data: { password: 'b2xk' } }]]);
  deleted = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const sent = body === '' ? undefined : (JSON.parse(body) as Stored);
    const answer = (status: number, content: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(content));
    };
    const there = objects.get(pathname);
    if (request.method === 'POST' && sent !== undefined) {
      objects.set(`${pathname}/${sent.metadata.name}`, sent);
      answer(201, sent);
    } else if (request.method === 'GET' && searchParams.has('limit')) {
      const wanted = (searchParams.get('labelSelector') ?? '').split(',').filter((each) => each !== '');
      const items = [...objects].filter(
        ([path, { metadata }]) =>
          path.startsWith(`${pathname}/`) &&
          wanted.every((each) => metadata.labels?.[each.split('=')[0] ?? ''] === each.split('=')[1]),
      );
      answer(200, { metadata: { resourceVersion: '1' }, items: items.map(([, object]) => object) });
    } else if (there === undefined) {
      answer(404, { kind: 'Status', code: 404, reason: 'NotFound', message: `${pathname} not found` });
    } else if (request.method === 'PATCH') {
      Object.assign(there.metadata, { annotations: { ...there.metadata.annotations, ...sent?.metadata.annotations } });
      answer(200, there);
    } else {
      if (request.method === 'DELETE') {
        deleted.push(pathname);
        objects.delete(pathname);
      }
      answer(200, there);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = { server: new URL(`http://127.0.0.1:${port}`), namespace: undefined, options: async () => ({}) };
  client = new KubeClient(access, systemClock);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const planOf = (claim = 'copy'): RestorePlan =>
  planClaims(recordOfTwoVolumes({ workload: { image: 'postgres:17' } }), {
    claims: [claim],
    sizes: [],
    namespace: 'staging',
    image: 'stillpoint:1',
  });

const RESOURCE: PlannedResource = {
  apiVersion: 'cp.nuodb.com/v1beta1',
  kind: 'Database',
  plural: 'databases',
  name: 'copy-of-demo',
  namespace: 'staging',
  labels: {},
  spec: { dbName: 'demo' },
  secret: {
    name: 'copy-of-demo-credentials',
    recordedIn: 'kept',
    keys: { password: 'data', recorded: 'recorded' },
  },
};

/** The claims of a restore, as it leaves them. */
function makeClaims({ name, volumes }: RestorePlan): void {
  for (const { claim } of volumes) {
    const metadata = { name: claim, namespace: 'staging', labels: { ...restoreSelector(name) } };
    objects.set(`${CLAIMS}/${claim}`, { metadata, spec: {} });
  }
}

async function made(planned: PlannedResource = RESOURCE): Promise<RestorePlan> {
  const plan = planOf();
  makeClaims(plan);
  await new KubernetesResourceSite(client, 'stillpoint').make(plan, planned, never);
  return plan;
}

const undo = (name = 'copy') => undoRestore({ client, clock: systemClock, signal: never }, 'staging', name);
const left = (): string[] => [...objects.keys()].filter((path) => path !== RECORDED).sort();

test('what was made is named on each claim, and goes before these: the resource, then its Secret', async () => {
  await made();
  expect(left()).toEqual([
    `${CLAIMS}/copy-data`,
    `${CLAIMS}/copy-wal`,
    `${SECRETS}/copy-of-demo-credentials`,
    `${DATABASES}/copy-of-demo`,
  ]);
  const { removed } = await undo();
  expect(deleted).toEqual([
    `${DATABASES}/copy-of-demo`,
    `${SECRETS}/copy-of-demo-credentials`,
    `${CLAIMS}/copy-data`,
    `${CLAIMS}/copy-wal`,
  ]);
  expect(removed.slice(0, 2)).toEqual(['Database staging/copy-of-demo', 'Secret staging/copy-of-demo-credentials']);
  expect(left()).toEqual([]);
});

test('what carries the labels alone is all that goes when a restore has come to its end', async () => {
  await made();
  const names = async (find: typeof findRestore): Promise<string[]> =>
    (await find(client, 'staging', 'copy')).map(nameOfFound);
  expect(await names(findRestore)).toEqual(['claim staging/copy-data', 'claim staging/copy-wal']);
  expect(await names(findAllOf)).toEqual([
    'Database staging/copy-of-demo',
    'Secret staging/copy-of-demo-credentials',
    'claim staging/copy-data',
    'claim staging/copy-wal',
  ]);
});

test('the first that cannot be made is named already, and one without a password has no Secret', async () => {
  const plan = planOf();
  makeClaims(plan);
  objects.delete(RECORDED);
  const site = new KubernetesResourceSite(client, 'stillpoint');
  await expect(site.make(plan, RESOURCE, never)).rejects.toMatchObject({ code: 'backup-not-restorable' });
  const { annotations } = objects.get(`${CLAIMS}/copy-wal`)?.metadata ?? {};
  expect(JSON.parse(annotations?.[ANNOTATIONS.madeWith] ?? '')).toHaveLength(2);
  await site.make(plan, { ...RESOURCE, secret: undefined }, never);
  await undo();
  expect(deleted).toEqual([`${DATABASES}/copy-of-demo`, `${CLAIMS}/copy-data`, `${CLAIMS}/copy-wal`]);
});

test("somebody else's of the name stays, and so does another restore's", async () => {
  await made();
  const database = objects.get(`${DATABASES}/copy-of-demo`);
  const secret = objects.get(`${SECRETS}/copy-of-demo-credentials`);
  objects.set(`${DATABASES}/copy-of-demo`, { metadata: { name: 'copy-of-demo', namespace: 'staging' }, spec: {} });
  const labels = { ...secret?.metadata.labels, ...restoreSelector('another') };
  objects.set(`${SECRETS}/copy-of-demo-credentials`, {
    metadata: { name: 'copy-of-demo-credentials', namespace: 'staging', labels },
  });
  expect(database?.metadata.labels).toMatchObject(restoreSelector('copy'));
  await undo();
  expect(left()).toEqual([`${SECRETS}/copy-of-demo-credentials`, `${DATABASES}/copy-of-demo`]);
});

test.each(['{"a":1}', 'no JSON', '[null, 7, {"kind": "Secret"}]'])(
  'a claim that says %s names nothing, and goes',
  async (text) => {
    makeClaims(planOf());
    Object.assign(objects.get(`${CLAIMS}/copy-data`)?.metadata ?? {}, {
      annotations: { [ANNOTATIONS.madeWith]: text },
    });
    await undo();
    expect(left()).toEqual([]);
  },
);

test.each([
  { plural: '../other/secrets' },
  { apiVersion: 'v1/namespaces/other/secrets/x?', plural: 'secrets' },
  { apiVersion: '../api/v1', plural: 'namespaces/other/secrets' },
  { name: '../../other/secrets/x' },
])('a claim leads nowhere but into its namespace: %j', async (words) => {
  makeClaims(planOf());
  const elsewhere = '/api/v1/namespaces/other/secrets/x';
  objects.set(elsewhere, { metadata: { name: 'x', namespace: 'other', labels: { ...restoreSelector('copy') } } });
  const text = JSON.stringify([{ apiVersion: 'v1', kind: 'Secret', plural: 'secrets', name: 'x', ...words }]);
  Object.assign(objects.get(`${CLAIMS}/copy-data`)?.metadata ?? {}, { annotations: { [ANNOTATIONS.madeWith]: text } });
  const { removed } = await undo();
  expect(removed).toEqual(['claim staging/copy-data', 'claim staging/copy-wal']);
  expect(left()).toEqual([elsewhere]);
});

test('nothing goes while a pod of the database uses a claim', async () => {
  await made();
  objects.set('/api/v1/namespaces/staging/pods/sm-0', {
    metadata: { name: 'sm-0' },
    spec: { volumes: [{ name: 'archive', persistentVolumeClaim: { claimName: 'copy-data' } }] },
  });
  await expect(undo()).rejects.toMatchObject({ code: 'delete-refused', message: expect.stringContaining('pod sm-0') });
  expect(deleted).toEqual([]);
});
