/** What a backup has announced and then does not hold is taken back, whatever comes between. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupContext } from '../../../runner/commands/backup-context';
import { claim } from '../../../runner/commands/claim';
import type { Plan } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import type { Clock, Finding } from '../../../runner/ports';
import type { Preflight } from '../../../runner/preflight';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const SERVER = 'pod-uid-1';
const own = record({ phase: 'pending' });
const younger = record({
  database: 'other-db',
  id: '20260101020001',
  phase: 'freezing',
  freezes: 'writes',
  workload: { podUid: SERVER },
});

let folder: string;
let registry: DirectoryRegistry;
let did: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-claim-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
  did = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Waiting takes no time, and while it lasts the other backups end. */
const clock: Clock = {
  now: () => new Date(0),
  monotonic: () => 0,
  after: (delay, callback) => {
    if (delay < 10_000) {
      void (async () => {
        did.push('waited');
        for (const other of await registry.list({ phases: ['freezing'] })) {
          await registry.update(other, { ...other.record, phase: 'cut' });
        }
        callback();
      })();
    }
    return { cancel: () => undefined };
  },
};

function found(findings: readonly Finding[]): Preflight {
  const members = [{ source: { engine: { name: 'postgres' } }, place: { uid: SERVER }, session: { server: {} } }];
  const plan = { freezes: 'writes' } as Plan;
  return { findings, members, plan, [Symbol.asyncDispose]: async () => undefined } as unknown as Preflight;
}

/** A claim whose checks find what is said, one after the other. */
function claimed(
  checks: readonly (readonly Finding[] | Error | (() => Promise<readonly Finding[]>))[],
): ReturnType<typeof claim> {
  const runners = { isGone: async () => false, haveEnded: async () => false };
  const context = { namespace: 'shop', registry, runners, clock, log: new QuietLog() };
  const left = [...checks];
  return claim({ ...context, signal: new AbortController().signal } as unknown as BackupContext, own as BackupRecord, {
    check: async () => {
      did.push('checked');
      const next = left.shift() ?? [];
      if (next instanceof Error) throw next;
      return found(typeof next === 'function' ? await next() : next);
    },
    announce: async () => void did.push('announced'),
    withdraw: async () => void did.push('withdrew'),
  });
}

it('takes back what it had announced when the server is not fit any more', async () => {
  await registry.create(younger);
  const gone = new StillpointError('server-unreachable', 'it is gone');
  await expect(claimed([[], gone])).rejects.toBe(gone);
  expect(did).toEqual(['checked', 'announced', 'waited', 'checked', 'withdrew']);
});

it('announces nothing while it waits for the end of what it has found in force: an elder one may wait for it', async () => {
  await registry.create(younger);
  const left: Finding = { severity: 'error', code: 'freeze-left', subject: 'lock', message: 'it is locked' };
  const elderHolds = async (): Promise<readonly Finding[]> => {
    await registry.create({ ...younger, database: 'third-db', id: '20251231235959' });
    return [left];
  };
  await claimed([[], elderHolds, []]);
  const first = ['checked', 'announced', 'waited'];
  expect(did).toEqual([...first, 'checked', 'withdrew', 'waited', 'checked', 'announced']);
});

it('takes nothing back where nothing was announced', async () => {
  const gone = new StillpointError('server-unreachable', 'it is gone');
  await expect(claimed([gone])).rejects.toBe(gone);
  expect(did).toEqual(['checked']);
});
