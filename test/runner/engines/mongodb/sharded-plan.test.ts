/** What is done around the plans of a cluster's servers, in which order: a mongos on this machine, and servers that are told to be locked. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Plan, StepContext, Target } from '../../../../runner/engine';
import { Connection } from '../../../../runner/engines/mongodb/connection';
import type { ServerLock } from '../../../../runner/engines/mongodb/server-lock';
import { isBalancer } from '../../../../runner/engines/mongodb/sharded/balancer';
import { Cluster, type ClusterPart } from '../../../../runner/engines/mongodb/sharded/cluster';
import { planShard } from '../../../../runner/engines/mongodb/sharded/plan';
import { Router } from '../../../../runner/engines/mongodb/sharded/router';
import { shardMapOf } from '../../../../runner/engines/mongodb/sharded/shard-map';
import { startWireServer, type WireServer } from '../../../wire/server';

const MAP = { map: { config: 'cfg/cfg-0:27019', 'shard-a': 'a/a-0:27018' } };
const within: StepContext = { signal: new AbortController().signal, remainingMs: () => 1000 };

class TestCluster {
  /** What was done at the servers and through the mongos, in order. */
  readonly done: string[] = [];
  mode = 'full';
  automerge = true;
  inRound = false;
  /** Whether the servers that are cut are those that the mongos locks. */
  primaries = true;
  #locked = false;
  #mongos: WireServer | undefined;
  #router: Router | undefined;

  async plans(approximate = false): Promise<readonly [Plan, Plan]> {
    const mongos = await startWireServer({
      hello: () => ({ msg: 'isdbgrid' }),
      getShardMap: () => MAP,
      balancerStatus: () => ({ mode: this.mode, inBalancerRound: this.inRound }),
      find: () => ({
        cursor: { firstBatch: [{ _id: 'automerge', enabled: this.automerge }], id: 0, ns: 'config.settings' },
      }),
      balancerStop: () => this.#does('the balancer is stopped', () => (this.mode = 'off')),
      balancerStart: () => this.#does('the balancer is started', () => (this.mode = 'full')),
      fsync: () => {
        this.#does('all are locked', () => (this.#locked = this.primaries));
        return { all: { raw: { 'cfg/cfg-0:27019': { lockCount: 1 }, 'a/a-0:27018': { lockCount: 1 } } } };
      },
      fsyncUnlock: () => this.#does('all are unlocked', () => (this.#locked = false)),
    });
    this.#mongos = mongos;
    const connection = { host: '127.0.0.1', port: mongos.port, usernameFile: '', connectTimeoutSeconds: 60 };
    const target: Target = { connection, username: '', password: undefined, tls: undefined };
    const endpoint = { ...connection, name: connection.host };
    const router = new Router(await Connection.open(target, endpoint, within.signal));
    this.#router = router;
    const map = shardMapOf(MAP);
    const balancer = { mode: this.mode, automerge: this.automerge };
    const facts = { version: '8.0.4', map, balancer, privileges: [], user: 'x' };
    const cluster = new Cluster({ router, facts, target, approximate, configSetId: 'id' });
    const [config, shard] = map;
    return [
      planShard(...this.#server('cfg-0', (lock) => [{ cluster, shard: config, leads: true }, lock])),
      planShard(...this.#server('a-0', (lock) => [{ cluster, shard, leads: false }, lock])),
    ];
  }

  async close(): Promise<void> {
    await this.#router?.connection.close();
    await this.#mongos?.[Symbol.asyncDispose]();
  }

  #does(what: string, change: () => void): object {
    this.done.push(what);
    change();
    return {};
  }

  #server(member: string, part: (lock: ServerLock) => [ClusterPart, ServerLock]): [Plan, ClusterPart, ServerLock] {
    const lock = {
      comment: 'x',
      asked: false,
      session: { server: { member } },
      isThere: async () => this.#locked,
      release: async () => {
        if (lock.asked) this.done.push(`${member} is unlocked`);
        lock.asked = false;
      },
    };
    const step = (name: string, freezes: boolean) => ({
      kind: 'act' as const,
      name,
      freezes,
      run: async () => {
        this.done.push(`${member}: ${name}`);
        lock.asked ||= freezes;
      },
    });
    const server: Plan = {
      layout: 'atomic',
      freezes: 'writes',
      statement: 'locked',
      steps: [step('prepare', false), step('lock', true), { kind: 'cut', volumes: ['data'], how: 'individually' }],
      held: [{ member, host: member, port: 27018, undo: {} }],
      observe: async () => ({ role: 'primary' }),
      thaw: lock.release,
      results: () => ({ position: {}, artifacts: {}, warnings: [] }),
    };
    return [server, ...part(lock as unknown as ServerLock)];
  }
}

