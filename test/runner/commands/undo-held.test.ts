/** What a later run and `stillpoint heal` make of what a record lists as held, with a server that does as the test says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { type BackupContext, backup } from '../../../runner/commands/backup';
import { type HealContext, heal, notHealed } from '../../../runner/commands/heal';
import { type UndoHeldContext, undoHeld } from '../../../runner/commands/undo-held';
import type { Engine } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import { refuseOnErrors } from '../../../runner/findings';
import type { GuardReport } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { labelsOf } from '../../../runner/registry/record-object';
import type { BackupRecord, Held, JobConfig, MemberConfig } from '../../../src/contract';
import { LABELS } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const HELD = [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: { appendfsync: 'everysec' } }];
const AT = '2026-01-01T02:00:09.000Z';
const REPORT: GuardReport = { guard: 'job-1', why: 'the runner is gone', at: AT, done: ['unlocked db:1'] };

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-held-'));
  log = new QuietLog();
  registry = new DirectoryRegistry(folder, log);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Scene {
  /** What undo says it did at the server; an error: it cannot be asked. */
  readonly undo?: readonly string[] | StillpointError;
  readonly report?: GuardReport;
  /** By whom all is proven to be let go. */
  readonly letGoBy?: 'runner' | 'guard';
  /** Whether a pod has the recorded address. */
  readonly hasPod?: boolean;
}

function contextOf({ undo = [], report, letGoBy, hasPod = true }: Scene): UndoHeldContext {
  const engine: Partial<Engine> = {
    name: 'postgres',
    guard: {
      open: async () => {
        if (undo instanceof StillpointError) throw undo;
        return {
          holds: async () => undo.length > 0,
          undo: async () => undo,
          lost: new AbortController().signal,
          close: async () => undefined,
        };
      },
    },
  };
  return {
    config: {
      metadata: { name: 'orders-db-backup' },
      spec: { database: 'orders-db', engine: 'postgres' },
    } as JobConfig,
    namespace: 'shop',
    sources: [
      { name: '', engine: engine as Engine, config: {} as MemberConfig, readTarget: async () => ({}) as never },
    ],
    platform: { placeOf: async () => (hasPod ? {} : undefined) } as unknown as UndoHeldContext['platform'],
    registry,
    guards: {
      reportOn: async () => report,
      letGoBy: async ({ pod }: { readonly pod?: string }) => (pod === 'job-1-0' ? letGoBy : undefined),
    } as unknown as NonNullable<UndoHeldContext['guards']>,
    clock: systemClock,
    log,
    signal: new AbortController().signal,
  };
}

const freezing = record({ phase: 'freezing', held: HELD, owner: { jobUid: 'job-1', pod: 'job-1-0' } });
const stored = async (): Promise<BackupRecord | undefined> =>
  (await registry.get('shop', 'orders-db', freezing.id))?.record;

const unreachable = new StillpointError('server-unreachable', 'db:1 does not answer');

