/**
 * The exchange of volumes on a model of a cluster: with every action killed before and after it, turned round at every point,
 * and with a StatefulSet's controller that makes claims of its own.
 */
import { describe, expect, it } from 'vitest';
import {
  type Action,
  next,
  type Seen,
  type SeenClaim,
  type SeenVolume,
} from '../../../runner/restore/in-place/machine';
import { keptClaims, type Operation, undoing } from '../../../runner/restore/in-place/operation';

const ID = '20261121030000';

const operation: Operation = {
  id: ID,
  namespace: 'shop',
  database: 'orders-db',
  backup: '20261121020000',
  workload: { kind: 'StatefulSet', name: 'orders-db', uid: 'u' },
  volumes: ['data', 'wal'].map((name) => ({
    name,
    claim: `${name}-orders-db-0`,
    kept: keptClaims(`${name}-orders-db-0`, ID),
    present: `pv-${name}-old`,
    restored: `pv-${name}-new`,
    reclaimPolicy: 'Delete',
    claimSpec: {},
    claimLabels: {},
    claimAnnotations: {},
  })),
  direction: 'restore',
  phase: 'down',
  replicas: 1,
  deletesWhenScaled: true,
};

/** What the API server and its controllers do, as far as the exchange sees it. */
class Cluster {
  replicas = 1;
  deletesWhenScaled = true;
  readonly claims = new Map<string, SeenClaim>();
  readonly volumes = new Map<string, SeenVolume>();
  /** Volumes that are gone with their data. */
  readonly lost: string[] = [];
  #uid = 0;

  constructor() {
    for (const { claim, kept, present, restored = '' } of operation.volumes) {
      this.volumes.set(present, { reclaimPolicy: 'Delete', claim: undefined });
      this.volumes.set(restored, { reclaimPolicy: 'Delete', claim: undefined });
      this.#make(claim, present);
      this.#make(kept.restored, restored);
    }
  }

  seen(): Seen {
    return {
      replicas: this.replicas,
      deletesWhenScaled: this.deletesWhenScaled,
      holders: this.replicas > 0 ? ['orders-db-0'] : [],
      ready: this.replicas,
      claims: Object.fromEntries(this.claims),
      volumes: Object.fromEntries(this.volumes),
    };
  }

  do(action: Action): void {
    if (action.do === 'policy') this.#change(action.volume, { reclaimPolicy: action.reclaimPolicy });
    if (action.do === 'reserve') this.#change(action.volume, { claim: { name: action.claim } });
    if (action.do === 'release' && this.claims.get(action.claim)?.uid === action.uid) this.#delete(action.claim);
    if (action.do === 'claim' && !this.claims.has(action.claim)) this.#make(action.claim, action.volume);
    if (action.do === 'scale') this.#scale(action.replicas, action.deletesWhenScaled);
  }

  /** The StatefulSet's controller makes the claims that it misses: empty, unless a volume is reserved for them. */
  controller(): void {
    for (const { claim } of operation.volumes) {
      if (this.claims.has(claim)) continue;
      const reserved = [...this.volumes].find(
        ([, volume]) => volume.claim?.name === claim && volume.claim.uid === undefined,
      );
      if (reserved === undefined) this.volumes.set(`pv-empty-${claim}`, { reclaimPolicy: 'Delete', claim: undefined });
      this.#make(claim, reserved?.[0] ?? `pv-empty-${claim}`);
    }
  }

