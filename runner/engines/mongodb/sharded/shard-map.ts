/** What a sharded cluster consists of, as a mongos tells it. Pure. */
import { StillpointError } from '../../../errors';
import { at, type Reply } from '../reply';

/** One replica set of a cluster: a shard, or the config servers. */
export interface Shard {
  /** What the cluster calls it; {@link CONFIG} the config servers, which may be a shard as well. */
  readonly name: string;
  readonly setName: string;
  /** Where members of it are: enough to find the others. */
  readonly hosts: readonly string[];
}

/** The config servers' name in a map of shards. [doc: getShardMap] */
export const CONFIG = 'config';

/** The cluster: its config servers first, then its shards by name. */
export type ShardMap = readonly [Shard, Shard, ...Shard[]];

/** Reads an answer to getShardMap. Throws server-unsafe where it names no config servers or no shard. */
export function shardMapOf(reply: Reply): ShardMap {
  const map = (at(reply, 'map') ?? {}) as Readonly<Record<string, unknown>>;
  const all = Object.entries(map)
    .flatMap(([name, hosts]) => (typeof hosts === 'string' ? [shardOf(name, hosts)] : []))
    .sort((one, other) => order(one) - order(other) || one.name.localeCompare(other.name));
  const [config, first, ...shards] = all;
  if (config?.name !== CONFIG) throw unreadable(`names no config servers (${all.map(({ name }) => name).join(', ')})`);
  // So does one that has not heard of its shards yet: a copy of the config servers alone would be taken for all.
  if (first === undefined) throw unreadable('names no shard beside the config servers');
  const [bare] = all.filter(({ setName, hosts }) => setName === '' || hosts.length === 0);
  if (bare !== undefined) throw unreadable(`names no replica set for ${bare.name}`);
  return [config, first, ...shards];
}

/** The cluster in a line: the same before the first cut and after the last, or there is no backup. Members may come and go. */
export function shardMapText(map: ShardMap): string {
  return map.map(({ name, setName }) => `${name}=${setName}`).join(' ');
}

/** `rs0/mongo-0.mongo:27017,mongo-1.mongo:27017` */
function shardOf(name: string, text: string): Shard {
  const slash = text.indexOf('/');
  const setName = slash < 0 ? '' : text.slice(0, slash);
  const hosts = text
    .slice(slash + 1)
    .split(',')
    .filter((host) => host !== '');
  return { name, setName, hosts };
}

function order({ name }: Shard): number {
  return name === CONFIG ? 0 : 1;
}

function unreadable(what: string): StillpointError {
  return new StillpointError('server-unsafe', `the map of shards that the mongos tells ${what}`, {
    hint: 'look at db.adminCommand({ getShardMap: 1 }): a cluster is its config servers and at least one shard, each a replica set',
  });
}
