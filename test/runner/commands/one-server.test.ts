/** Two policies of one server: whatever the order in which they write and look, one holds it at a time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  claimServer,
  haveOneInCommon,
  holdsOthersUp,
  type OneServerContext,
  serversOf,
} from '../../../runner/commands/one-server';
import { StillpointError } from '../../../runner/errors';
import type { Clock, StoredRecord } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const SERVER = 'pod-uid-1';
const AT = '2026-01-01T02:00:09.000Z';
const HELD = [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: { appendfsync: 'everysec' } }];

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-one-'));
  log = new QuietLog();
  registry = new DirectoryRegistry(folder, log);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A clock on which waiting takes no time but counts, where it is to, and that lets others go on meanwhile. */
function hurriedClock(meanwhile: () => Promise<void> = async () => undefined, counts = true): Clock {
  let ms = 0;
  return {
    now: () => new Date(ms),
    monotonic: () => ms,
    after: (delay, callback) => {
      // The limit of the waiting is no pause: it is up when the pauses have taken that long.
      const due = ms + delay;
      let cancelled = false;
      const look = (): void => {
        if (cancelled) return;
        if (delay > 10_000 && ms < due) {
          setImmediate(look);
          return;
        }
        void meanwhile().then(() => {
          if (counts && delay <= 10_000) ms += delay;
          callback();
        });
      };
      if (counts || delay <= 10_000) setImmediate(look);
      return {
        cancel: () => {
          cancelled = true;
        },
      };
    },
  };
}

function contextOf({ clock = hurriedClock(), ended = false } = {}): OneServerContext {
  return {
    namespace: 'shop',
    registry,
    runners: { isGone: async () => ended, haveEnded: async () => ended },
    clock,
    log,
    signal: new AbortController().signal,
  };
}

/** A backup that can be announced, and what it did so far. */
class Backup {
  readonly did: string[] = [];
  readonly #pending: BackupRecord;
  #stored: StoredRecord | undefined;

  constructor(
    database: string,
    readonly id: string,
    /** Why what another one has left cannot be undone. */
    private readonly refusal?: StillpointError,
  ) {
    this.#pending = record({ database, id, phase: 'pending' });
  }

  /** As a backup does it: checked anew after each wait. */
  async claim(context: OneServerContext): Promise<void> {
    this.#stored = await registry.create(this.#pending);
    while (!(await this.#claimOnce(context))) this.did.push('checked anew');
  }

  async #claimOnce(context: OneServerContext): Promise<boolean> {
    return await claimServer(
      context,
      { record: this.#pending, servers: [{ engine: 'postgres', podUid: SERVER }] },
      {
        announce: () => this.#become('announced', freezing()),
        withdraw: () => this.#become('withdrew', {}),
        undo: async (left) => {
          this.did.push(`undid ${left.record.database}`);
          if (this.refusal !== undefined) throw this.refusal;
          await registry.update(left, { ...left.record, heldUndone: { at: AT, by: 'later-run', done: [] } });
        },
      },
    );
  }

  async end(): Promise<void> {
    await this.#become('ended', { phase: 'cut' });
  }

  async #become(what: string, changes: Partial<BackupRecord>): Promise<void> {
    this.did.push(what);
    const stored = this.#stored;
    if (stored === undefined) throw new Error('not begun');
    this.#stored = await registry.update(stored, { ...this.#pending, ...changes });
  }
}

function freezing(changes: Partial<BackupRecord> = {}): Partial<BackupRecord> {
  return { phase: 'freezing', freezes: 'writes', workload: { podUid: SERVER }, ...changes };
}

/** A record of another policy, as it stands when the backup of the test begins. */
function other(changes: Partial<BackupRecord>): Promise<StoredRecord> {
  return registry.create(record({ database: 'other-db', id: '20260101015959', policy: 'other', ...changes }));
}

describe('a backup that claims its server', () => {
  it('goes on at once when nobody else holds it', async () => {
    const backup = new Backup('orders-db', '20260101020000');
    await backup.claim(contextOf());
    expect(backup.did).toEqual(['announced']);
  });

  it.each([
    ['of another server', { workload: { podUid: 'pod-uid-2' } }],
    ['of another server in the same pod', { engine: 'redis' as const }],
    ['that holds nothing', { freezes: 'nothing' as const }],
    ['that only keeps its log', { freezes: 'log-recycling' as const }],
    ['that has let the server go', { phase: 'cut' as const }],
    ['whose record is of a version before', { workload: {} }],
  ])('waits for no backup %s', async (_, changes) => {
    await other(freezing(changes));
    const backup = new Backup('orders-db', '20260101020000');
    await backup.claim(contextOf());
    expect(backup.did).toEqual(['announced']);
  });

  it('withdraws for an elder one, and begins again when that has ended', async () => {
    const elder = await other(freezing());
    const backup = new Backup('orders-db', '20260101020000');
    let looked = 0;
    const clock = hurriedClock(async () => {
      looked += 1;
      expect(backup.did).toEqual(['announced', 'withdrew']);
      if (looked === 3) await registry.update(elder, { ...elder.record, phase: 'cut' });
    });
    await backup.claim(contextOf({ clock }));
    expect(looked).toBe(3);
    expect(backup.did).toEqual(['announced', 'withdrew', 'checked anew', 'announced']);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'waits for backup shop/other-db/20260101015959, which holds this server',
    ]);
  });

