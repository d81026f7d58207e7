import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { KubeClient } from '../../../runner/kube/client';
import { isAlreadyThere, isConflict, isExpired, isForbidden } from '../../../runner/kube/errors';
import { CONFIG_MAPS, type ConfigMap, NAMESPACES, PODS } from '../../../runner/kube/objects';
import { watchObjects } from '../../../runner/kube/watch';
import type { Clock } from '../../../runner/ports';

type Handler = (request: IncomingMessage & { readonly body: string }, response: ServerResponse) => void;

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A clock whose timers are over at once; it tells what it was asked for. */
function hastyClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => new Date('2026-01-01T00:00:00Z'),
    monotonic: () => performance.now(),
    after: (ms, callback) => {
      waits.push(ms);
      const timer = setImmediate(callback);
      return { cancel: () => clearImmediate(timer) };
    },
  };
}

/** A client of a server that answers as it is told: what the API server answers only when it is in trouble. */
async function clientOf(handler: Handler, clock: Clock = hastyClock()): Promise<KubeClient> {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handler(Object.assign(request, { body }), response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = {
    server: new URL(`http://127.0.0.1:${port}/prefix`),
    namespace: undefined,
    options: async () => ({ headers: { Authorization: 'Bearer s3cret' } }),
  };
  return new KubeClient(access, clock);
}

const answer = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};

const failure = (code: number, reason: string, message: string) => ({ kind: 'Status', code, reason, message });

describe('requests', () => {
  test('go to the path of the kind, below the path of the server, with the account', async () => {
    const seen: string[] = [];
    const client = await clientOf((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-type']}`);
      answer(response, 200, { metadata: { name: 'x' } });
    });
    await client.get(PODS, { namespace: 'shop', name: 'db-0' });
    await client.patch(NAMESPACES, { name: 'shop' }, { metadata: {} });
    expect(seen).toEqual([
      'GET /prefix/api/v1/namespaces/shop/pods/db-0 Bearer s3cret undefined',
      'PATCH /prefix/api/v1/namespaces/shop Bearer s3cret application/merge-patch+json',
    ]);
  });

  test('are counted by verb', async () => {
    const client = await clientOf((_, response) => answer(response, 200, { metadata: { name: 'x' }, items: [] }));
    await client.get(PODS, { namespace: 'shop', name: 'db-0' });
    await client.get(PODS, { namespace: 'shop', name: 'db-1' });
    await client.list(PODS);
    expect(client.requests).toEqual({ get: 2, list: 1 });
    expect(client.requestCount).toBe(3);
  });

  test('are sent again when the server is too busy, after the time that it says', async () => {
    const clock = hastyClock();
    let asked = 0;
    const client = await clientOf((_, response) => {
      asked++;
      if (asked < 3) answer(response, 429, failure(429, 'TooManyRequests', 'busy'), { 'Retry-After': '2' });
      else answer(response, 200, { metadata: { name: 'x' } });
    }, clock);
    expect(await client.get(PODS, { namespace: 'shop', name: 'db-0' })).toBeDefined();
    expect(clock.waits).toEqual([2000, 2000]);
  });

  test('that no server answers are unreachable, and name no secret', async () => {
    const client = await clientOf((request) => request.socket.destroy());
    const error = await client.get(PODS, { namespace: 'shop', name: 'db-0' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'kubernetes-unreachable', retryable: true });
    expect(String(error)).toContain('get pods shop/db-0');
    expect(String(error)).not.toContain('s3cret');
  });

  test('end when their signal aborts, with its reason', async () => {
    const client = await clientOf(() => undefined);
    const controller = new AbortController();
    const asking = client.get(PODS, { namespace: 'shop', name: 'db-0' }, controller.signal);
    controller.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });
});

