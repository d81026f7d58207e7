/** The one session of a backup (safety rule 1): a direct connection to one member. */
import { configuredEndpoint, type Endpoint, lookLimit } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding, Log } from '../../ports';
import { checkSession } from './checks';
import { type Choice, confirmMember, noLongerFit } from './choose';
import { Connection } from './connection';
import {
  isSameProcess,
  lastWriteOf,
  pathsOf,
  processNameLike,
  processOf,
  readServer,
  roleOf,
  type ServerFacts,
  splitHost,
} from './facts';
import { wishOf } from './layout';
import { lockStateOf, readOperations } from './lock';
import { type Chosen, connectToAny, endpointOf, isRouter, openMember, readTopology } from './member';
import { planBackup } from './plan';
import { numberAt, type Reply, textAt } from './reply';
import type { ClusterPart } from './sharded/cluster';
import { openCluster, openMemberOfShard } from './sharded/open';
import { Router } from './sharded/router';

/** Opens the session: direct to the member that the set and the user's wish choose; behind a mongos to one of the config servers. */
export async function openSession(target: Target, log: Log, signal: AbortSignal): Promise<MongoSession> {
  const found = await openMember(target, signal);
  if (!(found instanceof Router)) return await sessionOn(found, { target, log, signal });
  try {
    const { cluster, chosen } = await openCluster(found, target, signal);
    const part: ClusterPart = { cluster, shard: cluster.facts.map[0], leads: true };
    return await sessionOn(chosen, { target, log, signal }, part);
  } catch (error) {
    await found.connection.close();
    throw error;
  }
}

interface Opening {
  readonly target: Target;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A session with a member of one of the shards of a cluster. */
async function openPart(part: ClusterPart, opening: Opening): Promise<MongoSession> {
  const chosen = await openMemberOfShard(opening.target, part.shard, opening.signal);
  return await sessionOn(chosen, opening, part);
}

async function sessionOn(chosen: Chosen, { target, log, signal }: Opening, part?: ClusterPart): Promise<MongoSession> {
  try {
    const server = await readServer(chosen.connection, signal);
    const { replicaSetId, choice } = chosen;
    log.info({ member: server.member, behindSeconds: choice?.behindSeconds, shard: part?.shard.name }, 'member chosen');
    const identity = {
      ...server.identity,
      ...(replicaSetId === undefined ? {} : { replicaSetId }),
      ...(part === undefined ? {} : { shard: part.shard.name }),
    };
    const named = part === undefined ? {} : { cluster: part.cluster.name };
    return new MongoSession(chosen, { ...server, ...named, identity }, { target, log, part });
  } catch (error) {
    await chosen.connection.close();
    throw error;
  }
}

/** A session on a member of a replica set, or on a server of no set. */
export class MongoSession implements EngineSession {
  readonly connection: Connection;
  #address: string | undefined;
  #spare: Connection | undefined;
  /** The member as it was when it was looked at last; undefined for a server of no set. */
  #choice: Choice | undefined;

  /** What the server is in a sharded cluster; undefined outside of one. */
  readonly part: ClusterPart | undefined;
  private readonly target: Target;
  private readonly log: Log;

  constructor(
    readonly chosen: Chosen,
    readonly server: ServerFacts,
    about: { readonly target: Target; readonly log: Log; readonly part: ClusterPart | undefined },
  ) {
    this.connection = chosen.connection;
    this.#choice = chosen.choice;
    this.target = about.target;
    this.log = about.log;
    this.part = about.part;
  }

  /** Each shard has a part of the documents, so all of them are backed up together. */
  async others(signal: AbortSignal): Promise<readonly MongoSession[]> {
    if (this.part?.leads !== true) return [];
    const { target, log, part } = this;
    const { cluster } = part;
    const [, ...shards] = cluster.facts.map;
    const opened: MongoSession[] = [];
    try {
      for (const shard of shards)
        opened.push(await openPart({ cluster, shard, leads: false }, { target, log, signal }));
      return opened;
    } catch (error) {
      await Promise.all(opened.map((session) => session.close()));
      throw error;
    }
  }

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  async paths(mountPaths: readonly string[]): Promise<readonly ServerPath[]> {
    return pathsOf(this.server, mountPaths);
  }

  check(request: PlanRequest): Promise<readonly Finding[]> {
    const { server, chosen, part } = this;
    return checkSession(this.connection, { server, chosen, part, request });
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  /** Through the configured host to the set, and in it by its name to the member. */
  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const seed = await Connection.open(this.target, configuredEndpoint(this.target), signal);
    try {
      const hello = await seed.command('asking who the server is', { hello: 1 }, signal);
      if (isRouter(hello)) await this.#refuseOtherCluster(new Router(seed), signal);
      else if (
        hello.setName === undefined ||
        textAt(hello, 'me') === this.server.member ||
        !(await this.#isOfSet(seed, signal))
      ) {
        return await this.#identityAt(seed, signal);
      }
    } finally {
      await seed.close();
    }
    const member = await Connection.open(this.target, endpointOf(this.server.member), signal);
    try {
      return await this.#identityAt(member, signal);
    } finally {
      await member.close();
    }
  }

  /** A mongos leads to this server as long as its cluster has the server's set, and that has the server: hidden ones the set alone names. */
  async #refuseOtherCluster(router: Router, signal: AbortSignal): Promise<void> {
    const map = await router.map(signal);
    const shard = map.find(({ setName }) => setName === this.server.setName);
    if (shard !== undefined && (await this.#isInSet(shard.hosts, signal))) return;
    const { host, port } = configuredEndpoint(this.target);
    throw new StillpointError('server-changed', `the mongos at ${host}:${port} does not know ${this.server.member}`, {
      hint: 'the name leads to the mongos of another cluster now, or the shard has got other members',
    });
  }

  async #isInSet(hosts: readonly string[], signal: AbortSignal): Promise<boolean> {
    const seed = await connectToAny(this.target, hosts, signal);
    try {
      return await this.#isOfSet(seed, signal);
    } finally {
      await seed.close();
    }
  }

  /** Whether the set of another server has the member of this session: two sets may have one name. */
  async #isOfSet(other: Connection, signal: AbortSignal): Promise<boolean> {
    const { members } = await readTopology(other, signal);
    return members.some(({ host }) => host === this.server.member);
  }

