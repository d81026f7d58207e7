/** What becomes of a dump when its store fails, its tool or its runner: by a stand-in of S3 on a loopback port, which holds uploads too. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { type DumpContext, takeDump } from '../../../runner/commands/dump';
import { StillpointError } from '../../../runner/errors';
import type { Clock } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { openStore } from '../../../runner/storage';
import type { BackupRecord, StoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { type Fault, S3StandIn } from '../../support/s3-standin';
import { CLOSING, dumpContext, ID, type Situation } from './dump-context';

const FOLDER = `stillpoint/shop/orders-db/${ID}`;
/** In the order in which they are put there. */
const OBJECTS = ['owner.yaml', 'dump.sql', 'record.yaml'].map((file) => `${FOLDER}/${file}`);
const BYTES = 20 * 1024 ** 2;
/** Three parts; what comes after them, a test says. */
const WRITES = (then: string): string => `
  const line = Buffer.alloc(1024 ** 2, 'x');
  let left = ${BYTES / 1024 ** 2};
  (function write() {
    while (left-- > 0) if (!process.stdout.write(line)) return process.stdout.once('drain', write);
    ${then}
  })();`;
/** Ends when a file is there: how a test tells the tool that a part of what it wrote is in the store. */
const WHEN_THERE = `
  function whenThere(file, then) {
    const timer = setInterval(() => {
      if (!require('fs').existsSync(file)) return;
      clearInterval(timer);
      then();
    }, 10);
  }`;
const WHOLE = WRITES(`console.log('\\n${CLOSING}');`);