  it('stays announced for a younger one, and waits until that has withdrawn or ended', async () => {
    const younger = await other(freezing({ id: '20260101020001' }));
    const backup = new Backup('orders-db', '20260101020000');
    const clock = hurriedClock(async () => {
      expect(backup.did).toEqual(['announced']);
      await registry.update(younger, { ...younger.record, phase: 'cut' });
    });
    await backup.claim(contextOf({ clock }));
    expect(backup.did).toEqual(['announced', 'checked anew', 'announced']);
  });

  it('gives way to an elder one that comes while it waits for a younger one', async () => {
    const younger = await other(freezing({ id: '20260101020001' }));
    const backup = new Backup('orders-db', '20260101020000');
    let elder: StoredRecord | undefined;
    const clock = hurriedClock(async () => {
      if (elder === undefined) {
        elder = await registry.create(record({ ...freezing(), database: 'third-db', id: '20260101015959' }));
        return;
      }
      if (!backup.did.includes('withdrew')) return;
      for (const each of [younger, elder]) {
        const now = await registry.get('shop', each.record.database, each.record.id);
        if (now?.record.phase === 'freezing') await registry.update(now, { ...now.record, phase: 'cut' });
      }
    });
    await backup.claim(contextOf({ clock }));
    expect(backup.did).toEqual(['announced', 'withdrew', 'checked anew', 'announced']);
  });

  it('waits for a group that has its server among others', async () => {
    const members = ['pod-uid-2', SERVER].map((podUid) => ({
      name: podUid,
      engine: 'postgres' as const,
      workload: { podUid },
    }));
    const stored = await other(freezing({ engine: 'group', workload: undefined, members }));
    const backup = new Backup('orders-db', '20260101020000');
    const clock = hurriedClock(async () => void (await registry.update(stored, { ...stored.record, phase: 'cut' })));
    await backup.claim(contextOf({ clock }));
    expect(backup.did).toEqual(['announced', 'withdrew', 'checked anew', 'announced']);
  });

  it.each([
    ['is known by the cluster, whichever servers of it are held', 'mongodb', 'cluster-1', true],
    ['is not one of another cluster', 'mongodb', 'cluster-2', false],
    ['is not one of none', 'mongodb', undefined, false],
    ['is not one of another engine', 'redis', 'cluster-1', false],
  ] as const)('a server of a cluster %s', (_what, engine, cluster, inCommon) => {
    const members = [
      { name: 'config', engine: 'mongodb' as const, workload: { podUid: 'secondary' }, cluster: 'cluster-1' },
    ];
    const approximate = serversOf(record({ engine: 'mongodb', members }));
    expect(haveOneInCommon(approximate, [{ engine, podUid: 'primary', cluster }])).toBe(inCommon);
  });