  /** Whether the process of this session answers at an address: names of hosts are the same in every namespace. */
  async isAt(address: string): Promise<boolean> {
    using limit = lookLimit(this.target, "finding the server's pod");
    const { signal } = limit;
    const there = await Connection.open(this.target, this.#endpointAt(address), signal);
    try {
      const { process, member } = await readServer(there, signal);
      const isIt = member === this.server.member && isSameProcess(process, this.server.process);
      if (isIt) this.#address = address;
      return isIt;
    } finally {
      await there.close();
    }
  }

  /** Where the server itself is, for a guard: its address where it was traced to one. */
  get direct(): Endpoint {
    return this.#endpointAt(this.#address ?? splitHost(this.server.member).host);
  }

  /** The facts of the proof: which session, which server, in which role. */
  async observe({ signal }: Pick<StepContext, 'signal'>, locked: boolean): Promise<Readonly<Record<string, string>>> {
    const hello = await this.hello(signal);
    const status = await this.connection.command('reading the status of the server', { serverStatus: 1 }, signal);
    const rollbacks = numberAt(status, 'repl.rbid');
    const connection = numberAt(hello, 'connectionId');
    return {
      ...this.#identity(hello, status),
      role: roleOf(hello),
      ...(connection === undefined ? {} : { connection: String(connection) }),
      ...(rollbacks === undefined ? {} : { rollbacks: String(rollbacks) }),
      ...(locked ? await this.#lockFacts(hello, signal) : {}),
    };
  }

  /** How far it is behind the newest write in its set, as far as is known. */
  get behindSeconds(): number | undefined {
    return this.#choice?.behindSeconds;
  }

  /** From its choice to its lock it may wait long for its turn. Throws member-unsuitable where it would not be chosen any more. */
  async confirmMember(signal: AbortSignal): Promise<void> {
    if (this.#choice === undefined) return;
    const topology = await readTopology(this.connection, signal);
    this.#choice = confirmMember(topology, this.#choice.member, wishOf(this.target.options));
  }

  /** An election that came after the last look: the primary is held for no longer than it takes to see that. */
  refuseElected(hello: Reply): void {
    if (this.#choice === undefined || this.#choice.member.state === 'PRIMARY' || roleOf(hello) !== 'primary') return;
    throw noLongerFit({ setName: this.server.setName ?? '' }, this.#choice.member, 'is the primary');
  }

  hello(signal: AbortSignal): Promise<Reply> {
    return this.connection.command('asking who the server is', { hello: 1 }, signal);
  }

  /**
   * A second connection to the same server, logged in before the lock: should the first be lost or wait for a lock that
   * does not come, the way back goes over this one. A locked server may let nobody new in.
   */
  async openSpare(signal: AbortSignal): Promise<void> {
    this.#spare ??= await Connection.open(this.target, this.direct, signal);
  }

  /** What can still be used to unlock, the session itself first. */
  get waysBack(): readonly Connection[] {
    return [this.connection, this.#spare].filter((each) => each?.usable === true) as Connection[];
  }

  async close(): Promise<void> {
    const router = this.part?.leads === true ? this.part.cluster.router.connection : undefined;
    await Promise.all([this.connection.close(), this.#spare?.close(), router?.close()]);
  }

  #endpointAt(host: string): Endpoint {
    const { member, setName, port } = this.server;
    return { host, port, name: setName === undefined ? this.target.connection.host : splitHost(member).host };
  }

  async #identityAt(connection: Connection, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const hello = await connection.command('asking who the server is', { hello: 1 }, signal);
    return this.#identity(
      hello,
      await connection.command('reading the status of the server', { serverStatus: 1 }, signal),
    );
  }

  #identity(hello: Reply, status: Reply): Readonly<Record<string, string>> {
    const setName = textAt(hello, 'setName');
    return {
      member: textAt(hello, 'me') ?? textAt(status, 'host') ?? '',
      process: processNameLike(this.server.process, processOf(hello, status)),
      ...(setName === undefined ? {} : { setName }),
    };
  }

  /** Under the lock nothing is written: what was written last is a fact that must not change. */
  async #lockFacts(hello: Reply, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const { locked } = lockStateOf(await readOperations(this.connection, signal), '');
    if (!locked) {
      throw new StillpointError('proof-failed', `${this.server.member} is not locked any more`, {
        hint: 'somebody has unlocked it meanwhile (fsyncUnlock): what was cut after that is no backup',
      });
    }
    const lastWrite = lastWriteOf(hello);
    return { fsyncLock: 'true', ...(lastWrite === undefined ? {} : { lastWrite: lastWrite.opTime }) };
  }
}
