/** A watch of objects: it goes on where it was, whatever ends its connection, and lists anew where it has to. */
import { describe, expect, test } from 'vitest';
import { isExpired } from '../../../runner/kube/errors';
import { CONFIG_MAPS, type ConfigMap } from '../../../runner/kube/objects';
import { watchObjects } from '../../../runner/kube/watch';
import type { Clock } from '../../../runner/ports';
import { answer, clientOf, failure, type Handler, hastyClock } from './client-fixture';

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
