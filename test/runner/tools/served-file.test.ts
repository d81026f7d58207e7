/** A file that is served for a while, fetched by a real client over loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { serveFile } from '../../../runner/tools/served-file';
import { QuietLog } from '../../support/quiet-log';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-served-'));
  file = join(folder, 'orders.dump');
  await writeFile(file, 'a'.repeat(200_000));
});
afterEach(() => rm(folder, { recursive: true }));

const serve = (host = '127.0.0.1') => serveFile(file, { host, port: 7687 }, new QuietLog());

it('is fetched whole, by the address from which the server is reached', async () => {
  await using served = await serve();
  expect(served.uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{64}\/orders\.dump$/);
  expect(served.fetched()).toBe(0);
  const head = await fetch(served.uri, { method: 'HEAD' });
  expect(head.headers.get('content-length')).toBe('200000');
  expect(served.fetched()).toBe(0);
  expect(await (await fetch(served.uri)).text()).toHaveLength(200_000);
  // The servers of a cluster each fetch it, and some go as soon as they have it.
  for (let time = 2; time <= 50; time++) {
    expect(await (await fetch(served.uri)).text()).toHaveLength(200_000);
    await vi.waitFor(() => expect(served.fetched()).toBe(time), { timeout: 10_000 });
  }
});

it('is given to nobody who does not know its path, and to nobody who writes', async () => {
  await using served = await serve();
  const { origin, pathname } = new URL(served.uri);
  for (const path of ['/', '/orders.dump', `${pathname}/`, pathname.slice(0, -1), `${pathname}?x`]) {
    expect((await fetch(`${origin}${path}`)).status, path).toBe(404);
  }
  expect((await fetch(served.uri, { method: 'POST' })).status).toBe(404);
  expect(served.fetched()).toBe(0);
});

it('is gone afterwards', async () => {
  let uri: string;
  {
    await using served = await serve();
    uri = served.uri;
  }
  await expect(fetch(uri)).rejects.toThrow();
});

it('is not served where the server is not to be found', async () => {
  await expect(serve('no-such-host.invalid')).rejects.toMatchObject({ code: 'server-unreachable' });
});

it('is not counted where who fetches it goes in the middle', async () => {
  await writeFile(file, Buffer.alloc(64 * 1024 ** 2));
  await using served = await serve();
  const stop = new AbortController();
  const response = await fetch(served.uri, { signal: stop.signal });
  await response.body?.getReader().read();
  stop.abort();
  // By now it is seen that the first one is gone.
  expect((await (await fetch(served.uri)).arrayBuffer()).byteLength).toBe(64 * 1024 ** 2);
  await vi.waitFor(() => expect(served.fetched()).toBe(1), { timeout: 10_000 });
});
