/**
 * The exchange of volumes on a model of a cluster: with every action killed before and after it, turned round at every point,
 * and with a StatefulSet's controller that makes claims of its own.
 */
import { describe, expect, it } from 'vitest';
import { undoing } from '../../../runner/restore/in-place/as-found';
import { next } from '../../../runner/restore/in-place/machine';
import type { Operation } from '../../../runner/restore/in-place/operation';
import { Cluster, ID, operation, PARTS } from './in-place-cluster';

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
    const back = run(cluster, undoing(begun, cluster.seen())).operation;
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
      cluster.volumes.set('pv-data-old', { reclaimPolicy: 'Retain', size: undefined, claim: { name, uid: 'x' } });
    expect(stop(change)).toEqual({
      kind: 'stop',
      why: `persistent volume pv-data-old belongs to claim ${name} by now`,
    });
  });

  it('a claim of somebody else’s under one of the names', () => {
    const foreign = { uid: 'x', volume: 'pv-of-somebody', bound: true, deleting: false, ...PARTS };
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

describe('what somebody sets while the database comes up', () => {
  it('that claims are kept when it is scaled down: it stays set', () => {
    const cluster = new Cluster();
    run(cluster, operation);
    cluster.deletesWhenScaled = false;
    expect(next({ ...operation, phase: 'up' }, cluster.seen())).toEqual({ kind: 'settled' });
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
