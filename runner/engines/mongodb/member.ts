/** Connects to the one member that is backed up: found by asking any of the set, reached directly. */

import { configuredEndpoint, type Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { type Choice, chooseMember, majorityNeeds } from './choose';
import { Connection } from './connection';
import { splitHost } from './facts';
import { optionProblems, wishOf } from './layout';
import { type Reply, textAt } from './reply';
import { Router } from './sharded/router';
import { replicaSetIdOf, type Topology, topologyOf } from './topology';

/** The connection to the member, and what was found out on the way. */
export interface Chosen {
  readonly connection: Connection;
  /** The member as it was when it was chosen; undefined for a server of no set. */
  readonly choice: Choice | undefined;
  /** Whether writes of write concern majority wait while it is locked. */
  readonly majorityWaits: boolean;
  readonly replicaSetId: string | undefined;
}

/** Opens the direct connection to one member. A mongos is answered as it is: behind it are many. Throws member-unsuitable, and what a connection throws. */
export async function openMember(target: Target, signal: AbortSignal): Promise<Chosen | Router> {
  refuseOptions(target);
  const seed = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const hello = await seed.command('asking who the server is', { hello: 1 }, signal);
    if (isRouter(hello)) return new Router(seed);
    if (hello.setName === undefined) {
      return { connection: seed, choice: undefined, majorityWaits: false, replicaSetId: undefined };
    }
    return await openOfSet(target, seed, hello, signal);
  } catch (error) {
    await seed.close();
    throw error;
  }
}

/** Whether a mongos answers. [doc: hello] */
export function isRouter(hello: Reply): boolean {
  return hello.msg === 'isdbgrid';
}

/** Opens the direct connection to one member of a set that a mongos has named. */
export async function openMemberOf(target: Target, hosts: readonly string[], signal: AbortSignal): Promise<Chosen> {
  const seed = await connectToAny(target, hosts, signal);
  try {
    const hello = await seed.command('asking who the server is', { hello: 1 }, signal);
    return await openOfSet(target, seed, hello, signal);
  } catch (error) {
    await seed.close();
    throw error;
  }
}

/** Connects to whichever member of a set answers. Throws what the first of them threw. */
export async function connectToAny(target: Target, hosts: readonly string[], signal: AbortSignal): Promise<Connection> {
  const failures: unknown[] = [];
  for (const host of hosts) {
    try {
      return await Connection.open(target, endpointOf(host), signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  throw failures[0];
}

async function openOfSet(target: Target, seed: Connection, hello: Reply, signal: AbortSignal): Promise<Chosen> {
  const { config, ...topology } = await readTopology(seed, signal);
  const choice = chooseMember(topology, wishOf(target.options));
  const { member } = choice;
  const isSeed = member.host === textAt(hello, 'me');
  const connection = isSeed ? seed : await Connection.open(target, endpointOf(member.host), signal);
  if (!isSeed) await seed.close();
  return {
    connection,
    choice,
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
