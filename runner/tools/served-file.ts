/**
 * One file, over HTTP, for as long as a database server takes to fetch it. Who knows the whole path may read it: it has 256
 * random bits, and goes with the process. The content goes as it lies there, without TLS: a server would not trust a certificate
 * that was made for a minute.
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StillpointError } from '../errors';
import type { Log } from '../ports';
import type { ServedFile } from './online-restore';

/** Serves a file on the address of this machine from which a host is reached. */
export async function serveFile(
  file: string,
  near: { readonly host: string; readonly port: number },
  log: Log,
): Promise<ServedFile> {
  const address = await addressTowards(near);
  const { size } = await stat(file);
  const path = `/${randomBytes(32).toString('hex')}/${basename(file)}`;
  let fetched = 0;
  const answer = async ({ method, url, socket }: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (url !== path || (method !== 'GET' && method !== 'HEAD')) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
    if (method === 'HEAD') {
      response.end();
      return;
    }
    log.info({ to: socket.remoteAddress, bytes: size }, 'the server fetches the database');
    const content = createReadStream(file);
    try {
      await pipeline(content, response);
    } finally {
      // A client that knows the length may have all of it, and go, before the end of it was said here.
      if (content.bytesRead === size) fetched += 1;
    }
  };
  const server = createServer((request, response) => {
    // Who goes away in the middle comes again, or says in its own log why not.
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    uri: `http://${host}:${port}${path}`,
    fetched: () => fetched,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A socket that sends nothing knows from where it would. Throws server-unreachable. */
async function addressTowards({ host, port }: { readonly host: string; readonly port: number }): Promise<string> {
  const { lookup } = await import('node:dns/promises');
  try {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    try {
      socket.connect(port, address);
      await once(socket, 'connect');
      return socket.address().address;
    } finally {
      socket.close();
    }
  } catch (cause) {
    throw new StillpointError(
      'server-unreachable',
      `no way from here to ${host}:${port} was found: ${(cause as Error).message}`,
      { hint: 'the server fetches the database from this pod: look at the name and at network policies', cause },
    );
  }
}
