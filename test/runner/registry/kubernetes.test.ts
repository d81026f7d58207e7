/** What the registry makes of answers that the API gives only seldom. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { KubeClient } from '../../../runner/kube/client';
import { KubernetesRegistry } from '../../../runner/registry/kubernetes';
import { recordObject } from '../../../runner/registry/record-object';
import { LABELS } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A registry whose account has no right in its namespace; whether that is there is answered by `namespace`. */
function forbiddenRegistry(namespace: 200 | 403 | 404): Promise<KubernetesRegistry> {
  return registryOf((request, response) => {
    const ofNamespace = request.url === '/api/v1/namespaces/records';
    const status = ofNamespace ? namespace : 403;
    const message = 'configmaps is forbidden: User "x" cannot list resource "configmaps"';
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { metadata: { name: 'records' } } : { kind: 'Status', message }));
  });
}

async function registryOf(answers: RequestListener): Promise<KubernetesRegistry> {
  server = createServer(answers);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = { server: new URL(`http://127.0.0.1:${port}`), namespace: undefined, options: async () => ({}) };
  const client = new KubeClient(access, systemClock);
  return new KubernetesRegistry(client, { namespace: 'records', clock: systemClock, log: new QuietLog() });
}

const asks = {
  list: (registry: KubernetesRegistry): Promise<unknown> => registry.list({}),
  get: (registry: KubernetesRegistry): Promise<unknown> => registry.get('shop', 'orders-db', '20260101020000'),
  create: (registry: KubernetesRegistry): Promise<unknown> => registry.create(record()),
};

test.each([
  ['list', 404, 'registry-not-found'],
  ['get', 404, 'registry-not-found'],
  ['create', 404, 'registry-not-found'],
  ['list', 200, 'permission-missing'],
  ['create', 403, 'permission-missing'],
] as const)('a forbidden %s where the namespace answers %i is %s', async (ask, namespace, code) => {
  await expect(asks[ask](await forbiddenRegistry(namespace))).rejects.toMatchObject({ code });
});

test('the command that asks for the deletion of a record can be pasted', async () => {
  expect((await forbiddenRegistry(404)).deletionCommand(record())).toBe(
    'kubectl delete configmap -n records shop.orders-db.20260101020000 --wait=false',
  );
});

test('what a record holds its content says: the label may stay of what was announced and taken back', async () => {
  const held = [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: {} }];
  const holding = recordObject(record({ phase: 'freezing', held }), 'records');
  const withdrawn = recordObject(record({ phase: 'failed', id: '20260101030000' }), 'records');
  const items = [holding, withdrawn].map(({ metadata, data }) => ({
    metadata: { ...metadata, resourceVersion: '1', labels: { ...metadata.labels, [LABELS.held]: 'true' } },
    data,
  }));
  const registry = await registryOf((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ metadata: {}, items }));
  });
  const found = await registry.list({ held: true });
  expect(found.map((each) => each.record.id)).toEqual(['20260101020000']);
});
