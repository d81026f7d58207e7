/** Where the connections of an engine go to. Pure. */
import type { Target } from './engine';

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
