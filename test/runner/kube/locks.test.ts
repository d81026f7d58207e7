import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { KubeClient } from '../../../runner/kube/client';
import { KubernetesLocks } from '../../../runner/kube/locks';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';

const PATIENCE = { timeout: 30_000 };

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

test('a lease whose renewal gets no answer is lost before others may take it over', async () => {
  let renewals = 0;
  server = createServer((request, response) => {
    // The API server that takes the request, and then says nothing: neither a refusal nor a broken connection.
    if (request.method === 'PUT') return void renewals++;
    if (request.method === 'GET') return void response.writeHead(404).end('{}');
    response
      .writeHead(201)
      .end(JSON.stringify({ metadata: { name: 'l', namespace: 'n' }, spec: { holderIdentity: 'me' } }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const clock = new FakeClock();
  const client = new KubeClient({ server: url, namespace: undefined, options: async () => ({}) }, clock);
  const lease = await new KubernetesLocks(client, { namespace: 'n', clock, log: new QuietLog() }).acquire('l', 'me');
  clock.advance(10_000);
  await vi.waitFor(() => expect(renewals).toBe(1), PATIENCE);
  clock.advance(14_000);
  expect(lease.lost.aborted).toBe(false);
  clock.advance(1_000);
  await vi.waitFor(() => expect(lease.lost.aborted).toBe(true), PATIENCE);
  expect(lease.lost.reason).toMatchObject({ code: 'interrupted' });
  expect(clock.monotonic()).toBeLessThan(30_000);
  await lease.release();
});