  #scale(replicas: number, deletes: boolean): void {
    this.deletesWhenScaled = deletes;
    if (replicas < this.replicas && deletes) for (const { claim } of operation.volumes) this.#delete(claim);
    this.replicas = replicas;
  }

  #make(claim: string, volume: string): void {
    const uid = `uid-${++this.#uid}`;
    const owner = this.volumes.get(volume)?.claim;
    const free = owner === undefined || (owner.name === claim && owner.uid === undefined);
    this.claims.set(claim, { uid, volume, bound: free, deleting: false });
    if (free) this.#change(volume, { claim: { name: claim, uid } });
  }

  #delete(claim: string): void {
    const volume = this.claims.get(claim)?.volume ?? '';
    this.claims.delete(claim);
    if (this.volumes.get(volume)?.reclaimPolicy !== 'Delete') return;
    this.volumes.delete(volume);
    this.lost.push(volume);
  }

  #change(volume: string, change: Partial<SeenVolume>): void {
    const there = this.volumes.get(volume);
    if (there !== undefined) this.volumes.set(volume, { ...there, ...change });
  }
}

/** Runs until it has settled, or until so many actions are done. Answers with the operation, and how many there were. */
function run(cluster: Cluster, from: Operation, limit = 200): { readonly operation: Operation; readonly done: number } {
  let now = from;
  let done = 0;
  for (;;) {
    const then = next(now, cluster.seen());
    if (then.kind === 'stop') throw new Error(then.why);
    if (then.kind === 'settled') {
      if (now.phase === 'up') return { operation: { ...now, phase: 'done' }, done };
      now = { ...now, phase: 'up' };
      continue;
    }
    for (const action of then.actions) {
      if (done === limit) return { operation: now, done };
      cluster.do(action);
      done += 1;
    }
    if (done > 150) throw new Error(`no end: ${JSON.stringify(then.actions)}`);
  }
}

/** Which volume each claim is bound to. */
function places(cluster: Cluster): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries([...cluster.claims].map(([name, { volume, bound }]) => [name, bound ? volume : undefined]));
}

const RESTORED = {
  'data-orders-db-0': 'pv-data-new',
  'wal-orders-db-0': 'pv-wal-new',
  [`data-orders-db-0-before-${ID}`]: 'pv-data-old',
  [`wal-orders-db-0-before-${ID}`]: 'pv-wal-old',
};
const UNDONE = {
  'data-orders-db-0': 'pv-data-old',
  'wal-orders-db-0': 'pv-wal-old',
  [`data-orders-db-0-restored-${ID}`]: 'pv-data-new',
  [`wal-orders-db-0-restored-${ID}`]: 'pv-wal-new',
};

/** How many actions an exchange takes. */
const LENGTH = run(new Cluster(), operation).done;
const POINTS = Array.from({ length: LENGTH + 1 }, (_, index) => index);

describe('the exchange', () => {
  it('puts the copy under the name of the claim, and what was there under another; all is as it was besides', () => {
    const cluster = new Cluster();
    expect(run(cluster, operation).operation.phase).toBe('done');
    expect(places(cluster)).toEqual(RESTORED);
    expect(cluster).toMatchObject({ replicas: 1, deletesWhenScaled: true, lost: [] });
    // The one that serves is what its class said; the one that is kept outlives its claim.
    expect(cluster.volumes.get('pv-data-new')?.reclaimPolicy).toBe('Delete');
    expect(cluster.volumes.get('pv-data-old')?.reclaimPolicy).toBe('Retain');
  });

  it('retains every volume before the database is scaled down, and never lets a StatefulSet delete the claims', () => {
    const cluster = new Cluster();
    const seen: string[] = [];
    for (let then = next(operation, cluster.seen()); then.kind === 'act'; then = next(operation, cluster.seen())) {
      for (const action of then.actions) {
        seen.push(action.do === 'scale' ? `scale ${action.replicas} ${action.deletesWhenScaled}` : action.do);
        cluster.do(action);
      }
    }
    expect(seen.slice(0, 4)).toEqual(['policy', 'policy', 'policy', 'policy']);
    expect(seen).toContain('scale 0 false');
  });

  it.each(POINTS)('comes to the same end when it is killed after %i actions', (point) => {
    const cluster = new Cluster();
    const { operation: begun } = run(cluster, operation, point);
    // The journal may be a step behind.
    for (const phase of new Set([operation.phase, begun.phase === 'done' ? 'up' : begun.phase])) {
      run(cluster, { ...operation, phase });
    }
    expect(places(cluster)).toEqual(RESTORED);
    expect(cluster).toMatchObject({ replicas: 1, deletesWhenScaled: true, lost: [] });
  });

  it.each(POINTS)('comes back to where it was when it is turned round after %i actions, and forth again', (point) => {
    const cluster = new Cluster();
    const { operation: begun } = run(cluster, operation, point);
    const back = run(cluster, undoing(begun, cluster.replicas)).operation;
    expect(places(cluster)).toEqual(UNDONE);
    expect(cluster).toMatchObject({ replicas: 1, deletesWhenScaled: true, lost: [] });
    expect(back).toMatchObject({ direction: 'undo', phase: 'done', replicas: 1 });
  });

  it.each(POINTS)(
    'loses nothing, and ends with no empty volume, where a controller is quicker after %i actions',
    (point) => {
      const cluster = new Cluster();
      const { operation: begun } = run(cluster, operation, point);
      cluster.controller();
      run(cluster, begun.phase === 'done' ? { ...begun, phase: 'up' } : begun);
      expect(places(cluster)).toEqual(RESTORED);
      expect(cluster.lost).toEqual([]);
      expect([...cluster.volumes.keys()].filter((name) => name.includes('empty'))).toEqual([]);
    },
  );
});

