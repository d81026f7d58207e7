/** Connects to the one member that is backed up: found by asking any of the set, reached directly. */

import { configuredEndpoint, type Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { chooseMember, majorityNeeds } from './choose';
import { Connection } from './connection';
import { splitHost } from './facts';
import { optionProblems, wishOf } from './layout';
import { type Reply, textAt } from './reply';
import { replicaSetIdOf, type Topology, topologyOf } from './topology';

/** The connection to the member, and what was found out on the way. */
export interface Chosen {
  readonly connection: Connection;
  /** How far it is behind the newest write in the set; undefined for a server of no set. */
  readonly behindSeconds: number | undefined;
  /** Whether writes of write concern majority wait while it is locked. */
  readonly majorityWaits: boolean;
  readonly replicaSetId: string | undefined;
}

/** Opens the direct connection. Throws member-unsuitable, server-unsafe (a router), and what a connection throws. */
export async function openMember(target: Target, signal: AbortSignal): Promise<Chosen> {
  refuseOptions(target);
  const seed = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const hello = await seed.command('asking who the server is', { hello: 1 }, signal);
    if (hello.msg === 'isdbgrid') throw sharded(target);
    if (hello.setName === undefined) {
      return { connection: seed, behindSeconds: undefined, majorityWaits: false, replicaSetId: undefined };
    }
    return await openOfSet(target, seed, hello, signal);
  } catch (error) {
    await seed.close();
    throw error;
  }
}

async function openOfSet(target: Target, seed: Connection, hello: Reply, signal: AbortSignal): Promise<Chosen> {
  const { config, ...topology } = await readTopology(seed, signal);
  const { member, behindSeconds } = chooseMember(topology, wishOf(target.options));
  const isSeed = member.host === textAt(hello, 'me');
  const connection = isSeed ? seed : await Connection.open(target, endpointOf(member.host), signal);
  if (!isSeed) await seed.close();
  return {
    connection,
    behindSeconds,
    majorityWaits: majorityNeeds(topology, member),
    replicaSetId: replicaSetIdOf(config),
  };
}

/** The set, as one of its members sees it. */
export async function readTopology(
  seed: Connection,
  signal: AbortSignal,
): Promise<Topology & { readonly config: Reply }> {
  const status = await seed.command('reading the status of the set', { replSetGetStatus: 1 }, signal);
  const config = await seed.command('reading the configuration of the set', { replSetGetConfig: 1 }, signal);
  return { ...topologyOf(status, config), config };
}

/** Where the set says that a member is. */
export function endpointOf(member: string): Endpoint {
  const { host, port = 27017 } = splitHost(member);
  return { host, port, name: host };
}

function refuseOptions({ options = {} }: Target): void {
  const [first] = [...optionProblems(options)];
  if (first === undefined) return;
  throw new StillpointError('config-invalid', first.message, first.hint === undefined ? {} : { hint: first.hint });
}

function sharded({ connection: { host, port } }: Target): StillpointError {
  return new StillpointError(
    'server-unsafe',
    `at ${host}:${port} answers a mongos, the router of a sharded cluster, which this version does not back up`,
    {
      hint: 'there is no consistent copy of a sharded cluster without a lock on all of its shards at once; see docs/mongodb.md',
    },
  );
}
