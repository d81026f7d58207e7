/** What every snapshot store has to hold, written once: a fixture brings its volumes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CutRequest, SnapshotStore, Volume } from '../../../runner/ports';
import {
  ANNOTATIONS,
  API_VERSION,
  type BackupRecord,
  COMPONENTS,
  type Cut,
  LABELS,
  MANAGED_BY,
} from '../../../src/contract';

/** A store, and volumes that the suite may write to and read from. */
export interface SnapshotStoreFixture {
  readonly store: SnapshotStore;
  readonly volumes: readonly Volume[];
  write(volume: Volume, file: string, content: string): Promise<void>;
  /** Reads from what was cut; undefined when the file is not in it. */
  read(cut: Cut, file: string): Promise<string | undefined>;
  /** What the pruner does with what {@link SnapshotStore.discard} had to leave to it. Answers what is still there. */
  prune?(of: Parameters<SnapshotStore['discard']>[0], left: readonly string[]): Promise<readonly string[]>;
  remove(): Promise<void>;
}

/** Registers the suite. */
export function snapshotStoreContract(name: string, make: () => Promise<SnapshotStoreFixture>): void {
  describe(`snapshot store contract: ${name}`, () => {
    let fixture: SnapshotStoreFixture;
    const signal = AbortSignal.timeout(300_000);
    let second = 0;

    beforeAll(async () => {
      fixture = await make();
    });
    afterAll(async () => {
      await fixture?.remove();
    });

    const request = (changes: Partial<CutRequest> = {}): CutRequest => {
      const id = `202601010000${String(second++).padStart(2, '0')}`;
      return {
        id,
        database: 'contract',
        volumes: fixture.volumes,
        how: 'individually',
        labels: {
          [LABELS.managedBy]: MANAGED_BY,
          [LABELS.component]: COMPONENTS.snapshot,
          [LABELS.backup]: id,
          [LABELS.database]: 'contract',
        },
        annotations: { [ANNOTATIONS.jobUid]: 'job-1' },
        ...changes,
      };
    };
    const owner = (of: CutRequest, jobUid = 'job-1'): Parameters<SnapshotStore['discard']>[0] => ({
      id: of.id,
      jobUid,
      names: fixture.store.names(of),
    });
    /** Removes what a Job has cut, with the pruner's help where the store takes it. Answers what is left. */
    const discard = async (of: CutRequest, jobUid = 'job-1'): Promise<readonly string[]> => {
      const discarded = owner(of, jobUid);
      const left = await fixture.store.discard(discarded);
      return (await fixture.prune?.(discarded, left)) ?? left;
    };

    it('finds nothing wrong with sound volumes', async () => {
      const findings = await fixture.store.check(fixture.volumes, 'individually');
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    });

    it('cuts what is there: what is written later is not in it', async () => {
      const [volume] = fixture.volumes;
      if (volume === undefined) throw new Error('the fixture has no volume');
      await fixture.write(volume, 'kept', 'before');
      const asked = request();
      const cuts = await fixture.store.cut(asked, signal);
      await fixture.write(volume, 'kept', 'after');
      await fixture.write(volume, 'later', 'after');
      expect(cuts.map((cut) => cut.volume)).toEqual(fixture.volumes.map((one) => one.name));
      expect(cuts.map(({ snapshot }) => snapshot)).toEqual(fixture.store.names(asked));
      const ready = await fixture.store.ready(cuts, signal);
      for (const cut of ready) {
        expect(cut).toMatchObject({ readyAt: expect.any(String), handle: expect.any(String) });
        expect(cut.restoreSize).toMatch(/^\d+/);
        expect(Date.parse(cut.seenAt)).toBeGreaterThanOrEqual(Date.parse(cut.askedAt));
      }
      const [first] = ready;
      if (first === undefined) throw new Error('nothing was cut');
      expect(await fixture.read(first, 'kept')).toBe('before');
      expect(await fixture.read(first, 'later')).toBeUndefined();
    });

    it('finds the cuts of a record, and none of a Job that has not made them', async () => {
      const asked = request();
      const cuts = await fixture.store.cut(asked, signal);
      const record = recordWith(fixture, asked.id, cuts);
      expect(await fixture.store.find(record)).toHaveLength(cuts.length);
      expect(await fixture.store.find({ ...record, owner: { jobUid: 'job-2' } })).toEqual([]);
      await discard(asked);
      expect(await fixture.store.find(record)).toEqual([]);
    });

    it("discards what is the Job's own and nothing else", async () => {
      const asked = request();
      const cuts = await fixture.store.cut(asked, signal);
      await discard(asked, 'job-2');
      expect(await fixture.store.find(recordWith(fixture, asked.id, cuts))).toHaveLength(cuts.length);
      expect(await discard(asked)).toEqual([]);
      expect(await discard(asked)).toEqual([]);
    });

    it('refuses to cut under a name that is taken, and leaves what has it', async () => {
      const asked = request();
      const cuts = await fixture.store.ready(await fixture.store.cut(asked, signal), signal);
      const again = fixture.store.cut(asked, signal).then((others) => fixture.store.ready(others, signal));
      await expect(again).rejects.toThrow();
      expect(await fixture.store.find(recordWith(fixture, asked.id, cuts))).toHaveLength(cuts.length);
      await discard(asked);
    });

    it("ends with the signal's reason when it is told to, and what it began can be discarded", async () => {
      const controller = new AbortController();
      const asked = request();
      const cutting = fixture.store.cut(asked, controller.signal);
      controller.abort(new Error('the budget is spent'));
      await expect(cutting).rejects.toThrow('the budget is spent');
      expect(await discard(asked)).toEqual([]);
    });

    it('tells that a cut is lost when it disappeared before it was ready', async () => {
      const asked = request();
      const cuts = await fixture.store.cut(asked, signal);
      await discard(asked);
      await expect(fixture.store.ready(cuts, signal)).rejects.toMatchObject({ code: 'cut-lost' });
    });
  });
}

function recordWith({ volumes }: SnapshotStoreFixture, id: string, cuts: readonly Cut[]): BackupRecord {
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    id,
    namespace: volumes[0]?.namespace || 'local',
    database: 'contract',
    engine: 'postgres',
    policy: 'contract',
    trigger: 'manual',
    mode: 'snapshot',
    owner: { jobUid: 'job-1' },
    phase: 'cut',
    times: { started: '2026-01-01T00:00:00Z' },
    budgetSeconds: 30,
    volumes,
    cuts,
    runnerVersion: 'test',
  };
}
