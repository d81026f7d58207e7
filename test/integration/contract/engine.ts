/** What every engine has to hold, written once: an engine's test file hands in a fixture with its real server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { EngineSession, Plan, PlanRequest } from '../../../runner/engine';
import { runFrozen } from '../../../runner/frozen';
import { LocalPlatform } from '../../../runner/local/platform';
import type { Clock, SnapshotStore, Volume } from '../../../runner/ports';
import { DirectorySnapshotStore } from '../../../runner/snapshots/directory';
import { backupId } from '../../../src/contract';
import { compareLedger } from '../../ledger/writer';
import { allBut } from '../../support/all-but';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';
import { type EngineFixture, PausedStore, recordOf, restoreInto, timing } from './engine-fixture';

const BUDGET_MS = 30_000;

/** Registers the suite. */
export function engineContract(name: string, make: () => Promise<EngineFixture>): void {
  describe(`engine contract: ${name}`, () => {
    let fixture: EngineFixture;
    let folder: string;
    let session: EngineSession | undefined;
    const never = new AbortController().signal;
    const log = new QuietLog();

    beforeAll(async () => {
      fixture = await make();
      folder = await mkdtemp(join(tmpdir(), 'stillpoint-contract-'));
    });
    afterEach(async () => {
      await session?.close();
      session = undefined;
    });
    afterAll(async () => {
      await fixture?.remove();
      await rm(folder, { recursive: true, force: true });
    });

    const open = async (): Promise<EngineSession> => {
      session = await fixture.engine.open(fixture.target(), log, never);
      return session;
    };
    const volumes = (): Promise<readonly Volume[]> =>
      new LocalPlatform(fixture.volumes).resolveVolumes(fixture.volumes);
    const request = async (id: string): Promise<PlanRequest> => ({
      id,
      volumes: (await volumes()).map((volume) => ({ ...volume, mountPath: volume.claim })),
      layout: 'auto',
      groupClass: false,
      atomicStore: false,
      options: {},
    });
    const directory = (): DirectorySnapshotStore =>
      new DirectorySnapshotStore(join(folder, 'snapshots'), { clock: systemClock, log });
    const freeze = async (
      plan: Plan,
      store: SnapshotStore,
      id: string,
      more: { readonly signal?: AbortSignal; readonly clock?: Clock } = {},
    ): ReturnType<typeof runFrozen> =>
      runFrozen(plan, {
        store,
        volumes: await volumes(),
        jobUid: 'job-1',
        budgetMs: BUDGET_MS,
        clock: more.clock ?? systemClock,
        log,
        signal: more.signal ?? never,
        request: { id, database: 'ledger', labels: {}, annotations: { 'stillpoint.dev/job-uid': 'job-1' } },
      });

    it('says who its server is, where its files are, and finds nothing wrong with a sound one', async () => {
      const { server, lost } = await open();
      expect(server.version).not.toBe('');
      expect(Object.values(server.identity).every((value) => value !== '')).toBe(true);
      const mounts = (await volumes()).map(({ claim }) => claim);
      const paths = await session?.paths(mounts);
      expect(paths?.map(({ role }) => role)).toContain('data');
      for (const { path } of paths ?? []) expect(mounts.some((mount) => path?.startsWith(mount))).toBe(true);
      const findings = (await session?.check(await request('20260101000000'))) ?? [];
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(lost.aborted).toBe(false);
    });

    it('restores every row acknowledged before the first cut, and none begun after the last', async () => {
      const ledger = await fixture.startLedger();
      await ledger.more(50);
      const id = backupId(systemClock.now());
      const opened = await open();
      const asked = await request(id);
      const plan = opened.plan(asked);
      const store = directory();
      const times = { firstAsked: 0, lastSeen: 0 };
      const outcome = await freeze(plan, timing(store, times), id);
      await ledger.more(50);
      await ledger.stop();
      expect(outcome.proof.before.facts).toEqual(outcome.proof.after.facts);
      expect(await fixture.held()).toEqual([]);

      const record = recordOf(fixture, opened, asked, plan, outcome, await store.ready(outcome.cuts, never));
      const restored = await restoreInto(fixture, record, join(folder, 'restored'));
      const verdict = compareLedger(ledger.rows, restored.ledger, times);
      expect(verdict.lost).toEqual([]);
      expect(verdict.foreign).toEqual([]);
      expect(verdict.present).toBeGreaterThan(49);
      expect(restored.inspection.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    });

    it('lets go after a failure in the middle, and leaves no copy', async () => {
      const plan = (await open()).plan(await request('20260101000001'));
      const store = directory();
      const broken = new Error('the storage is on fire');
      const failing = allBut(store, { cut: () => Promise.reject(broken) });
      await expect(freeze(plan, failing, '20260101000001')).rejects.toMatchObject({ cause: broken });
      expect(await fixture.held()).toEqual([]);
      expect(session?.lost.aborted).toBe(false);
    });

    it('lets go when the budget runs out', async () => {
      const plan = (await open()).plan(await request('20260101000002'));
      const paused = new PausedStore(directory());
      // Time passes when the cut was asked for, however long it took until then.
      const clock = new FakeClock();
      const running = freeze(plan, paused.store, '20260101000002', { clock });
      const failure = expect(running).rejects.toMatchObject({ code: 'budget-exceeded' });
      await paused.asked;
      clock.advance(BUDGET_MS);
      await failure;
      expect(await fixture.held()).toEqual([]);
    });

    it('fails with session-lost when the server ends the session in the middle, and nothing is held', async () => {
      const opened = await open();
      const plan = opened.plan(await request('20260101000003'));
      const paused = new PausedStore(directory());
      const running = freeze(plan, paused.store, '20260101000003', { signal: opened.lost });
      const failure = expect(running).rejects.toMatchObject({ code: 'session-lost' });
      await paused.asked;
      await fixture.kill(opened);
      await failure;
      expect(opened.lost.aborted).toBe(true);
      expect(await fixture.held()).toEqual([]);
    });

    it('recognises its server through a new connection, and another one after a restart', async () => {
      const opened = await open();
      const { server } = opened;
      const first = await opened.whoAnswers(never);
      for (const [fact, value] of Object.entries(first)) expect(server.identity[fact]).toBe(value);
      await fixture.restart();
      expect(await opened.whoAnswers(never)).not.toEqual(first);
      expect(opened.lost.aborted).toBe(true);
    });

    it('tells a wrong password from a server that is not there, and shows neither secret', async () => {
      const wrong = 'not-the-password-7d1';
      const attempt = fixture.engine.open(fixture.target({ password: wrong }), log, never);
      await expect(attempt).rejects.toMatchObject({ code: 'authentication-failed', exitCode: 3 });
      await expect(attempt).rejects.not.toThrow(wrong);
      await expect(fixture.engine.open(fixture.target({ port: 1 }), log, never)).rejects.toMatchObject({
        code: 'server-unreachable',
        retryable: true,
      });
      expect(JSON.stringify(log.lines)).not.toContain(wrong);
    });

    it('stops connecting when it is told to', async () => {
      const controller = new AbortController();
      controller.abort(new Error('told to stop'));
      await expect(fixture.engine.open(fixture.target(), log, controller.signal)).rejects.toThrow('told to stop');
    });
  });
}
