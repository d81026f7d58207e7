/** TLS with a server that is none of Neo4j, and says back what it is told: what fails there fails before a word of Bolt. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Target } from '../../../../runner/engine';
import { Connection } from '../../../../runner/engines/neo4j/connection';
import { Tunnel } from '../../../../runner/engines/neo4j/tunnel';

const file = (name: string): Promise<string> =>
  readFile(new URL(`../../../integration/tls/${name}`, import.meta.url), 'utf8');
const never = new AbortController().signal;

type Tls = NonNullable<Target['tls']>;

let server: Server;
let port: number;
let ca: string;
let other: string;
let heard: Buffer[];
let names: unknown[];
/** What the server says before it closes; what it has heard when left out. */
let last: Buffer | undefined;

beforeAll(async () => {
  const [cert, key] = await Promise.all([file('server.crt'), file('server.key')]);
  [ca, other] = [await file('ca.crt'), cert];
  server = createServer({ cert, key }, (socket: TLSSocket) => {
    names.push(socket.servername);
    socket.on('data', (data) => {
      heard.push(data);
      socket.end(last ?? data);
    });
  });
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => {
  [heard, names, last] = [[], [], undefined];
});
afterAll(() => void server.close());

function opened(tls: Partial<Tls>, name: string): Promise<Connection> {
  const target: Target = {
    connection: { host: name, port, usernameFile: '' },
    username: 'neo4j',
    password: 'secret',
    tls: { mode: 'verify-full', ca, cert: undefined, key: undefined, ...tls },
  };
  return Connection.open(target, { host: '127.0.0.1', port, name }, never);
}

describe('a server with a certificate', () => {
  it.each([
    {
      of: 'another authority',
      tls: () => ({ ca: other }),
      name: 'database.test',
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    {
      of: 'no authority',
      tls: () => ({ ca: undefined }),
      name: 'database.test',
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    { of: 'another host', tls: () => ({}), name: 'graph', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { of: 'no address', tls: () => ({}), name: '127.0.0.1', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    {
      of: 'another authority, whatever its name',
      tls: () => ({ mode: 'verify-ca' as const, ca: other }),
      name: 'graph',
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
  ])('of $of is refused, by the code of why, and hears nothing', async ({ tls, name, code }) => {
    await expect(opened(tls(), name)).rejects.toMatchObject({
      code: 'tls-failed',
      message: expect.stringContaining(code),
    });
    expect(heard).toEqual([]);
  });

  it.each([
    { mode: 'verify-full' as const, name: 'database.test' },
    { mode: 'verify-ca' as const, name: 'graph' },
    { mode: 'require' as const, name: 'graph' },
  ])(
    'is talked to at an address by the name $name with $mode; what it says then is no Bolt',
    async ({ mode, name }) => {
      await expect(opened({ mode }, name)).rejects.toMatchObject({ code: 'server-unreachable' });
      expect(heard[0]?.subarray(0, 4).toString('hex')).toBe('6060b017');
      expect(names[0]).toBe(name);
    },
  );

  it('hears the last word of a server that closes at once, and nothing of it is a failure of the way', async () => {
    last = Buffer.alloc(4 * 1024 ** 2, 'no');
    const tls = { mode: 'verify-full' as const, ca, cert: undefined, key: undefined };
    const tunnel = await Tunnel.open(tls, { host: '127.0.0.1', port, name: 'database.test' }, 30_000);
    const socket = connect(tunnel.near.port, tunnel.near.host);
    socket.write('let me in');
    expect((await buffer(socket)).equals(last)).toBe(true);
    expect(tunnel.failure).toBeUndefined();
    tunnel.close();
  });

  it('hears what is said, and is heard; closed, the way is gone', async () => {
    const tls = { mode: 'verify-full' as const, ca, cert: undefined, key: undefined };
    const tunnel = await Tunnel.open(tls, { host: '127.0.0.1', port, name: 'database.test' }, 30_000);
    const { near } = tunnel;
    const socket = connect(near.port, near.host);
    socket.write('hello');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toBe('hello');
    tunnel.close();
    const late = connect(near.port, near.host);
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

it('who listens and says nothing is given up in time', async () => {
  const silent = createTcpServer();
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const at = (silent.address() as AddressInfo).port;
  const target: Target = {
    connection: { host: 'graph', port: at, usernameFile: '', connectTimeoutSeconds: 1 },
    username: 'neo4j',
    password: 'secret',
    tls: { mode: 'verify-full', ca, cert: undefined, key: undefined },
  };
  const opening = Connection.open(target, { host: '127.0.0.1', port: at, name: 'graph' }, never);
  await expect(opening).rejects.toMatchObject({ code: 'server-unreachable' });
  silent.close();
});

it('where nobody is, it is not a matter of TLS', async () => {
  const { port: free } = await new Promise<AddressInfo>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const found = probe.address() as AddressInfo;
      probe.close(() => resolve(found));
    });
  });
  const target: Target = {
    connection: { host: 'graph', port: free, usernameFile: '' },
    username: 'neo4j',
    password: 'secret',
    tls: { mode: 'verify-full', ca, cert: undefined, key: undefined },
  };
  const nobody = Connection.open(target, { host: '127.0.0.1', port: free, name: 'graph' }, never);
  await expect(nobody).rejects.toMatchObject({ code: 'server-unreachable' });
});
