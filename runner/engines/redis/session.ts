/** The one session of a backup (safety rule 1). */
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import type { Finding, Log } from '../../ports';
import { checkSession } from './checks';
import { type Connection, configuredEndpoint, type Endpoint } from './connection';
import { identityOf, pathsOf, readInfo, readServer, type ServerFacts } from './facts';
import { connectToServer } from './locate';
import { planBackup } from './plan';
import { linkFact } from './replica';
import { type Info, infoOf } from './replies';
import type { Ask } from './settings';

/** Opens the session. */
export async function openSession(target: Target, _log: Log, signal: AbortSignal): Promise<RedisSession> {
  const connection = await connectToServer(target, signal);
  try {
    return new RedisSession(connection, await readServer(connection, signal), target);
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
  ) {}

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

  async paths(): Promise<readonly ServerPath[]> {
    return pathsOf(this.server);
  }

  check(request: PlanRequest): Promise<readonly Finding[]> {
    return checkSession(this, request);
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const another = await connectToServer(this.target, signal, this.connection.endpoint);
    try {
      return identityOf(await readInfo(another, signal));
    } finally {
      await another.close();
    }
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
    return { ...identityOf(info), connection: String(id), ...(await linkFact(this, info, within)) };
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
