/** A rehearsal of the freeze among the backups of other policies, and what becomes of what it writes down. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupContext } from '../../../runner/commands/backup-context';
import { rehearse, rehearsed } from '../../../runner/commands/rehearse';
import type { Engine, EngineSession, Plan } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import type { Clock, Finding, StoredRecord } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const SERVER = 'pod-uid-1';
const HELD = [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: { appendfsync: 'everysec' } }];
const LEFT: Finding = { severity: 'error', code: 'freeze-left', subject: 'lock', message: 'it is locked' };
const other = record({
  database: 'other-db',
  engine: 'mysql',
  id: '20260101015959',
  owner: { jobUid: 'job-2', jobName: 'other-2' },
  phase: 'freezing',
  freezes: 'writes',
  workload: { podUid: SERVER },
});

let folder: string;
let registry: DirectoryRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-rehearse-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const own = async (): Promise<readonly BackupRecord[]> =>
  (await registry.list({ database: 'orders-db' })).map((stored) => stored.record);

/** A server that stands still for a plan, and what is done to it meanwhile, in order. */
class Scene {
  readonly did: string[] = [];
  plan: Partial<Plan> = {};
  /** What the checks find, one after the other. */
  checks: (readonly Finding[] | Error)[] = [];
  /** What goes wrong. */
  fail: { freeze?: Error; thaw?: Error; arm?: Error } = {};
  /** Waiting takes no time, and while it lasts this happens. */
  meanwhile = async (): Promise<void> => {
    for (const each of await registry.list({ database: 'other-db', phases: ['freezing'] }))
      await registry.update(each, { ...each.record, phase: 'cut' });
  };

  get context(): BackupContext {
    const source = {
      name: '',
      config: { engine: 'mysql', connection: { host: 'db', port: 1, usernameFile: '' }, volumes: [] },
      engine: {
        name: 'mysql',
        capabilities: { freezeOutlivesSession: false, mayBeOffline: false, hasServer: true, startsAlone: true },
        open: async () => this.#session(),
      } as Partial<Engine>,
      readTarget: async () => ({}),
    };
    const signal = new AbortController().signal;
    const context = {
      config: {
        metadata: { name: 'orders-db-backup' },
        spec: { database: 'orders-db', engine: 'mysql', snapshots: {} },
      },
      namespace: 'shop',
      run: {
        id: '20260101020000',
        owner: { jobUid: 'job-1', jobName: 'doctor-1', pod: 'doctor-1-0' },
        trigger: 'manual',
      },
      sources: [source],
      platform: {
        checkAccess: async () => [],
        resolveVolumes: async () => [],
        clusterUid: async () => undefined,
        placeOf: async () => ({ uid: SERVER, name: 'pod shop/db-0', mounts: [], workload: { podUid: SERVER } }),
      },
      store: { atomic: true, names: () => [], check: async () => [] },
      registry,
      locks: { acquire: async () => ({ lost: signal, release: async () => undefined }) },
      guards: {
        arm: async () => {
          if (this.fail.arm !== undefined) throw this.fail.arm;
          this.did.push('armed');
          return { lost: signal, report: undefined, begin: async () => undefined, release: async () => undefined };
        },
        reportOn: async () => undefined,
      },
      runners: { isGone: async () => false, haveEnded: async () => false },
      clock: this.#clock,
      log: new QuietLog(),
      signal,
      runnerVersion: 'test',
    };
    return context as unknown as BackupContext;
  }

  readonly #clock: Clock = {
    now: () => new Date(0),
    monotonic: () => 0,
    after: (delay, callback) => {
      if (delay < 10_000) {
        this.did.push('waited');
        void this.meanwhile().then(callback);
      }
      return { cancel: () => undefined };
    },
  };

  #session(): EngineSession {
    return {
      server: { address: '10.0.0.1', version: '8', identity: {}, settings: {} },
      paths: async () => [],
      check: async () => {
        this.did.push('checked');
        const next = this.checks.shift() ?? [];
        if (next instanceof Error) throw next;
        return next;
      },
      plan: () => ({
        layout: 'locked',
        freezes: 'writes',
        statement: 'it held',
        steps: [
          { kind: 'act', name: 'lock', freezes: true, run: () => this.#freeze() },
          { kind: 'cut', volumes: [], how: 'individually' },
        ],
        observe: async () => ({}),
        thaw: async () => {
          this.did.push('thawed');
          if (this.fail.thaw !== undefined) throw this.fail.thaw;
        },
        results: () => ({ position: {}, artifacts: {}, warnings: [] }),
        ...this.plan,
      }),
      whoAnswers: async () => ({}),
      lost: new AbortController().signal,
      close: async () => undefined,
    };
  }

  /** What stands on record meanwhile is what others see. */
  async #freeze(): Promise<void> {
    const [seen] = await own();
    this.did.push(`froze as ${seen?.phase ?? 'nobody'}: ${seen?.freezes ?? 'nothing'}`);
    if (this.fail.freeze !== undefined) throw this.fail.freeze;
  }
}