describe('what only a person can mend', () => {
  const stop = (change: (cluster: Cluster) => void, phase: Operation['phase'] = 'down'): unknown => {
    const cluster = new Cluster();
    change(cluster);
    return next({ ...operation, phase }, cluster.seen());
  };

  it('a volume that is gone', () => {
    expect(stop((cluster) => cluster.volumes.delete('pv-wal-new'))).toEqual({
      kind: 'stop',
      why: 'persistent volume pv-wal-new is gone',
    });
  });

  it.each(['shop-db-0', 'staging/data-orders-db-0'])('a volume that somebody has given to claim %s', (name) => {
    const change = (cluster: Cluster): unknown =>
      cluster.volumes.set('pv-data-old', { reclaimPolicy: 'Retain', claim: { name, uid: 'x' } });
    expect(stop(change)).toEqual({
      kind: 'stop',
      why: `persistent volume pv-data-old belongs to claim ${name} by now`,
    });
  });

  it('a claim of somebody else’s under one of the names', () => {
    const foreign = { uid: 'x', volume: 'pv-of-somebody', bound: true, deleting: false };
    const change = (cluster: Cluster): unknown => {
      for (const name of cluster.volumes.keys()) cluster.do({ do: 'policy', volume: name, reclaimPolicy: 'Retain' });
      return cluster.claims.set('data-orders-db-0', foreign);
    };
    expect(stop(change)).toEqual({
      kind: 'stop',
      why: 'claim data-orders-db-0 is bound to volume pv-of-somebody, which somebody has made meanwhile',
    });
  });

  it('a claim that left the restored volume before the database was back', () => {
    expect(stop(() => undefined, 'up')).toMatchObject({ kind: 'stop', why: expect.stringContaining('not bound to') });
  });
});

describe('waiting', () => {
  it('for pods that hold the claims, and for pods to be ready', () => {
    const cluster = new Cluster();
    run(cluster, operation, 9);
    const seen = { ...cluster.seen(), replicas: 0, holders: ['debug'] };
    expect(next(operation, seen)).toEqual({ kind: 'act', actions: [{ do: 'wait', for: 'pod debug to end' }] });
    const all = new Cluster();
    run(all, operation);
    expect(next({ ...operation, phase: 'up' }, { ...all.seen(), ready: 0 })).toEqual({
      kind: 'act',
      actions: [{ do: 'wait', for: '1 of 1 pods to be ready' }],
    });
  });
});
