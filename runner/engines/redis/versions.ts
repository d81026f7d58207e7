/** What differs between Redis and Valkey and their versions, all of it. */
import type { Info } from './replies';

/** What answers. Valkey gives the version of Redis that it is compatible with, and its own beside it. */
export type Flavour = 'redis' | 'valkey';

/** A server's flavour and version, and what it can do. */
export interface Dialect {
  readonly flavour: Flavour;
  readonly name: 'Redis' | 'Valkey';
  readonly version: string;
  readonly supported: boolean;
  /**
   * Whether `CONFIG SET appendfsync always` syncs what was written before, also when nothing is written after: from
   * Redis 7.2 on (redis/redis#11973).
   */
  readonly syncsOnDemand: boolean;
  /**
   * From Redis 7.0 on: the name of a new dump is synced as the dump is, CONFIG GET and SET take several settings, dumps are
   * counted, and the append-only file is several that are never written to anew. Before, a dump is only safe when it was written twice.
   */
  readonly sinceSeven: boolean;
  /** The program of a throw-away server. */
  readonly daemon: string;
  readonly client: string;
}

/** The versions that are supported, for messages. */
export const SUPPORTED = 'Redis 6.2 to 8 and Valkey 7.2 to 9';

/** The dialect of a server by its INFO. */
export function dialectOf(info: Info): Dialect {
  const valkey = info.server_name === 'valkey' || info.valkey_version !== undefined;
  return dialectNamed(valkey ? 'valkey' : 'redis', info.valkey_version ?? info.redis_version ?? '');
}

/** The dialect of a flavour and version, as a record has them. */
export function dialectNamed(flavour: Flavour, version: string): Dialect {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const number = Number(major) * 100 + Number(minor);
  const valkey = flavour === 'valkey';
  return {
    flavour,
    name: valkey ? 'Valkey' : 'Redis',
    version,
    // Before 6.2 there is no pause of writes alone.
    supported: valkey ? number >= 702 && number < 1000 : number >= 602 && number < 900,
    syncsOnDemand: number >= 702,
    sinceSeven: number >= 700,
    daemon: valkey ? 'valkey-server' : 'redis-server',
    client: valkey ? 'valkey-cli' : 'redis-cli',
  };
}