let folder: string;
let registry: DirectoryRegistry;
let s3: S3StandIn;
/** In seconds: how long a request is tried again. */
let patience: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-dump-'));
  await mkdir(join(folder, 'records'));
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys', 'AWS_ACCESS_KEY_ID'), 'me');
  await writeFile(join(folder, 'keys', 'AWS_SECRET_ACCESS_KEY'), 'mine');
  registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
  s3 = await S3StandIn.start();
  patience = 1;
});
afterEach(async () => {
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const storageOf = (): StoreConfig => ({
  kind: 's3',
  s3: { bucket: 'backups', endpoint: s3.endpoint, pathStyle: true },
  credentialsDirectory: join(folder, 'keys'),
  patienceSeconds: patience,
});

function context(situation: Situation): DumpContext {
  return dumpContext(
    { storage: storageOf(), registry, said: [] },
    { script: WHOLE, dump: { compression: 'none' }, ...situation },
  );
}

const stored = async (): Promise<BackupRecord | undefined> => (await registry.get('shop', 'orders-db', ID))?.record;

/** How a dump that fails ends. */
async function failed(situation: Situation = {}): Promise<{ readonly error: unknown; readonly left: BackupRecord }> {
  const error = await takeDump(context(situation)).then(
    () => 'it succeeded',
    (thrown: unknown) => thrown,
  );
  const left = await stored();
  if (left === undefined) throw new Error('there is no record');
  expect(left.phase).toBe('failed');
  expect(left).not.toHaveProperty('objects');
  return { error, left };
}

/** Of what waits before it asks again; a request itself has longer. */
const LONGEST_PAUSE_MS = 10_000;

const UNAVAILABLE = { status: 503, code: 'SlowDown' };

describe('a dump goes on', () => {
  it.each<[what: string, fault: (tries: number) => ReturnType<Fault>]>([
    ['answers 503 for a while', (tries) => (tries < 3 ? UNAVAILABLE : undefined)],
    ['breaks connections for a while', (tries) => (tries < 3 ? 'reset' : undefined)],
  ])('where the store %s in the middle', async (_, fault) => {
    patience = 60;
    let tries = 0;
    s3.fault = ({ what, part }) => (what === 'part' && part === 2 ? fault(tries++) : undefined);
    const taken = await takeDump(context({}));
    expect(tries).toBe(4);
    expect(taken.phase).toBe('succeeded');
    expect([...s3.objects.keys()]).toEqual(OBJECTS);
    expect(s3.objects.get(`${FOLDER}/dump.sql`)?.length).toBe(taken.objects?.[0]?.bytes);
    expect(s3.uploads.size).toBe(0);
  });
});

describe('a store that is away by the clock', () => {
  /** A dump whose store waits on a clock that runs ahead when somebody pauses, and how long each pause was. */
  async function dumped(awayMs: number): Promise<{ readonly outcome: unknown; readonly pauses: readonly number[] }> {
    const pauses: number[] = [];
    let ahead = 0;
    const clock: Clock = {
      ...systemClock,
      monotonic: () => ahead,
      after(ms, callback) {
        // The limit of a request is no pause.
        if (ms > LONGEST_PAUSE_MS) return systemClock.after(ms, callback);
        pauses.push(ms);
        ahead += ms;
        return systemClock.after(0, callback);
      },
    };
    let gone: number | undefined;
    s3.fault = ({ what, part }) => {
      if (what === 'part' && part === 2) gone ??= ahead;
      return gone !== undefined && ahead - gone < awayMs ? UNAVAILABLE : undefined;
    };
    patience = 300;
    const made = context({});
    const storage = storageOf();
    const openStoreAhead = () => openStore(storage, { clock, random: Math.random, environment: {} });
    const outcome = await takeDump({ ...made, openStore: openStoreAhead }).catch((thrown: unknown) => thrown);
    return { outcome, pauses };
  }

  it('for a minute is asked again, with pauses that grow and are no two alike', async () => {
    const { outcome, pauses } = await dumped(60_000);
    expect(outcome).toMatchObject({ phase: 'succeeded' });
    expect([...s3.objects.keys()]).toEqual(OBJECTS);
    // Of the parts on their way at once, each waits by itself.
    expect(Math.max(...pauses)).toBeGreaterThan(5000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LONGEST_PAUSE_MS);
    expect(Math.min(...pauses)).toBeLessThanOrEqual(250);
    expect(new Set(pauses).size).toBe(pauses.length);
  });

  it('for ever ends the dump within its patience', async () => {
    const { outcome, pauses } = await dumped(Number.POSITIVE_INFINITY);
    expect(outcome).toMatchObject({
      code: 'store-unreachable',
      exitCode: 4,
      message: expect.stringMatching(/in 30\d s/),
    });
    expect((await stored())?.phase).toBe('failed');
    expect(pauses.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(300_000);
  });
});

describe('a dump fails, with no object and no part left', () => {
  it.each<[what: string, at: string, code: string]>([
    ['takes no more of its parts', 'part', 'store-unreachable'],
    ['does not put them together', 'complete', 'store-unreachable'],
    ['takes the dump, and not its record', 'put', 'store-unreachable'],
  ])('where the store %s within its patience', async (_, at, code) => {
    s3.fault = ({ what, part }) => (what === at && part !== 1 ? UNAVAILABLE : undefined);
    const { error, left } = await failed();
    expect(error).toMatchObject({ code, exitCode: 4, message: expect.stringContaining('it was tried') });
    expect(left).not.toHaveProperty('leftovers');
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0]);
  });

  it.each<[what: string, then: string]>([
    ['is killed', `process.kill(process.pid, 'SIGKILL');`],
    ['fails', 'process.exitCode = 1;'],
    ['ends without its closing line', ''],
  ])('where the tool %s when parts are in the store', async (_, then) => {
    const go = join(folder, 'go');
    s3.onAsked = ({ what }) => {
      if (what === 'part') void writeFile(go, '');
    };
    const { error } = await failed({
      script: WRITES(`whenThere(${JSON.stringify(go)}, () => { ${then} });`) + WHEN_THERE,
    });
    expect(error).toMatchObject({ code: 'tool-failed', exitCode: 4 });
    expect(s3.seen.filter(({ what }) => what === 'part').length).toBeGreaterThan(0);
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0]);
  });

  it('where it is told to stop when parts are in the store', async () => {
    const stop = new AbortController();
    s3.onAsked = ({ what, part }) => {
      if (what === 'part' && part === 2) stop.abort(new StillpointError('interrupted', 'told to stop'));
    };
    const { error } = await failed({ signal: stop.signal });
    expect(error).toMatchObject({ code: 'interrupted' });
    expect(s3.seen.map(({ what }) => what)).toContain('abort');
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0]);
  });
});