const clusters: TestCluster[] = [];
afterEach(() => Promise.all(clusters.splice(0).map((cluster) => cluster.close())));

function testCluster(is: Partial<TestCluster> = {}): TestCluster {
  const cluster = Object.assign(new TestCluster(), is);
  clusters.push(cluster);
  return cluster;
}

/** All that comes before the cuts: as the executor has it, one after the other of each kind. */
async function freeze(plans: readonly Plan[]): Promise<void> {
  for (const frozen of [false, true]) {
    for (const { steps } of plans) {
      for (const step of steps) if (step.kind === 'act' && (step.freezes === true) === frozen) await step.run(within);
    }
  }
}

describe('the servers of a cluster', () => {
  it('are locked by the mongos with the balancer off, which is on again once the config servers are free', async () => {
    const cluster = testCluster();
    const plans = await cluster.plans();
    await freeze(plans);
    expect(cluster.done).toEqual(['the balancer is stopped', 'cfg-0: prepare', 'a-0: prepare', 'all are locked']);
    const [first, second] = plans;
    expect(await first.observe(within)).toEqual({
      role: 'primary',
      balancer: 'off',
      shards: 'config=cfg shard-a=a',
    });
    expect(await second.observe(within)).toEqual({ role: 'primary' });
    cluster.done.splice(0);
    await first.thaw(within);
    await second.thaw(within);
    expect(cluster.done).toHaveLength(3);
    expect(cluster.done.indexOf('the balancer is started')).toBeGreaterThan(cluster.done.indexOf('cfg-0 is unlocked'));
    expect(cluster.done).toContain('a-0 is unlocked');
    expect(plans.map(({ results }) => results().position)).toEqual([
      { shard: 'config servers', cluster: 'one-instant' },
      { shard: 'shard-a', cluster: 'one-instant' },
    ]);
  });

  it('have their balancer on record with the first of them, and one that is off is left so', async () => {
    const held = (plans: readonly Plan[]): readonly boolean[][] =>
      plans.map((plan) => (plan.held ?? []).map((each) => isBalancer(each)));
    expect(held(await testCluster().plans())).toEqual([[false, true], [false]]);
    const off = testCluster({ mode: 'off' });
    const plans = await off.plans();
    expect(held(plans)).toEqual([[false], [false]]);
    await freeze(plans);
    await plans[0].thaw(within);
    expect(off.done.filter((what) => what.includes('balancer'))).toEqual([]);
  });

  it.each<[string, Partial<TestCluster>, Partial<TestCluster>, string]>([
    [
      'somebody has stopped it',
      {},
      { mode: 'off', automerge: false },
      'the balancer went from full to off and merging (automerge) went from on to off',
    ],
    [
      'it was read while another backup put it back, the mode before the merging',
      { automerge: false },
      { automerge: true },
      'merging (automerge) went from off to on',
    ],
  ])('are not held, and their balancer is left as it is, where since it was looked at %s', async (_, was, is, says) => {
    const cluster = testCluster(was);
    const plans = await cluster.plans();
    Object.assign(cluster, is);
    await expect(freeze(plans)).rejects.toMatchObject({
      code: 'freeze-failed',
      message: `since the backup looked at the cluster ${says}`,
    });
    await plans[0].thaw(within);
    expect(cluster.done).toEqual([]);
  });

  it.each<[string, Partial<TestCluster>]>([
    ['is on again', { mode: 'full' }],
    ['is in a round', { inRound: true }],
  ])('are not proven where the balancer %s', async (_, is) => {
    const cluster = testCluster();
    const plans = await cluster.plans();
    await freeze(plans);
    Object.assign(cluster, is);
    await expect(plans[0].observe(within)).rejects.toMatchObject({ code: 'proof-failed' });
  });

  it('are unlocked by the mongos too where it has locked others than are cut', async () => {
    const cluster = testCluster({ primaries: false });
    const plans = await cluster.plans();
    await expect(freeze(plans)).rejects.toMatchObject({ code: 'freeze-failed' });
    await plans[0].thaw(within);
    expect(cluster.done).toContain('all are unlocked');
    expect(cluster.done).toContain('the balancer is started');
  });

  it('are locked by themselves where approximate is said, and the record says so', async () => {
    const cluster = testCluster();
    const plans = await cluster.plans(true);
    await freeze(plans);
    expect(cluster.done).toEqual([
      'the balancer is stopped',
      'cfg-0: prepare',
      'a-0: prepare',
      'cfg-0: lock',
      'a-0: lock',
    ]);
    cluster.done.splice(0);
    await plans[0].thaw(within);
    expect(cluster.done).toEqual(['cfg-0 is unlocked', 'the balancer is started']);
    expect(plans.map(({ results }) => results().warnings.join())).toEqual([
      expect.stringContaining('no one instant'),
      '',
    ]);
  });
});
