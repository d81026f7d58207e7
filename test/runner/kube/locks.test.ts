import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { KubeClient } from '../../../runner/kube/client';
import { KubernetesLocks } from '../../../runner/kube/locks';
import type { Lease } from '../../../runner/ports';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';

const PATIENCE = { timeout: 30_000 };

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A held Lease at an API server that creates it, and answers to its renewals as told. */
async function held(
  renewed: RequestListener,
  durationSeconds?: number,
): Promise<{ readonly lease: Lease; readonly clock: FakeClock }> {
  server = createServer((request, response) => {
    if (request.method === 'PUT') return void renewed(request, response);
    if (request.method === 'GET') return void response.writeHead(404).end('{}');
    response.writeHead(201).end(LEASE);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const clock = new FakeClock();
  const client = new KubeClient({ server: url, namespace: undefined, options: async () => ({}) }, clock);
  const options = { namespace: 'n', clock, log: new QuietLog() };
  const locks = new KubernetesLocks(client, durationSeconds === undefined ? options : { ...options, durationSeconds });
  return { lease: await locks.acquire('l', 'me'), clock };
}

const LEASE = JSON.stringify({ metadata: { name: 'l', namespace: 'n' }, spec: { holderIdentity: 'me' } });

test.each([
  [undefined, 15_000],
  [60, 45_000],
])('a lease of %s s whose renewal gets no answer is lost before others may take it over', async (seconds, ms) => {
  let renewals = 0;
  // The API server that takes the request, and then says nothing: neither a refusal nor a broken connection.
  const { lease, clock } = await held(() => void renewals++, seconds);
  clock.advance(10_000);
  await vi.waitFor(() => expect(renewals).toBe(1), PATIENCE);
  clock.advance(ms - 1_000);
  expect(lease.lost.aborted).toBe(false);
  clock.advance(1_000);
  await vi.waitFor(() => expect(lease.lost.aborted).toBe(true), PATIENCE);
  expect(lease.lost.reason).toMatchObject({ code: 'interrupted' });
  expect(clock.monotonic()).toBeLessThan((seconds ?? 30) * 1000);
  await lease.release();
});

test('a holder that got no processor until its time was up keeps the lease that nobody has taken meanwhile', async () => {
  const swaps: ServerResponse[] = [];
  const { lease, clock } = await held((_, response) => void swaps.push(response));
  clock.advance(90_000);
  await vi.waitFor(() => expect(swaps).toHaveLength(1), PATIENCE);
  // An answer takes a while, also that to whoever is late.
  clock.advance(1_000);
  swaps[0]?.writeHead(200).end(LEASE);
  // What was lost is not given back.
  const released = lease.release();
  await vi.waitFor(() => expect(swaps).toHaveLength(2), PATIENCE);
  swaps[1]?.writeHead(200).end(LEASE);
  await released;
  expect(lease.lost.aborted).toBe(false);
});

test('a holder that got no processor loses the lease that somebody has taken, and one of which nobody tells', async () => {
  const taken = await held((_, response) => {
    response.writeHead(409).end(JSON.stringify({ kind: 'Status', reason: 'Conflict', code: 409 }));
  });
  taken.clock.advance(90_000);
  await vi.waitFor(() => expect(taken.lease.lost.aborted).toBe(true), PATIENCE);
  await taken.lease.release();
  server?.closeAllConnections();
  server?.close();

  let asked = false;
  const untold = await held(() => {
    asked = true;
  });
  untold.clock.advance(90_000);
  await vi.waitFor(() => expect(asked).toBe(true), PATIENCE);
  expect(untold.lease.lost.aborted).toBe(false);
  untold.clock.advance(5_000);
  await vi.waitFor(() => expect(untold.lease.lost.aborted).toBe(true), PATIENCE);
  await untold.lease.release();
});
