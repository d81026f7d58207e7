/** The one session of a backup (safety rule 1). */

import { refuseChangedServer } from '../../changed-facts';
import { configuredEndpoint, type Endpoint } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding, Log } from '../../ports';
import { checkSession } from './checks';
import { type ClusterMaster, type ClusterView, clusterProblem, slotMap } from './cluster';
import { Connection } from './connection';
import {
  FILES,
  type Identity,
  identityOf,
  pathsOf,
  readCluster,
  readClusterInfo,
  readInfo,
  readServer,
  readSettings,
  type ServerFacts,
} from './facts';
import { connectToServer } from './locate';
import { planBackup } from './plan';
import { linkFact } from './replica';
import { type Info, infoOf } from './replies';
import type { Ask } from './settings';

/**
 * Opens the session: with the server that host leads to; where that is a node of a cluster, with the first of its masters,
 * since a replica's writes do not wait.
 */
export async function openSession(target: Target, log: Log, signal: AbortSignal): Promise<RedisSession> {
  const session = await openOn(await connectToServer(target, signal), target, signal);
  const first = session.cluster?.masters[0];
  if (first === undefined || first.id === session.cluster?.myself) return session;
  try {
    log.info(
      { node: first.id },
      `host leads to another node of the cluster: going on with its master at ${first.address}`,
    );
    const { name } = configuredEndpoint(target);
    return await openAt(target, { host: first.address, port: first.port, name }, signal);
  } finally {
    await session.close();
  }
}

async function openAt(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<RedisSession> {
  return await openOn(await Connection.open(target, endpoint, signal), target, signal);
}

async function openOn(connection: Connection, target: Target, signal: AbortSignal): Promise<RedisSession> {
  try {
    const server = await readServer(connection, signal);
    const cluster = server.clustered ? await readCluster(connection, signal) : undefined;
    return new RedisSession(connection, server, target, cluster);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A session on Redis or Valkey. */
export class RedisSession implements EngineSession {
  constructor(
    private readonly connection: Connection,
    readonly server: ServerFacts,
    readonly target: Target,
    /** The cluster that the server is a node of, as it was when the session opened. */
    readonly cluster?: ClusterView | undefined,
  ) {}

  /** The master that this is in its cluster. */
  get node(): ClusterMaster | undefined {
    return this.cluster?.masters.find(({ id }) => id === this.cluster?.myself);
  }

  /** Each master has a part of the keys, so all of them are backed up together. */
  async others(signal: AbortSignal): Promise<readonly RedisSession[]> {
    const { masters = [], myself = '' } = this.cluster ?? {};
    const { name } = configuredEndpoint(this.target);
    const opened: RedisSession[] = [];
    try {
      for (const { id, address, port } of masters) {
        if (id !== myself) opened.push(await openAt(this.target, { host: address, port, name }, signal));
      }
      return opened;
    } catch (error) {
      await Promise.all(opened.map((session) => session.close()));
      throw error;
    }
  }

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  get usable(): boolean {
    return this.connection.usable;
  }

  /** The server itself, past the Service that may lead to it: where other connections to the same server have to go. */
  get endpoint(): Endpoint {
    const { address, port } = this.server;
    const configured = configuredEndpoint(this.target);
    return address === undefined ? configured : { host: address, port, name: configured.name };
  }

  /**
   * Read anew, as it is asked for after the last cut too: a server that was told meanwhile to write elsewhere, or under another
   * name, has left an old dump where the record says that the new one is. Throws server-changed.
   */
  async paths(): Promise<readonly ServerPath[]> {
    const { dialect, settings } = this.server;
    if (!dialect.supported) return pathsOf(this.server);
    const now = await readSettings(this.connection, [...FILES, 'appendonly'], dialect);
    refuseChangedServer(settings, now, FILES);
    return pathsOf({ settings: now });
  }

  check(request: PlanRequest): Promise<readonly Finding[]> {
    return checkSession(this, request);
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  /** Of a cluster host may lead to any node: the server is asked at its own address, and host for the map of slots. */
  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const asked = async <T>(opened: Promise<Connection>, question: (another: Connection) => Promise<T>): Promise<T> => {
      const another = await opened;
      return await question(another).finally(() => another.close());
    };
    const identity = async (to: Connection): Promise<Identity> => identityOf(await readInfo(to, signal));
    if (this.cluster === undefined) {
      return await asked(connectToServer(this.target, signal, this.connection.endpoint), identity);
    }
    const host = Connection.open(this.target, configuredEndpoint(this.target), signal);
    return {
      ...(await asked(Connection.open(this.target, this.endpoint, signal), identity)),
      slots: await asked(host, async (to) => slotMap(await readCluster(to, signal))),
    };
  }

  /** Asks within a step: when its time is over, the connection is cut. */
  within({ signal }: Pick<StepContext, 'signal'>): Ask {
    return (what, args) => this.connection.ask(what, args, signal);
  }

  /** Asks without a limit of its own: for the checks, which have the runner's. */
  readonly ask: Ask = (what, args) => this.connection.ask(what, args);

  /** INFO within a step. */
  async info(within: Pick<StepContext, 'signal'>): Promise<Info> {
    return infoOf(await this.within(within)('reading what the server says of itself', ['INFO']));
  }

  /** The facts of the proof: which session, which server. */
  async observe(within: StepContext, info: Info): Promise<Readonly<Record<string, string>>> {
    const id = await this.within(within)('asking for the own connection', ['CLIENT', 'ID']);
    return {
      ...identityOf(info),
      connection: String(id),
      ...(await linkFact(this, info, within)),
      ...(await this.#clusterFacts(within)),
    };
  }

  /** The cluster as this node sees it now. Throws proof-failed when slots are on their way, or it is not whole. */
  async #clusterFacts(within: StepContext): Promise<Readonly<Record<string, string>>> {
    if (this.cluster === undefined) return {};
    const view = await readCluster(this.connection, within.signal);
    const info = await readClusterInfo(this.connection, within.signal);
    const problem = clusterProblem(view, info);
    if (problem === undefined) return { slots: slotMap(view), clusterState: info.cluster_state ?? '' };
    throw new StillpointError('proof-failed', `while the masters were held ${problem}`, {
      hint: 'a failover or a move of slots happened meanwhile: run the backup again',
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
