/**
 * The plan of one server of a sharded cluster: that of a server, with what is done once for the cluster around it.
 *
 * Exact: the mongos locks the primaries of the config servers and of all shards at once, with its own look for changes of
 * the schema; each server then says itself that it is locked. Approximate: each server is locked by itself, one after
 * another; what the others did meanwhile is in their copies.
 */
import { throwFailures } from '../../../all-failures';
import type { Plan, PlanResults, PlanStep, StepContext } from '../../../engine';
import type { ServerLock } from '../server-lock';
import type { ClusterPart } from './cluster';
import { CONFIG } from './shard-map';

export function planShard(server: Plan, part: ClusterPart, lock: ServerLock): Plan {
  return new ShardPlan(server, part, lock);
}

const APPROXIMATE =
  'the servers of the cluster were locked one after another, and a member may be behind its primary: there is no one instant that all copies are of';

class ShardPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly held: NonNullable<Plan['held']>;

  constructor(
    private readonly server: Plan,
    private readonly part: ClusterPart,
    lock: ServerLock,
  ) {
    const { cluster, leads } = part;
    if (!cluster.approximate) cluster.lock.join(lock);
    this.layout = server.layout;
    this.freezes = server.freezes;
    this.statement = cluster.approximate
      ? `${server.statement}; the balancer was off, and the servers of the cluster were locked one after another: approximate`
      : `${server.statement}; the mongos had locked all shards with it, and the balancer was off`;
    this.held = [...(server.held ?? []), ...(leads && cluster.held !== undefined ? [cluster.held] : [])];
    this.steps = [
      ...(leads ? [this.#balancerStep()] : []),
      ...(cluster.approximate ? server.steps : server.steps.map((step) => this.#throughRouter(step))),
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const { cluster, leads } = this.part;
    const facts = await this.server.observe(within);
    return leads ? { ...facts, ...(await cluster.observe(within)) } : facts;
  };

  /**
   * The balancer after the config servers, where its setting is written; not after the mongos, whose answer may have to be
   * waited for.
   */
  readonly thaw = async (within: StepContext): Promise<void> => {
    const { cluster, leads } = this.part;
    if (!leads) return await this.server.thaw(within);
    const balancer = this.server.thaw(within).then(() => cluster.startBalancer(within));
    throwFailures(await Promise.allSettled([balancer, cluster.lock.release(within)]));
  };

  readonly results = (): PlanResults => {
    const { shard, leads, cluster } = this.part;
    const { position, artifacts, warnings } = this.server.results();
    const { approximate } = cluster;
    return {
      position: {
        ...position,
        shard: shard.name === CONFIG ? 'config servers' : shard.name,
        cluster: approximate ? 'approximate' : 'one-instant',
      },
      artifacts,
      warnings: leads
        ? [...warnings, ...(approximate ? [APPROXIMATE] : []), ...cluster.lock.left.map(leftLocked)]
        : warnings,
    };
  };

  #balancerStep(): PlanStep {
    return { kind: 'act', name: 'stop the balancer', run: (within) => this.part.cluster.stopBalancer(within) };
  }

  /** In place of the server's own lock: that of all, in the plan of the one that leads. */
  #throughRouter(step: PlanStep): PlanStep {
    if (step.kind !== 'act' || step.freezes !== true) return step;
    const { cluster, leads } = this.part;
    return leads
      ? { kind: 'act', name: 'lock all shards', freezes: true, run: (within) => cluster.lock.take(within) }
      : { kind: 'act', name: 'be locked', freezes: true, run: async () => undefined };
  }
}

function leftLocked(member: string): string {
  return `${member} was still locked (fsync) when this backup had taken its own lock back: by somebody else, whom it ends with`;
}
