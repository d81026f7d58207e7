/**
 * Makes sure that the session is one with the server itself. A pooler may give the server's session to somebody else
 * between two statements, and then backup mode, slot and proof would belong to nobody.
 */

import { configuredEndpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { Connection } from './connection';
import { type Identity, readIdentity } from './facts';

const WHERE = `
  SELECT pg_backend_pid()::text AS pid, host(inet_server_addr()) AS address, inet_server_port()::text AS port`;

/** Connects to the configured host; when a pooler answers there, to the server behind it. Throws session-not-direct. */
export async function openDirectly(target: Target, log: Log, signal: AbortSignal): Promise<Connection> {
  const first = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const { pid, address, port } = await first.row('asking for the process id', WHERE, [], signal);
    // The server announces the process id when a connection begins; a pooler announces a number of its own.
    if (pid === first.announcedPid) return first;
    const identity = await readIdentity(first, signal);
    const server = reachable(address, port, target);
    log.info({ pooler: target.connection.host, server: `${server.host}:${server.port}` }, 'connecting past a pooler');
    const second = await openBehind(target, { ...server, name: target.connection.host }, identity, signal);
    await first.close();
    return second;
  } catch (error) {
    await first.close();
    throw error;
  }
}

async function openBehind(
  target: Target,
  endpoint: Connection['endpoint'],
  expected: Identity,
  signal: AbortSignal,
): Promise<Connection> {
  const direct = await Connection.open(target, endpoint, signal);
  try {
    const { pid } = await direct.row('asking for the process id', WHERE, [], signal);
    const identity = await readIdentity(direct, signal);
    const same =
      identity.systemIdentifier === expected.systemIdentifier && identity.postmasterStart === expected.postmasterStart;
    if (same && pid === direct.announcedPid) return direct;
    throw notDirect(
      target,
      same
        ? `${endpoint.host}:${endpoint.port} is a pooler too`
        : `${endpoint.host}:${endpoint.port} is another server`,
    );
  } catch (error) {
    await direct.close();
    throw error;
  }
}

function reachable(
  address: string | null | undefined,
  port: string | null | undefined,
  target: Target,
): { readonly host: string; readonly port: number } {
  if (typeof address !== 'string' || typeof port !== 'string') {
    throw notDirect(target, 'it reaches its server over a Unix socket');
  }
  if (address === '::1' || address.startsWith('127.')) {
    throw notDirect(target, `it reaches its server at the loopback address ${address}`);
  }
  return { host: address, port: Number(port) };
}

function notDirect({ connection }: Target, why: string): StillpointError {
  return new StillpointError(
    'session-not-direct',
    `a pooler answers at ${connection.host}:${connection.port}, and the server behind it cannot be reached: ${why}`,
    { hint: 'let host and port name the server itself, or a Service in front of it, not the pooler' },
  );
}
