/** Where the connections of an engine go to, and how long a check of the server may take. */
import { type TimeLimit, timeLimit } from './abort';
import { systemClock } from './clock';
import type { Target } from './engine';
import { StillpointError } from './errors';

/**
 * Nothing is held while a server is looked at, and nobody waits: a node that starts a hundred Jobs at once may be slow, and that
 * is no reason to go without the backup. That nobody listens is found out sooner, by each connection's own limit.
 */
const LOOK_LIMIT_SECONDS = 60;

/** Where to connect to; {@link Endpoint.name} is what its certificate has to be for. */
export interface Endpoint {
  /** A host or an address; a path is a Unix socket, where the engine has such. */
  readonly host: string;
  readonly port: number;
  readonly name: string;
}

/** The endpoint that the job config names. */
export function configuredEndpoint({ connection }: Pick<Target, 'connection'>): Endpoint {
  return { host: connection.host, port: connection.port, name: connection.host };
}

/** Aborts with server-unreachable when a look at a server takes too long, unless disposed of: the look is over then. */
export function lookLimit(target: Pick<Target, 'connection'>, what: string): TimeLimit {
  const { host, port } = configuredEndpoint(target);
  const reason = (): StillpointError =>
    new StillpointError('server-unreachable', `${what} at ${host}:${port} took more than ${LOOK_LIMIT_SECONDS} s`, {
      hint: 'see how busy the server is, and the node that this runs on',
    });
  return timeLimit(systemClock, LOOK_LIMIT_SECONDS * 1000, reason);
}