describe('what a runner that is gone has held', () => {
  it.each<[string, Scene, object]>([
    ['is undone by the next run', { undo: ['unlocked db:1'] }, { by: 'later-run', done: ['unlocked db:1'] }],
    ['was undone by the guard', { report: REPORT }, { by: 'guard', at: AT, done: ['unlocked db:1'] }],
    [
      'was undone by the guard in part',
      { report: REPORT, undo: ['appendfsync is everysec again'] },
      { by: 'later-run', done: ['unlocked db:1', 'appendfsync is everysec again'] },
    ],
    ['was undone by nobody known', {}, { by: 'later-run', done: [] }],
    [
      'is gone with its server, where another one answers',
      { undo: new StillpointError('server-changed', 'another server answers') },
      { done: ['the server db:1 is gone, and with it what was held there'] },
    ],
    [
      'is gone with its server, where nothing is at its address',
      { undo: unreachable, hasPod: false },
      { done: ['the server db:1 is gone, and with it what was held there'] },
    ],
  ])('%s', async (_, scene, heldUndone) => {
    await registry.create(freezing);
    const results = await undoHeld(contextOf(scene), 'later-run');
    expect(results).toHaveLength(1);
    expect((await stored())?.heldUndone).toMatchObject(heldUndone);
    expect(await undoHeld(contextOf(scene), 'later-run')).toEqual([]);
  });

  it.each<[string, Scene, object]>([
    ['by its runner', { letGoBy: 'runner' }, { by: 'runner', done: ['db:1 was thawed'] }],
    ['by its guard', { letGoBy: 'guard', report: REPORT }, { by: 'guard', at: AT, done: REPORT.done }],
  ])(
    "that is proven to be let go %s is only written down: what is in force by now is somebody else's",
    async (_, scene, heldUndone) => {
      await registry.create(freezing);
      const undo = new StillpointError('internal', 'nobody looks at the server');
      expect(await undoHeld(contextOf({ undo, ...scene }), 'later-run')).toHaveLength(1);
      expect((await stored())?.heldUndone).toMatchObject(heldUndone);
    },
  );

  it('stays on record when its server does not answer', async () => {
    await registry.create(freezing);
    const [result] = await undoHeld(contextOf({ undo: unreachable }), 'later-run');
    expect(result).toMatchObject({ error: unreachable });
    expect((await stored())?.heldUndone).toBeUndefined();
  });

  it.each([
    ['another one answers', new StillpointError('server-changed', 'another cluster answers')],
    ['nothing is at its address', unreachable],
  ])('stays on record where it outlives its server, and %s', async (_, undo) => {
    await registry.create({ ...freezing, held: HELD.map((held) => ({ ...held, outlivesServer: true })) });
    const [result] = await undoHeld(contextOf({ undo, hasPod: false }), 'later-run');
    expect(result).toMatchObject({ error: undo });
    expect((await stored())?.heldUndone).toBeUndefined();
    expect(await undoHeld(contextOf({ undo: ['started it again'] }), 'later-run')).toHaveLength(1);
    expect((await stored())?.heldUndone).toMatchObject({ by: 'later-run', done: ['started it again'] });
  });

  it("is not undone once more where only another server is left: what is in force there then is somebody else's", async () => {
    const [first] = HELD;
    const balancer = { ...first, member: 'the balancer', host: '10.0.0.2', outlivesServer: true } as Held;
    await registry.create({ ...freezing, held: [...HELD, balancer] });
    const asked: string[] = [];
    const reaching = (itsCluster: boolean): UndoHeldContext => {
      const open = async (_target: unknown, { member }: Held): Promise<object> => {
        asked.push(member);
        if (member === balancer.member && !itsCluster)
          throw new StillpointError('server-changed', 'another cluster answers');
        return { holds: async () => true, undo: async () => [`undone at ${member}`], close: async () => undefined };
      };
      const context = contextOf({});
      return {
        ...context,
        sources: context.sources.map((each) => ({ ...each, engine: { guard: { open } } as never })),
      };
    };
    const [left] = await undoHeld(reaching(false), 'later-run');
    expect(left).toMatchObject({ error: { code: 'server-changed' } });
    expect((await stored())?.held).toEqual([balancer]);
    await undoHeld(reaching(true), 'later-run');
    expect(asked).toEqual(['db:1', 'the balancer', 'the balancer']);
    expect((await stored())?.heldUndone?.done).toEqual(['undone at the balancer']);
  });

  it('is looked for in records that have failed as well', async () => {
    await registry.create({ ...freezing, phase: 'failed' });
    expect(await undoHeld(contextOf({ undo: ['unlocked db:1'] }), 'later-run')).toHaveLength(1);
  });

  it('can be selected by a label, until it is undone', () => {
    expect(labelsOf(freezing)[LABELS.held]).toBe('true');
    expect(labelsOf({ ...freezing, heldUndone: { at: AT, by: 'guard', done: [] } })[LABELS.held]).toBe('false');
    expect(labelsOf(record())[LABELS.held]).toBeUndefined();
  });
});

