/** Requests to the API server and its answers: what is sent, what is made of what comes back, and what of a failure. */
import { describe, expect, test } from 'vitest';
import { isAlreadyThere, isConflict, isForbidden } from '../../../runner/kube/errors';
import { CONFIG_MAPS, NAMESPACES, PODS } from '../../../runner/kube/objects';
import { answer, clientOf, failure, hastyClock } from './client-fixture';

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