describe('answers', () => {
  test('of a list come page by page', async () => {
    const urls: string[] = [];
    const client = await clientOf((request, response) => {
      urls.push(request.url ?? '');
      const second = request.url?.includes('continue=more') === true;
      const metadata = { resourceVersion: '7', ...(second ? {} : { continue: 'more' }) };
      answer(response, 200, { metadata, items: [{ metadata: { name: second ? 'b' : 'a' } }] });
    });
    const { items, resourceVersion } = await client.list(PODS, { namespace: 'shop', labels: { app: 'db' } });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(resourceVersion).toBe('7');
    expect(urls[0]).toBe('/prefix/api/v1/namespaces/shop/pods?labelSelector=app%3Ddb&limit=500');
  });

  test('keep the digits of numbers that JavaScript would round', async () => {
    const client = await clientOf((_, response) => {
      response.writeHead(200).end('{"metadata":{"name":"x"},"status":{"creationTime":1795235454501315029,"size":64}}');
    });
    expect(await client.get(PODS, { namespace: 'shop', name: 'x' })).toMatchObject({
      status: { creationTime: '1795235454501315029', size: 64 },
    });
  });

  test.each([
    [404, 'NotFound', 'pods "db-0" not found', 'kubernetes-refused'],
    [403, 'Forbidden', 'pods "db-0" is forbidden: User "x" cannot get resource "pods"', 'permission-missing'],
    [403, 'Forbidden', 'pods "db-0" is forbidden: exceeded quota: small', 'kubernetes-refused'],
    [401, 'Unauthorized', 'Unauthorized', 'kubernetes-refused'],
    [409, 'Conflict', 'the object has been modified', 'kubernetes-refused'],
    [422, 'Invalid', 'spec.x: Required value', 'kubernetes-refused'],
    [500, 'InternalError', 'etcdserver: request timed out', 'kubernetes-unreachable'],
  ])('%i %s: %s → %s', async (status, reason, message, code) => {
    const client = await clientOf((_, response) => answer(response, status, failure(status, reason, message)));
    const error = await client
      .replace(PODS, { metadata: { name: 'db-0', namespace: 'shop' }, spec: { containers: [] } })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, status, reason });
    expect(String(error)).toContain('pods shop/db-0');
    expect(isForbidden(error)).toBe(code === 'permission-missing');
    expect(isConflict(error)).toBe(reason === 'Conflict');
  });

  test('of a deletion tell whether there was this very object', async () => {
    const answers: Record<string, [number, object]> = {
      there: [200, { status: 'Success' }],
      gone: [404, failure(404, 'NotFound', 'not found')],
      another: [409, failure(409, 'Conflict', 'the UID in the precondition does not match')],
    };
    const client = await clientOf((request, response) => {
      const [status, body] = answers[request.url?.split('/').at(-1) ?? ''] ?? [500, {}];
      answer(response, status, body);
    });
    const outcome = (name: string) => client.delete(PODS, { name, namespace: 'shop' }, { uid: 'u' });
    expect([await outcome('there'), await outcome('gone'), await outcome('another')]).toEqual([true, false, false]);
  });

  test('of a name that is taken can be told from a conflict', async () => {
    const client = await clientOf((_, response) => answer(response, 409, failure(409, 'AlreadyExists', 'exists')));
    const error = await client
      .create(CONFIG_MAPS, { metadata: { name: 'a', namespace: 'b' } })
      .catch((e: unknown) => e);
    expect(isAlreadyThere(error)).toBe(true);
    expect(isConflict(error)).toBe(false);
  });

  test('are shortened: a long message of a webhook does not fill the log', async () => {
    const client = await clientOf((_, response) => answer(response, 422, failure(422, 'Invalid', 'x\n'.repeat(5000))));
    const error = await client
      .create(CONFIG_MAPS, { metadata: { name: 'a', namespace: 'b' } })
      .catch((e: unknown) => e);
    expect(String(error).length).toBeLessThan(500);
    expect(String(error)).not.toContain('\n');
  });
});