describe('the next run', () => {
  /** A run that gets as far as its credentials. */
  function runOf(id: string, jobUid: string, scene: Scene): Promise<unknown> {
    const context: Partial<BackupContext> = {
      ...contextOf(scene),
      run: { id, owner: { jobUid, pod: 'second' }, trigger: 'scheduled' },
      platform: {
        clusterUid: async () => undefined,
        placeOf: async () => ({}),
      } as unknown as BackupContext['platform'],
      store: { discard: async () => [] } as unknown as BackupContext['store'],
      locks: { acquire: async () => ({ lost: new AbortController().signal, release: async () => undefined }) },
      events: { emit: async () => undefined },
      runnerVersion: 'test',
    };
    return backup(context as BackupContext).catch((error: StillpointError) => error);
  }

  it.each([
    ["of the Job's next pod", freezing.id, 'job-1'],
    ['of the next Job', '20260101030000', 'job-2'],
  ])(
    '%s does not begin as long as something is held: it would take it for what was there before',
    async (_, id, uid) => {
      await registry.create(freezing);
      expect(await runOf(id, uid, { undo: unreachable })).toMatchObject({
        code: 'freeze-left',
        message: `what backup ${freezing.id} holds could not be undone: db:1 does not answer`,
      });
      expect((await registry.get('shop', 'orders-db', id))?.record).toMatchObject({
        phase: 'failed',
        error: { code: 'freeze-left' },
      });
      expect((await registry.list({ held: true })).map(({ record: { id: held } }) => held)).toEqual([freezing.id]);
    },
  );

  it("of the Job's next pod keeps in words who has undone it, and begins anew", async () => {
    await registry.create(freezing);
    await runOf(freezing.id, 'job-1', { report: REPORT });
    const now = await stored();
    expect([now?.held, now?.heldUndone]).toEqual([undefined, undefined]);
    expect(now?.warnings).toContain('what the earlier attempt held was undone by its guard: unlocked db:1');
  });
});

