/** A stand-in for Keystone: version 3 of its API as far as a password for a project goes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

interface Known {
  readonly user: string;
  readonly password: string;
  readonly project: string;
  /** What it gives to whoever logs in, each time anew. */
  readonly token: () => Promise<string>;
  readonly storageUrl: () => string;
}

interface Login {
  readonly auth: {
    readonly identity: { readonly password?: { readonly user: { readonly name: string; readonly password: string } } };
    readonly scope?: { readonly project: { readonly name: string; readonly domain: { readonly name: string } } };
  };
}

export async function startKeystone(known: Known): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(async (asked, answer) => {
    if (asked.method !== 'POST' || asked.url !== '/v3/auth/tokens') return answer.writeHead(404).end();
    const { identity, scope } = ((await json(asked)) as Login).auth;
    const user = identity.password?.user;
    const { project } = scope ?? {};
    const right = user?.name === known.user && user.password === known.password && project?.name === known.project;
    if (!right || project?.domain.name !== 'Default') return answer.writeHead(401).end('{"error":{"code":401}}');
    // Swift knows for itself when it is asked for too much.
    const token = await known.token().catch(() => undefined);
    if (token === undefined) return answer.writeHead(503).end();
    const endpoint = (region: string, url: string, face = 'public'): object => ({ interface: face, region, url });
    const catalog = [
      { type: 'compute', endpoints: [endpoint('here', 'http://127.0.0.1:1')] },
      {
        type: 'object-store',
        endpoints: [
          endpoint('elsewhere', 'http://127.0.0.1:1'),
          endpoint('here', 'http://127.0.0.1:1', 'admin'),
          endpoint('here', known.storageUrl()),
        ],
      },
    ];
    return answer
      .writeHead(201, { 'content-type': 'application/json', 'x-subject-token': token })
      .end(JSON.stringify({ token: { catalog } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
