/** A client of the API server with a server that answers as a test tells it to, on a loopback port, and a clock whose timers are over at once. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { KubeClient } from '../../../runner/kube/client';
import type { Clock } from '../../../runner/ports';

export type Handler = (request: IncomingMessage & { readonly body: string }, response: ServerResponse) => void;

/** A clock whose timers are over at once; it tells what it was asked for. */
export function hastyClock(): Clock & { readonly waits: number[] } {
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
export async function clientOf(handler: Handler, clock: Clock = hastyClock()): Promise<KubeClient> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handler(Object.assign(request, { body }), response);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = {
    server: new URL(`http://127.0.0.1:${port}/prefix`),
    namespace: undefined,
    options: async () => ({ headers: { Authorization: 'Bearer s3cret' } }),
  };
  return new KubeClient(access, clock);
}

export const answer = (
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};

export const failure = (code: number, reason: string, message: string) => ({ kind: 'Status', code, reason, message });
