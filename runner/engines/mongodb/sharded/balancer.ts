/** Starts the balancer again whose runner is gone (safety rule 8): what stopped it is a setting, and outlives every process. */
import type { Held } from '../../../../src/contract';
import { configuredEndpoint, type Endpoint } from '../../../endpoint';
import type { GuardSession, Target } from '../../../engine';
import { StillpointError } from '../../../errors';
import { Connection } from '../connection';
import { connectToAny, isRouter, readTopology } from '../member';
import { replicaSetIdOf } from '../topology';
import { type BalancerSetting, Router } from './router';

const KIND = 'balancer';

/** What the record says of a balancer that a backup has stopped: any mongos of that very cluster starts it again. */
export function heldBalancer(target: Target, { automerge }: BalancerSetting, configSetId: string | undefined): Held {
  const { host, port } = configuredEndpoint(target);
  const undo = {
    kind: KIND,
    automerge: String(automerge),
    ...(configSetId === undefined ? {} : { configSet: configSetId }),
  };
  return { member: `the balancer (${host}:${port})`, host, port, undo, outlivesServer: true };
}

export function isBalancer({ undo }: Held): boolean {
  return undo.kind === KIND;
}

/** Connects to a mongos: at the name that the policy had for it, else at the one that it has now. */
export async function openBalancerGuard(target: Target, held: Held, signal: AbortSignal): Promise<BalancerGuard> {
  const { host, port } = held;
  const now = configuredEndpoint(target);
  try {
    return await openAt(target, { host, port, name: host }, held, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (now.host === host && now.port === port) throw error;
    return await openAt(target, now, held, signal);
  }
}

async function openAt(target: Target, endpoint: Endpoint, held: Held, signal: AbortSignal): Promise<BalancerGuard> {
  const connection = await Connection.open(target, endpoint, signal);
  try {
    const hello = await connection.command('asking who the server is', { hello: 1 }, signal);
    if (!isRouter(hello)) throw another(held, endpoint, 'no mongos answers');
    const router = new Router(connection);
    const { configSet } = held.undo;
    const found = configSet === undefined ? undefined : await configSetAt(target, router, signal);
    if (found !== configSet) throw another(held, endpoint, 'answers the mongos of another cluster');
    return new BalancerGuard(router, held);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The id of the config servers' set, which a mongos itself does not tell. */
async function configSetAt(target: Target, router: Router, signal: AbortSignal): Promise<string | undefined> {
  const [{ hosts }] = await router.map(signal);
  const seed = await connectToAny(target, hosts, signal);
  try {
    return replicaSetIdOf((await readTopology(seed, signal)).config);
  } finally {
    await seed.close();
  }
}

class BalancerGuard implements GuardSession {
  constructor(
    private readonly router: Router,
    private readonly held: Held,
  ) {}

  get lost(): AbortSignal {
    return this.router.connection.lost;
  }

  /** Never: nobody waits for a balancer, so no budget begins with it. It is started again with what is undone for other reasons. */
  async holds(): Promise<boolean> {
    return false;
  }

  async undo(signal: AbortSignal): Promise<readonly string[]> {
    if ((await this.router.balancer(signal)).mode !== 'off') return [];
    // A record of a version before does not say it.
    await this.router.startBalancer({ automerge: this.held.undo.automerge !== 'false' }, signal);
    return [`started ${this.held.member} again`];
  }

  close(): Promise<void> {
    return this.router.connection.close();
  }
}

function another({ member }: Held, { host, port }: Endpoint, what: string): StillpointError {
  return new StillpointError('server-changed', `at ${host}:${port} ${what}, where ${member} was stopped`, {
    hint: 'the cluster whose balancer was stopped is not reached by this policy any more: let its host lead there again; or see to that balancer (sh.getBalancerState()) and delete the failed backup (stillpoint delete)',
  });
}