const OK = { severity: 'ok', code: 'ok', message: expect.stringContaining('held for') };

describe('a rehearsal', () => {
  it('stops nothing: a policy that backs up what is stopped is not rehearsed', async () => {
    // Whatever it would ask for is missing: it would throw.
    const context = {
      config: { spec: { database: 'graph' } },
      namespace: 'shop',
      sources: [{ config: {} }, { config: { offline: { kind: 'StatefulSet', name: 'graph' } } }],
    } as unknown as BackupContext;
    expect(await rehearse(context)).toEqual([
      expect.objectContaining({ severity: 'warning', code: 'offline-unsuitable', subject: 'freeze of shop/graph' }),
    ]);
  });

  it('rule 2: waits, with nothing held, while another policy holds the server, and checks anew', async () => {
    await registry.create(other);
    const scene = new Scene();
    expect(await rehearse(scene.context)).toMatchObject([OK]);
    expect(scene.did).toEqual(['checked', 'waited', 'checked', 'froze as freezing: writes', 'thawed']);
  });

  it('rule 2: what the checks say of a hold of another policy is asked anew when that has ended', async () => {
    await registry.create(other);
    const scene = new Scene();
    scene.checks = [[LEFT], []];
    const sound: Finding = { severity: 'ok', code: 'ok', subject: 'registry', message: 'no backup on record yet' };
    expect(await rehearsed([sound, LEFT], scene.context)).toMatchObject([sound, OK]);
  });

  it('says once what nobody else holds, and does not freeze', async () => {
    const scene = new Scene();
    scene.checks = [[LEFT], [LEFT]];
    expect(await rehearsed([LEFT], scene.context)).toEqual([LEFT]);
    expect(scene.did).toEqual(['checked']);
    expect(await own()).toEqual([]);
  });

  it('is not begun where the checks find anything else', async () => {
    const scene = new Scene();
    const missing: Finding = { severity: 'error', code: 'privilege-missing', subject: 'user', message: 'it may not' };
    expect(await rehearsed([LEFT, missing], scene.context)).toEqual([LEFT, missing]);
    expect(scene.did).toEqual([]);
  });

  it.each<[string, Partial<Plan>]>([
    ['holds nothing', { freezes: 'nothing' }],
    ['only keeps the log', { freezes: 'log-recycling' }],
  ])('that %s is on no record', async (_, plan) => {
    const scene = new Scene();
    scene.plan = plan;
    expect(await rehearse(scene.context)).toMatchObject([{ severity: 'ok' }]);
    expect(scene.did).toEqual(['checked', 'froze as nobody: nothing', 'thawed']);
    expect(await own()).toEqual([]);
  });

  const broken = new StillpointError('freeze-failed', 'it broke');
  const waiting = async (): Promise<StoredRecord> => await registry.create(other);

  it.each<[string, Partial<Scene>, Finding['code'], object]>([
    ['all went well', {}, 'ok', { freezes: 'writes' }],
    ['the freeze fails', { fail: { freeze: broken } }, 'freeze-failed', { freezes: 'writes' }],
    ['the thaw fails of what ends with the session', { fail: { thaw: broken } }, 'freeze-failed', {}],
    ['the server is unfit after a wait', { checks: [[], broken] }, 'freeze-failed', { freezes: undefined }],
    [
      'what was held is let go',
      { plan: { held: HELD } },
      'ok',
      { heldUndone: expect.objectContaining({ by: 'runner' }) },
    ],
    ['the guard does not come', { plan: { held: HELD }, fail: { arm: broken } }, 'freeze-failed', { held: undefined }],
  ])('leaves its record on its way out, with nothing held, when %s', async (_, changes, code, left) => {
    await waiting();
    const scene = Object.assign(new Scene(), changes);
    expect(await rehearse(scene.context)).toMatchObject([{ code }]);
    const [record, ...others] = await own();
    expect([record, others]).toMatchObject([{ phase: 'deleting', cuts: [] }, []]);
    for (const [key, value] of Object.entries(left)) expect(record?.[key as keyof BackupRecord]).toEqual(value);
    expect(await registry.list({ held: true })).toEqual([]);
  });

  it('stays on record where something may be held still, and is undone before another one', async () => {
    const scene = Object.assign(new Scene(), { plan: { held: HELD }, fail: { thaw: broken } });
    expect(await rehearse(scene.context)).toMatchObject([{ code: 'freeze-failed' }]);
    expect(await registry.list({ held: true })).toMatchObject([{ record: { phase: 'freezing', held: HELD } }]);
    expect(await rehearse(new Scene().context)).toMatchObject([{ code: 'freeze-left' }]);
  });
});
