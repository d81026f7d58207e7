/** Opens a cluster at its mongos: what it consists of, and whether the policy can have what it asks for. */
import type { PlanRequest, Target } from '../../../engine';
import { asStillpointError, StillpointError } from '../../../errors';
import { isApproximate, locks, wishOf } from '../layout';
import { type Chosen, openMemberOf } from '../member';
import { Cluster } from './cluster';
import { type BalancerSetting, locksCluster, type Router } from './router';
import { CONFIG, type Shard } from './shard-map';

type Options = PlanRequest['options'];

/** The cluster, and the member of its config servers that leads. */
export async function openCluster(
  router: Router,
  target: Target,
  signal: AbortSignal,
): Promise<{ readonly cluster: Cluster; readonly chosen: Chosen }> {
  const facts = await router.facts(signal);
  const problem = clusterProblem(facts, target.options);
  if (problem !== undefined) throw problem;
  const chosen = await openMemberOfShard(target, facts.map[0], signal);
  const approximate = isApproximate(target.options);
  const cluster = new Cluster({ router, facts, target, approximate, configSetId: chosen.replicaSetId });
  return { cluster, chosen };
}

/** As for any set; a login that is known to the mongos need not be known to its shards. */
export async function openMemberOfShard(target: Target, { name, hosts }: Shard, signal: AbortSignal): Promise<Chosen> {
  try {
    return await openMemberOf(target, hosts, signal);
  } catch (thrown) {
    const error = asStillpointError(thrown);
    throw name === CONFIG ? error : (unknownUser(error, target.username, name) ?? error);
  }
}

/** Undefined where something else was wrong. Pure. */
export function unknownUser(error: StillpointError, user: string, shard: string): StillpointError | undefined {
  if (error.code !== 'authentication-failed') return undefined;
  return new StillpointError(error.code, `shard ${shard}: ${error.message}`, {
    hint: `a user who is created through a mongos is known to the config servers alone: create ${user} at the primary of each shard too, as docs/mongodb.md has it (Sharded clusters)`,
    cause: error,
  });
}

/** What speaks against a backup of a cluster as the policy has it. Pure. */
export function clusterProblem(
  { version, balancer }: { readonly version: string; readonly balancer: Pick<BalancerSetting, 'mode'> },
  options: Options = {},
): StillpointError | undefined {
  if (!locks({ options })) {
    return new StillpointError(
      'config-invalid',
      'the server is a mongos, and the policy locks nothing (lock: false): copies of several servers without a lock are of no common state',
      { hint: 'leave lock out' },
    );
  }
  if (balancer.mode !== 'full' && balancer.mode !== 'off') {
    return new StillpointError(
      'server-unsafe',
      `the balancer is in mode ${balancer.mode}, which it could not be put back into after the backup`,
      { hint: 'start it (sh.startBalancer()) or stop it (sh.stopBalancer()) as a whole' },
    );
  }
  if (isApproximate(options)) return undefined;
  if (!locksCluster(version)) {
    return new StillpointError(
      'server-version-unsupported',
      `a mongos of version ${version} does not lock its shards: that is from 5.0.22, 6.0.11, 7.0.2 and 7.1 on`,
      {
        hint: 'upgrade the cluster; or, in a policy of its own (not in a group), say approximate: true: the shards are locked one after another, of no one instant',
      },
    );
  }
  if (wishOf(options).member === 'primary') return undefined;
  return new StillpointError(
    'member-unsuitable',
    `a mongos locks the primaries of all shards, and the policy does not say that they may be (member is "${wishOf(options).member}")`,
    {
      hint: 'say member: MongoMember.PRIMARY (in a group leave member out), and the writes of the whole cluster wait while the storage cuts; or, in a policy of its own, approximate: true: secondaries are locked one after another, of no one instant',
    },
  );
}