  it.each([
    [
      'waits for a newer run of its own database, wherever that has its server',
      'job-2',
      ['announced', 'checked anew', 'announced'],
    ],
    ['does not wait for its own Job', 'job-1', ['announced']],
  ])('%s', async (_, jobUid, did) => {
    const workload = { podUid: 'pod-uid-2' };
    const newer = await other(freezing({ database: 'orders-db', id: '20260101020001', workload, owner: { jobUid } }));
    const backup = new Backup('orders-db', '20260101020000');
    const clock = hurriedClock(async () => void (await registry.update(newer, { ...newer.record, phase: 'cut' })));
    await backup.claim({ ...contextOf({ clock }), run: { owner: { jobUid: 'job-1' } } });
    expect(backup.did).toEqual(did);
  });

  it('waits for one that has let nothing go yet, whatever its phase', async () => {
    const stored = await other(freezing({ phase: 'failed', held: HELD }));
    const backup = new Backup('orders-db', '20260101020000');
    const undone = { at: AT, by: 'guard', done: [] } as const;
    const clock = hurriedClock(
      async () => void (await registry.update(stored, { ...stored.record, heldUndone: undone })),
    );
    await backup.claim(contextOf({ clock }));
    expect(backup.did).toEqual(['announced', 'withdrew', 'checked anew', 'announced']);
  });

  it('goes on where the other one is no more and has left nothing', async () => {
    await other(freezing());
    const backup = new Backup('orders-db', '20260101020000');
    await backup.claim(contextOf({ ended: true }));
    expect(backup.did).toEqual(['announced']);
  });

  it('undoes what the other one has left that is no more, with nothing announced meanwhile', async () => {
    await other(freezing({ held: HELD }));
    const backup = new Backup('orders-db', '20260101020000');
    await backup.claim(contextOf({ ended: true }));
    expect(backup.did).toEqual(['announced', 'withdrew', 'undid other-db', 'checked anew', 'announced']);
  });

  it('ends, with nothing announced, where that cannot be undone', async () => {
    await other(freezing({ held: HELD }));
    const backup = new Backup('orders-db', '20260101020000', new StillpointError('freeze-left', 'it is stuck'));
    await expect(backup.claim(contextOf({ ended: true }))).rejects.toMatchObject({ code: 'freeze-left' });
    expect(backup.did).toEqual(['announced', 'withdrew', 'undid other-db']);
  });

  it('gives up after five minutes, with nothing announced', async () => {
    await other(freezing());
    const backup = new Backup('orders-db', '20260101020000');
    await expect(backup.claim(contextOf())).rejects.toMatchObject({ code: 'backup-in-progress', exitCode: 6 });
    expect(backup.did).toEqual(['announced', 'withdrew']);
  });

  it('holds it alone, of six that begin together', async () => {
    let holding = 0;
    let most = 0;
    const backups = Array.from({ length: 6 }, (_, n) => new Backup(`db-${(n * 5) % 6}`, `2026010102000${n % 3}`));
    await Promise.all(
      backups.map(async (backup) => {
        await backup.claim(contextOf({ clock: hurriedClock(undefined, false) }));
        most = Math.max(most, ++holding);
        for (let look = 0; look < 5; look++) await registry.list({});
        holding -= 1;
        await backup.end();
      }),
    );
    expect(most).toBe(1);
  });
});

it.each([
  [{ freezes: 'nothing' }, false],
  [{ freezes: 'log-recycling' }, false],
  [{ freezes: 'table-definitions' }, true],
  [{ freezes: 'writes' }, true],
  [{ freezes: 'everything' }, true],
  [{ freezes: 'nothing', held: HELD }, true],
  [{ freezes: 'nothing', pausesBriefly: true }, true],
  [{}, false],
] as const)('%j holds others up: %s', (plan, expected) => {
  expect(holdsOthersUp(plan)).toBe(expected);
});
