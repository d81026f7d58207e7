/** The one session of a backup: a driver that is connected to one server alone. */
import { configuredEndpoint, lookLimit } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import type { Finding, Log } from '../../ports';
import { transactionOf } from './bookmark';
import { checkSession } from './checks';
import { Connection } from './connection';
import { pathsOf, readServer, readUptime, type ServerFacts } from './facts';
import { planBackup } from './plan';

export async function openSession(target: Target, log: Log, signal: AbortSignal): Promise<Neo4jSession> {
  const connection = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const server = await readServer(connection, signal);
    log.info({ version: server.version, edition: server.edition }, 'connected');
    return new Neo4jSession(connection, server, target, log);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

export class Neo4jSession implements EngineSession {
  constructor(
    readonly connection: Connection,
    readonly server: ServerFacts,
    private readonly target: Target,
    readonly log: Log,
  ) {}

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  async paths(mountPaths: readonly string[]): Promise<readonly ServerPath[]> {
    return pathsOf(this.server, mountPaths);
  }

  async check(request: PlanRequest): Promise<readonly Finding[]> {
    return checkSession(this.server, request);
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const other = await Connection.open(this.target, configuredEndpoint(this.target), signal);
    try {
      return factsOf(await readServer(other, signal));
    } finally {
      await other.close();
    }
  }

  /** Whether the process of this session answers at an address: names of hosts are the same in every namespace. */
  async isAt(address: string): Promise<boolean> {
    using limit = lookLimit(this.target, "finding the server's pod");
    const { signal } = limit;
    const { port, host } = this.target.connection;
    const there = await Connection.open(this.target, { host: address, port, name: host }, signal);
    try {
      const { process, identity } = await readServer(there, signal);
      return process === this.server.process && identity.databaseId === this.server.identity.databaseId;
    } finally {
      await there.close();
    }
  }

  /** The facts of the proof: it is the same process with the same database. */
  async observe({ signal }: Pick<StepContext, 'signal'>): Promise<Readonly<Record<string, string>>> {
    return factsOf(await readServer(this.connection, signal));
  }

  /** Where the log of the user's own database stands. */
  async position(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    return await positionOf(this.connection, signal);
  }

  /** How long the process has been running, in milliseconds of its own; undefined where it does not say it. */
  uptimeMs(signal: AbortSignal): Promise<number | undefined> {
    return readUptime(this.connection, signal);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** What was committed last, and how much there is: both from the server's own counts, whatever the size of the graph. */
export async function positionOf(
  connection: Connection,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { bookmark } = await connection.ask('reading the position', 'RETURN 1', signal);
  const nodes = await connection.ask('counting nodes', 'MATCH (n) RETURN count(n) AS n', signal);
  const relationships = await connection.ask('counting relationships', 'MATCH ()-[r]->() RETURN count(r) AS n', signal);
  const transaction = transactionOf(bookmark);
  return {
    ...(transaction === undefined ? {} : { transaction: String(transaction) }),
    ...(bookmark === undefined ? {} : { bookmark }),
    nodes: String(nodes.rows[0]?.n ?? ''),
    relationships: String(relationships.rows[0]?.n ?? ''),
  };
}

function factsOf({ process, identity, version }: ServerFacts): Readonly<Record<string, string>> {
  const { databaseId = '' } = identity;
  return { process, databaseId, version };
}