describe('heal', () => {
  function healing(
    scene: Scene & { readonly gone?: boolean; readonly busy?: boolean },
  ): HealContext & { taken: number } {
    const context = {
      ...contextOf(scene),
      taken: 0,
      holder: 'me',
      runners: { isGone: async () => scene.gone === true, haveEnded: async () => scene.gone === true },
      locks: {
        acquire: async () => {
          context.taken++;
          if (scene.busy === true) throw new StillpointError('backup-in-progress', 'the lease is held');
          return { lost: new AbortController().signal, release: async () => undefined };
        },
      },
    };
    return context;
  }

  it('has nothing to do where nothing is held', async () => {
    expect(await heal(healing({}))).toMatchObject([{ severity: 'ok', message: 'nothing is held' }]);
  });

  it('fails by a sentence of its own: it is no check', async () => {
    await registry.create(freezing);
    const undo = new StillpointError('authentication-failed', 'the server refused the password');
    const findings = await heal(healing({ gone: true, undo }));
    expect(() => refuseOnErrors(findings, notHealed)).toThrowError(
      expect.objectContaining({
        code: 'authentication-failed',
        message: 'what one backup may hold is not undone',
      }),
    );
  });

  it('undoes at once what a runner has held that is gone', async () => {
    await registry.create(freezing);
    const context = healing({ undo: ['unlocked db:1'], gone: true });
    expect(await heal(context)).toMatchObject([
      { severity: 'ok', subject: `backup shop/orders-db/${freezing.id}`, message: 'unlocked db:1' },
    ]);
    expect(context.taken).toBe(0);
    expect((await stored())?.heldUndone).toMatchObject({ by: 'heal' });
  });

  it('leaves alone what a runner holds that is at work', async () => {
    await registry.create(freezing);
    const context = healing({ undo: ['unlocked db:1'], busy: true });
    expect(await heal(context)).toMatchObject([{ severity: 'error', code: 'backup-in-progress' }]);
    expect((await stored())?.heldUndone).toBeUndefined();
  });

  describe('beside others that are at work', () => {
    const UNLOCKED = 'unlocked db:1';
    const newer = record({
      ...freezing,
      id: '20260101030000',
      owner: { jobUid: 'job-2', jobName: 'orders-2', pod: 'job-2-0' },
    });
    const otherPolicy = record({ ...newer, database: 'other-db' });

    /** Heals while `at work` are; when it has waited for once, what is said happens. */
    async function healBeside(atWork: readonly BackupRecord[], meanwhile: () => Promise<unknown>): Promise<object> {
      for (const each of [freezing, ...atWork].map((it) => ({ ...it, workload: { podUid: 'pod-1' } })))
        await registry.create(each);
      const did: string[] = [];
      const open = async (): Promise<object> => ({
        holds: async () => true,
        undo: async () => {
          did.push('undone');
          return [UNLOCKED];
        },
        close: async () => undefined,
      });
      const context = healing({ gone: true });
      const findings = await heal({
        ...context,
        sources: context.sources.map((each) => ({ ...each, engine: { guard: { open } } as never })),
        runners: { isGone: async () => true, haveEnded: async ({ owner }) => owner.jobUid === freezing.owner.jobUid },
        clock: {
          ...systemClock,
          after: (delay, callback) => {
            if (delay < 10_000) {
              did.push('waited');
              void meanwhile().then(callback);
            }
            return { cancel: () => undefined };
          },
        },
      });
      const first = findings.find(({ subject }) => subject.endsWith(freezing.id));
      return { did, code: first?.code, message: first?.message };
    }

    /** What somebody else makes of a record meanwhile. */
    async function becomes({ database, id }: BackupRecord, changes: Partial<BackupRecord>): Promise<void> {
      const found = await registry.get('shop', database, id);
      if (found === undefined) throw new Error('there is no such record');
      await registry.update(found, { ...found.record, ...changes });
    }
    const undone = { at: AT, by: 'later-run', done: ['by another one'] } as const;

    it.each([
      ['of the same policy, wherever its server runs', { ...newer, held: undefined, freezes: 'writes' }],
      ['of another policy of the server', otherPolicy],
    ])('undoes nothing as long as a newer run holds it: one %s', async (_, working) => {
      const ends = (): Promise<void> => becomes(working as BackupRecord, { phase: 'cut', heldUndone: undone });
      expect(await healBeside([working as BackupRecord], ends)).toEqual({
        did: ['waited', 'undone'],
        code: 'ok',
        message: UNLOCKED,
      });
    });

    it('leaves alone what another one has undone meanwhile, and may hold since', async () => {
      const both = async (): Promise<void> => {
        await becomes(freezing, { phase: 'failed', heldUndone: undone });
        await becomes(otherPolicy, { phase: 'cut', heldUndone: undone });
      };
      expect(await healBeside([otherPolicy], both)).toEqual({ did: ['waited'], code: 'ok', message: 'by another one' });
    });

    it("leaves alone what the Job's next pod holds", async () => {
      const both = async (): Promise<void> => {
        await becomes(freezing, { owner: { jobUid: 'job-1', pod: 'job-1-1' } });
        await becomes(otherPolicy, { phase: 'cut', heldUndone: undone });
      };
      expect(await healBeside([otherPolicy], both)).toMatchObject({ did: ['waited'], code: 'backup-in-progress' });
    });
  });

  it('says what it could not undo', async () => {
    await registry.create(freezing);
    expect(await heal(healing({ undo: unreachable, gone: true }))).toMatchObject([
      { severity: 'error', code: 'server-unreachable', message: 'db:1 does not answer' },
    ]);
  });
});
