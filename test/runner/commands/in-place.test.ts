/**
 * What people change between the beginning of a restore in place and the moment at which the database is taken away, which are
 * the hours of the copy, and days where it is run again or undone: on a model of a cluster, with a journal that says what
 * there was at the beginning.
 */
import { describe, expect, it } from 'vitest';
import { type InPlaceContext, restoreInPlace } from '../../../runner/commands/restore-in-place';
import { undoInPlace } from '../../../runner/commands/undo-in-place';
import type { StillpointError } from '../../../runner/errors';
import { formatInPlace } from '../../../runner/output/in-place';
import { requestedSize } from '../../../runner/restore/in-place/claim-size';
import type { Operation, StoredOperation } from '../../../runner/restore/in-place/operation';
import type { InPlaceResult } from '../../../runner/restore/in-place/result';
import { FakeClock } from '../../support/fake-clock';
import { record } from '../../support/record';
import { Cluster, ID, operation } from '../restore/in-place-cluster';

const BACKUP = record({
  id: operation.backup,
  workload: { kind: 'StatefulSet', name: 'orders-db' },
  volumes: ['data', 'wal'].map((name) => ({
    name,
    role: 'data',
    claim: `${name}-orders-db-0`,
    mountPath: `/${name}`,
  })),
  cuts: ['data', 'wal'].map((volume) => ({
    volume,
    snapshot: `orders-db-${volume}-1`,
    seenBy: 'creationTime',
    driverKnown: true,
    askedAt: '2026-01-01T02:00:02.000Z',
    seenAt: '2026-01-01T02:00:02.100Z',
  })),
  runnerImage: 'stillpoint:1',
});
const CLAIM = 'data-orders-db-0';

/** A restore whose copy waits for its turn; the database runs. */
class Situation {
  readonly cluster = new Cluster();
  readonly said: string[] = [];
  /** The journal, as it was written again and again. */
  readonly written: Operation[];
  /** What happens when the Lease is had, and before each action. */
  onLease: () => void = () => undefined;
  onAction: (action: string) => void = () => undefined;

  constructor(begun: Partial<Operation> = {}) {
    this.written = [{ ...operation, phase: 'staged', ...begun }];
  }

  get stored(): StoredOperation {
    return { operation: this.written.at(-1) ?? operation, record: BACKUP, version: `${this.written.length}` };
  }

