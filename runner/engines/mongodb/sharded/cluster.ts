/**
 * A sharded cluster in one backup: what its servers share. One of its sessions, that with the config servers, leads: what
 * is done once for all is done in its plan.
 */
import type { Held } from '../../../../src/contract';
import { refuseChanged } from '../../../changed-facts';
import { configuredEndpoint } from '../../../endpoint';
import type { StepContext, Target } from '../../../engine';
import { StillpointError } from '../../../errors';
import { Connection } from '../connection';
import { heldBalancer } from './balancer';
import { ClusterLock } from './cluster-lock';
import { type BalancerSetting, Router, type RouterFacts } from './router';
import { type Shard, shardMapText } from './shard-map';

/** What a session's server is in its cluster. */
export interface ClusterPart {
  readonly cluster: Cluster;
  readonly shard: Shard;
  /** Whether what is done once for the cluster is done with this one. */
  readonly leads: boolean;
}

/** What a cluster is for this backup. */
export interface ClusterAbout {
  readonly router: Router;
  readonly facts: RouterFacts;
  readonly target: Target;
  /** The policy is content with shards that are locked one after another. */
  readonly approximate: boolean;
  /** The id that the set of the config servers got when it was initiated; undefined where it tells none. */
  readonly configSetId: string | undefined;
}

type Within = Pick<StepContext, 'signal'>;

export class Cluster {
  readonly lock: ClusterLock;
  /** Whether this backup may have stopped it. */
  #stopped = false;

  constructor(private readonly about: ClusterAbout) {
    this.lock = new ClusterLock(about.router, about.facts.map);
  }

  get router(): Router {
    return this.about.router;
  }

  get facts(): RouterFacts {
    return this.about.facts;
  }

  get approximate(): boolean {
    return this.about.approximate;
  }

  /** The cluster in a word, the same for every policy of it. */
  get name(): string {
    const { configSetId, facts } = this.about;
    const [{ setName, hosts }] = facts.map;
    return configSetId ?? `${setName}/${[...hosts].sort().join(',')}`;
  }

  /** What of the cluster outlives every process; undefined where its balancer is off, and is left so. */
  get held(): Held | undefined {
    const { target, facts, configSetId } = this.about;
    return this.#balances ? heldBalancer(target, facts.balancer, configSetId) : undefined;
  }

  get #balances(): boolean {
    return this.facts.balancer.mode !== 'off';
  }

  /** Before anything is frozen: a chunk on its way would be in two copies, or in none. */
  async stopBalancer({ signal }: Within): Promise<void> {
    if (!this.#balances) {
      await this.router.balancerIsOff(signal);
      return;
    }
    await this.#assertBalancerUnchanged(signal);
    this.#stopped = true;
    await this.router.stopBalancer(signal);
  }

  /**
   * What was read when the cluster was opened is what goes back in the end, so it has to be so until the balancer is stopped.
   * Starting it is two writes: a reader in between finds it on, and merging off. [src: configsvr_control_balancer_command.cpp]
   */
  async #assertBalancerUnchanged(signal: AbortSignal): Promise<void> {
    const now = await this.router.balancerSetting(signal);
    refuseChanged(settingFacts(this.facts.balancer), settingFacts(now), {
      code: 'freeze-failed',
      what: 'the cluster',
      hint: 'another backup of this cluster has ended meanwhile, or somebody has set it: run the backup again',
    });
  }

  /** After the config servers are unlocked: that is where its setting is kept. */
  async startBalancer({ signal }: Within): Promise<void> {
    if (!this.#stopped) return;
    try {
      await this.#startAnywhere(signal);
      this.#stopped = false;
    } catch (cause) {
      throw new StillpointError('thaw-failed', 'the balancer may still be stopped: no mongos starts it', {
        hint: 'the guard starts it, else the next backup, or stillpoint heal; by hand: sh.startBalancer()',
        cause,
      });
    }
  }

  /** Every mongos of the cluster can. That of this backup may be gone, or be waiting for a lock. */
  async #startAnywhere(signal: AbortSignal): Promise<void> {
    const { facts, router, target } = this.about;
    if (router.connection.usable && !this.lock.waits) {
      try {
        await router.startBalancer(facts.balancer, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (router.connection.usable) throw error;
      }
    }
    const other = await Connection.open(target, configuredEndpoint(target), signal);
    try {
      await new Router(other).startBalancer(facts.balancer, signal);
    } finally {
      await other.close();
    }
  }

  /** The facts of the proof that are those of the cluster. */
  async observe({ signal }: Within): Promise<Readonly<Record<string, string>>> {
    const { mode, inRound } = await this.router.balancer(signal);
    if (mode !== 'off' || inRound) {
      const is = inRound ? 'in a round' : `on (${mode})`;
      throw new StillpointError('proof-failed', `the balancer of the cluster is ${is} again`, {
        hint: 'somebody has started it meanwhile, and chunks may have moved between the cuts',
      });
    }
    return { balancer: 'off', shards: shardMapText(await this.router.map(signal)) };
  }
}

function settingFacts({ mode, automerge }: BalancerSetting): Readonly<Record<string, string>> {
  return { 'the balancer': mode, 'merging (automerge)': automerge ? 'on' : 'off' };
}