describe('a dump that cannot clean up says what is left', () => {
  it.each<[what: string, fault: { readonly status: number; readonly code: string }, code: string]>([
    ['whose credentials expire in the middle', { status: 400, code: 'ExpiredToken' }, 'store-credentials-expired'],
    ['whose store is gone for good', UNAVAILABLE, 'store-unreachable'],
  ])('%s', async (_, fault, code) => {
    let gone = false;
    s3.fault = ({ what, part }) => {
      gone ||= what === 'part' && part === 2;
      return gone ? fault : undefined;
    };
    const { error, left } = await failed();
    expect(error).toMatchObject({ code });
    expect(left.leftovers).toEqual([
      expect.stringMatching(/owner\.yaml in bucket backups/),
      expect.stringMatching(/dump\.sql in bucket backups/),
      expect.stringMatching(/record\.yaml/),
    ]);
    // Nothing lies under the final name; what has begun is removed with the record, or by the Job's next pod.
    expect([[...s3.objects.keys()], s3.uploads.size]).toEqual([[`${FOLDER}/owner.yaml`], 1]);
    s3.fault = () => undefined;
    expect((await takeDump(context({}))).phase).toBe('succeeded');
    expect([s3.objects.size, s3.uploads.size]).toEqual([3, 0]);
  });
});

it('what a runner that was killed has begun to upload, the next pod of its Job removes, and dumps anew', async () => {
  const key = `${FOLDER}/dump.sql`;
  await registry.create(record({ mode: 'dump', phase: 'pending', id: ID, plannedObjects: [key] }));
  s3.uploads.set('of the killed one', { key, parts: new Map([[1, Buffer.from('half')]]) });
  expect((await takeDump(context({}))).phase).toBe('succeeded');
  expect([[...s3.objects.keys()], s3.uploads.size]).toEqual([OBJECTS, 0]);
});

describe('in a store that lets nobody delete', () => {
  const denied: Fault = ({ what }) => (what === 'delete' ? { status: 403, code: 'AccessDenied' } : undefined);

  it('what the first pod had only begun is in nobody`s way', async () => {
    s3.fault = denied;
    await registry.create(record({ mode: 'dump', phase: 'pending', id: ID, plannedObjects: [...OBJECTS] }));
    s3.uploads.set('of the killed one', { key: `${FOLDER}/dump.sql`, parts: new Map([[1, Buffer.from('half')]]) });
    const taken = await takeDump(context({}));
    expect(taken.objects?.[0]?.key).toBe(`${FOLDER}/dump.sql`);
    expect(s3.seen.map(({ what }) => what)).not.toContain('delete');
    expect([[...s3.objects.keys()], s3.uploads.size]).toEqual([OBJECTS, 0]);
  });

  it('the second pod takes another name than the dump that the first has left, and that goes with the backup', async () => {
    const left = { owner: { jobUid: 'job-1' } };
    await registry.create(record({ mode: 'dump', phase: 'pending', id: ID, ...left, plannedObjects: [...OBJECTS] }));
    for (const key of OBJECTS)
      s3.objects.set(key, Buffer.from(key.endsWith('owner.yaml') ? 'jobUid: job-1\n' : 'left'));
    s3.fault = denied;
    const taken = await takeDump(context({}));
    expect(taken.objects?.[0]?.key).toBe(`${FOLDER}/dump-2.sql`);
    expect(taken.plannedObjects).toEqual([...OBJECTS, `${FOLDER}/dump-2.sql`]);
    expect(s3.objects.get(`${FOLDER}/record.yaml`)?.toString()).toContain('phase: succeeded');
    expect(s3.objects.get(`${FOLDER}/dump.sql`)?.toString()).toBe('left');
  });
});