  restore(wishes: { readonly oneMember?: boolean } = {}): Promise<InPlaceResult> {
    const options = { backup: BACKUP.id, filter: {}, yes: true, dryRun: false, backupFirst: false };
    return restoreInPlace(this.#context(), { ...options, oneMember: false, despiteControllers: false, ...wishes });
  }

  undo(): Promise<InPlaceResult> {
    return undoInPlace(this.#context(), { id: ID, namespace: 'shop', yes: true });
  }

  #context(): InPlaceContext {
    const { cluster, written, said } = this;
    const context = {
      registry: {
        get: async () => ({ record: BACKUP, version: '1' }),
        summaries: async function* () {
          yield [{ ...BACKUP, startedAt: new Date(0) }];
        },
      },
      copies: { finish: async () => undefined },
      locksOf: () => ({
        acquire: async () => {
          this.onLease();
          return { lost: new AbortController().signal, release: async () => undefined };
        },
      }),
      site: {
        unfinished: async () => (this.stored.operation.phase === 'done' ? undefined : this.stored),
        find: async () => this.stored,
        see: async () => cluster.seen(),
        act: async (_: Operation, action: Parameters<InPlaceContext['site']['act']>[1]) => {
          this.onAction(action.do === 'scale' ? `scale ${action.replicas}` : action.do);
          cluster.do(action);
        },
        write: async (stored: StoredOperation, changed: Operation) => {
          expect(stored.version).toBe(`${written.length}`);
          written.push(changed);
          return this.stored;
        },
        pause: () => expect.unreachable('there is nothing to wait for'),
      },
      clock: new FakeClock(),
      say: (line: string) => said.push(line),
      signal: new AbortController().signal,
    };
    return context as unknown as InPlaceContext;
  }
}

describe('what is set while the copy is made is put back, and not what was there before', () => {
  it('a database that was stopped for a backup when it began is not left at zero', async () => {
    const situation = new Situation({ replicas: 0 });
    // That backup has ended, and given the Lease back, before this gets it.
    situation.cluster.replicas = 0;
    situation.onLease = () => {
      situation.cluster.replicas = 1;
    };
    await situation.restore();
    expect(situation.cluster).toMatchObject({ replicas: 1, deletesWhenScaled: true, lost: [] });
    // It is written down before the replicas are taken away.
    expect(situation.written[1]).toMatchObject({ phase: 'down', replicas: 1 });
  });

  it('a database that somebody has stopped meanwhile is not started, and that is said', async () => {
    const situation = new Situation();
    situation.cluster.replicas = 0;
    const result = await situation.restore();
    expect(situation.cluster).toMatchObject({ replicas: 0, deletesWhenScaled: true });
    expect(situation.cluster.claims.get(CLAIM)).toMatchObject({ volume: 'pv-data-new', bound: true });
    expect(formatInPlace(result, 'table')).toContain(
      'it was at zero replicas and was not started: kubectl scale statefulset -n shop orders-db --replicas=1 does so',
    );
  });

  it.each(['policy', 'release'])(
    'one that is started again after its first %s comes back as it was then',
    async (at) => {
      const situation = new Situation();
      situation.cluster.replicas = 0;
      // A backup by another policy, and so under another Lease, had stopped it.
      situation.onAction = (action) => {
        if (action !== at) return;
        situation.cluster.replicas = 3;
        situation.onAction = () => undefined;
      };
      await situation.restore();
      expect(situation.cluster).toMatchObject({ replicas: 3, deletesWhenScaled: true, lost: [] });
    },
  );

  it('more members of several, where several were agreed to', async () => {
    const situation = new Situation({ replicas: 3 });
    situation.cluster.replicas = 5;
    await situation.restore();
    expect(situation.cluster.replicas).toBe(5);
  });

  it('several where there was one are agreed to first; until then nothing is touched', async () => {
    const situation = new Situation();
    situation.cluster.replicas = 3;
    const refused: StillpointError = await situation.restore().then(
      () => expect.unreachable('nobody has agreed to several'),
      (error) => error,
    );
    expect(refused.message).toBe(
      'StatefulSet shop/orders-db has 3 members, and backup shop/orders-db/20261121020000 is of one: the others keep what they have',
    );
    expect(refused.hint).toMatch(/--one-member.*StatefulSet shop\/orders-db was not touched; the same command again/);
    expect(situation.written).toHaveLength(1);
    await situation.restore({ oneMember: true });
    expect(situation.cluster.replicas).toBe(3);
  });

  it('that claims are kept when it is scaled down', async () => {
    const situation = new Situation();
    situation.cluster.deletesWhenScaled = false;
    await situation.restore();
    expect(situation.cluster.deletesWhenScaled).toBe(false);
    expect(situation.said.join()).not.toContain('whenScaled');
  });

  it('that volumes outlive their claims, and what claims say of themselves', async () => {
    const situation = new Situation();
    const { cluster } = situation;
    cluster.do({ do: 'policy', volume: 'pv-data-old', reclaimPolicy: 'Retain' });
    cluster.change(CLAIM, { claimLabels: { tier: 'gold' }, claimAnnotations: { team: 'shop' } });
    await situation.restore();
    expect(cluster.volumes.get('pv-data-new')?.reclaimPolicy).toBe('Retain');
    expect(cluster.volumes.get('pv-wal-new')?.reclaimPolicy).toBe('Delete');
    expect(cluster.claims.get(CLAIM)).toMatchObject({
      claimLabels: { tier: 'gold' },
      claimAnnotations: { team: 'shop' },
    });
  });

  it('a claim that was enlarged asks for what the copy has, which is said; the way back has its size again', async () => {
    const situation = new Situation();
    const { cluster, said } = situation;
    const asks = (): string | undefined => requestedSize(cluster.claims.get(CLAIM)?.claimSpec ?? {});
    cluster.enlarge(CLAIM, '5Gi');
    await situation.restore();
    expect([cluster.claims.get(CLAIM)?.bound, asks()]).toEqual([true, '2Gi']);
    expect(said).toContain(
      `claim ${CLAIM} asks for 5Gi, and persistent volume pv-data-new has 2Gi: it will ask for no more; enlarge it again afterwards`,
    );
    await situation.undo();
    expect([cluster.claims.get(CLAIM)?.volume, asks()]).toEqual(['pv-data-old', '5Gi']);
  });
});

describe('what is set after the database was taken away', () => {
  it('what there was before counts, when it is gone on with', async () => {
    const situation = new Situation({ phase: 'down' });
    situation.cluster.do({ do: 'scale', replicas: 0, deletesWhenScaled: false });
    await situation.restore();
    expect(situation.cluster).toMatchObject({ replicas: 1, deletesWhenScaled: true });
  });

  it('whoever scales it up first has not put back what was put off: that is said', async () => {
    const situation = new Situation({ phase: 'down' });
    situation.cluster.do({ do: 'policy', volume: 'pv-data-old', reclaimPolicy: 'Retain' });
    await situation.restore().then(() => {
      situation.cluster.deletesWhenScaled = false;
      situation.written.push({ ...situation.stored.operation, phase: 'up' });
    });
    await situation.restore();
    expect(situation.cluster.deletesWhenScaled).toBe(false);
    expect(situation.said.at(-1)).toMatch(/^StatefulSet shop\/orders-db keeps its claims when it is scaled down/);
  });
});

describe('--undo', () => {
  it('puts back what is set by then, and is no undoing before it has the Lease', async () => {
    const situation = new Situation();
    const { cluster } = situation;
    await situation.restore();
    cluster.deletesWhenScaled = false;
    cluster.change(CLAIM, { claimLabels: { tier: 'gold' } });
    cluster.do({ do: 'policy', volume: 'pv-data-new', reclaimPolicy: 'Retain' });
    situation.onLease = () => {
      expect(situation.stored.operation).toMatchObject({ direction: 'restore', phase: 'done' });
      cluster.replicas = 4;
    };
    await situation.undo();
    expect(cluster).toMatchObject({ replicas: 4, deletesWhenScaled: false, lost: [] });
    expect(cluster.claims.get(CLAIM)).toMatchObject({ volume: 'pv-data-old', claimLabels: { tier: 'gold' } });
    expect(cluster.volumes.get('pv-data-old')?.reclaimPolicy).toBe('Retain');
  });

  it('of what is away puts back what there was before; of what is back, that claims are kept', async () => {
    const away = new Situation({ phase: 'down', replicas: 3 });
    away.cluster.do({ do: 'scale', replicas: 0, deletesWhenScaled: false });
    await away.undo();
    expect(away.cluster).toMatchObject({ replicas: 3, deletesWhenScaled: true });

    const back = new Situation();
    await back.restore();
    back.written.push({ ...back.stored.operation, phase: 'up' });
    back.cluster.deletesWhenScaled = false;
    await back.undo();
    expect(back.cluster).toMatchObject({ replicas: 1, deletesWhenScaled: false });
  });

  it('does not start what somebody has stopped', async () => {
    const situation = new Situation();
    await situation.restore();
    situation.cluster.replicas = 0;
    await situation.undo();
    expect(situation.cluster.replicas).toBe(0);
    expect(situation.cluster.claims.get(CLAIM)).toMatchObject({ volume: 'pv-data-old', bound: true });
  });
});