describe('a watch', () => {
  const object = (name: string, version: number, uid = name): ConfigMap => ({
    metadata: { name, uid, resourceVersion: `${version}` },
  });
  const line = (type: string, of: object): string => `${JSON.stringify({ type, object: of })}\n`;

  async function watched(handler: Handler): Promise<readonly string[]> {
    const told: string[] = [];
    const stop = new AbortController();
    const clock = hastyClock();
    const client = await clientOf(handler, clock);
    await watchObjects(
      client,
      CONFIG_MAPS,
      { namespace: 'shop' },
      {
        seen: ({ metadata }) => {
          told.push(`${metadata.name}@${metadata.resourceVersion}`);
          if (metadata.name === 'last') stop.abort();
        },
        gone: ({ metadata }) => told.push(`${metadata.name} gone`),
      },
      { signal: stop.signal, clock },
    );
    return told;
  }

  test('goes on from the last version when the connection ends, bookmarks included', async () => {
    const from: (string | null)[] = [];
    const told = await watched((request, response) => {
      const url = new URL(request.url ?? '', 'http://x');
      if (!url.searchParams.has('watch')) return answer(response, 200, list(1, object('a', 1)));
      from.push(url.searchParams.get('resourceVersion'));
      response.writeHead(200);
      if (from.length === 1) response.end(line('MODIFIED', object('a', 2)) + line('BOOKMARK', object('', 5)));
      else response.write(line('ADDED', object('last', 6)));
    });
    expect(from).toEqual(['1', '5']);
    expect(told).toEqual(['a@1', 'a@2', 'last@6']);
  });

  test('lists again when its version is too old, and tells what went meanwhile', async () => {
    let lists = 0;
    const told = await watched((request, response) => {
      if (!request.url?.includes('watch=true')) {
        lists++;
        return answer(
          response,
          200,
          lists === 1 ? list(1, object('a', 1), object('b', 1)) : list(9, object('b', 1), object('last', 9)),
        );
      }
      response.writeHead(200).end(line('ERROR', failure(410, 'Expired', 'too old resource version')));
    });
    expect(lists).toBe(2);
    expect(told).toEqual(['a@1', 'b@1', 'a gone', 'b@1', 'last@9']);
  });

  test('takes an object that was deleted and made anew for another one', async () => {
    let lists = 0;
    const told = await watched((request, response) => {
      if (request.url?.includes('watch=true')) return void request.socket.destroy();
      lists++;
      answer(
        response,
        200,
        lists === 1 ? list(1, object('a', 1, 'u1')) : list(9, object('a', 8, 'u2'), object('last', 9)),
      );
    });
    expect(told).toEqual(['a@1', 'a gone', 'a@8', 'last@9']);
  });

  test('survives a connection that breaks in the middle of a line', async () => {
    let watches = 0;
    const told = await watched((request, response) => {
      if (!request.url?.includes('watch=true')) {
        return answer(response, 200, watches === 0 ? list(1) : list(2, object('a', 2)));
      }
      watches++;
      response.writeHead(200);
      if (watches === 1) response.write('{"type":"ADDED","obj', () => request.socket.destroy());
      else response.write(line('ADDED', object('last', 3)));
    });
    expect(told).toEqual(['a@2', 'last@3']);
  });

  test('ends as it should when it is told to while it waits to list again', async () => {
    const stop = new AbortController();
    const clock: Clock = {
      ...hastyClock(),
      after: () => {
        setImmediate(() => stop.abort());
        return { cancel: () => undefined };
      },
    };
    const client = await clientOf((_, response) => answer(response, 503, failure(503, 'Unavailable', 'later')), clock);
    const ended = watchObjects(client, CONFIG_MAPS, {}, { seen: () => undefined }, { signal: stop.signal, clock });
    await expect(ended).resolves.toBeUndefined();
  });

  test('survives lines that are cut in the middle', async () => {
    const told = await watched((request, response) => {
      if (!request.url?.includes('watch=true')) return answer(response, 200, list(1));
      const text = line('ADDED', object('käse', 2)) + line('ADDED', object('last', 3));
      const bytes = Buffer.from(text);
      const middle = bytes.indexOf(0xc3) + 1;
      response.writeHead(200).write(bytes.subarray(0, middle), () => response.write(bytes.subarray(middle)));
    });
    expect(told).toEqual(['käse@2', 'last@3']);
  });

  test('ends with an error where the right is missing', async () => {
    const forbidden = failure(403, 'Forbidden', 'User "x" cannot list resource "configmaps"');
    await expect(watched((_, response) => answer(response, 403, forbidden))).rejects.toMatchObject({
      code: 'permission-missing',
    });
  });

  test('knows an expired version from other refusals', async () => {
    const client = await clientOf((_, response) => answer(response, 410, failure(410, 'Expired', 'old')));
    const error = await client.list(CONFIG_MAPS).catch((thrown: unknown) => thrown);
    expect(isExpired(error)).toBe(true);
  });

  function list(version: number, ...items: ConfigMap[]): object {
    return { metadata: { resourceVersion: `${version}` }, items };
  }
});
