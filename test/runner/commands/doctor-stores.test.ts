/** The pruner's stores, looked at: folders as stores, records in another. What servers say of themselves is seen in test/e2e/store-looks.test.ts. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { ownStoreFindings, without } from '../../../runner/commands/doctor-own-store';
import { doctorStores, type StoresDoctorContext } from '../../../runner/commands/doctor-stores';
import { deletionFindings, impatient, reach } from '../../../runner/dump/store-look';
import { StillpointError } from '../../../runner/errors';
import type { Finding } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { openStore } from '../../../runner/storage';
import type { KeptVersions, ObjectStore } from '../../../runner/storage/object-store';
import { generateKeys } from '../../../runner/travel/signature';
import type { Retention, StoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const never = new AbortController().signal;

let folder: string;
let registry: DirectoryRegistry;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-doctor-'));
  for (const each of ['records', 'backups']) await mkdir(join(folder, each));
  registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
});
afterEach(() => rm(folder, { recursive: true }));

const place = (volume: string): StoreConfig => ({
  kind: 'directory',
  directory: { path: join(folder, volume), volume },
});
const open = (config: StoreConfig): Promise<ObjectStore> =>
  openStore(config, { clock: systemClock, random: Math.random, environment: {} });

async function looked(
  spec: StoresDoctorContext['spec'],
  more: Partial<StoresDoctorContext> = {},
): Promise<readonly Finding[]> {
  const owner = async () => ({ registry: 'stillpoint', uid: 'uid-1' });
  const readKey = async () => generateKeys().privateKey;
  return await doctorStores({ spec, open, readKey, registry, owner, signal: never, ...more });
}

describe('the pruner`s stores', () => {
  it('are each looked at, whatever becomes of the others', async () => {
    expect(await looked({ stores: [place('nowhere'), place('backups')] })).toMatchObject([
      { severity: 'error', code: 'bucket-not-found', subject: 'storage nowhere' },
      { severity: 'ok', subject: `folder ${join(folder, 'backups')}` },
    ]);
  });

  it('are all that backups lie in; the others are named, with how many', async () => {
    const dump = (id: string, volume: string, more = {}) =>
      registry.create(record({ id, mode: 'dump', store: place(volume), storeName: `folder ${volume}`, ...more }));
    await dump('20260101020000', 'backups');
    await dump('20260102020000', 'elsewhere');
    await dump('20260103020000', 'elsewhere');
    await dump('20260104020000', 'third');
    await dump('20260105020000', 'failed', { phase: 'failed' });
    // Of another cluster, whose pruner removes it.
    const imported = { at: '2026-01-04T00:00:00.000Z', from: {}, ownsData: false };
    await dump('20260106020000', 'imported', { imported });
    await registry.create(record({ id: '20260107020000' }));
    const [, ...unknown] = await looked({ stores: [place('backups')] });
    expect(unknown.map(({ code, message }) => [code, message.split(',')[0]]).toSorted()).toEqual([
      ['store-not-pruned', '2 backups lie in folder elsewhere'],
      ['store-not-pruned', 'one backup lies in folder third'],
    ]);
  });

  it('are no other than they were where records cannot be read: that is said beside', async () => {
    const refused = {
      pages: async function* () {
        yield [];
        throw new StillpointError('permission-missing', 'not today');
      },
    };
    expect(await looked({ stores: [place('backups')] }, { registry: refused })).toMatchObject([
      { severity: 'ok' },
      { severity: 'error', code: 'permission-missing', subject: 'registry' },
    ]);
  });
});

describe('the store of copies of records', () => {
  const copies = (volume: string) => ({ stores: [], recordCopies: { storage: place(volume), signKeyFile: 'key.pem' } });

  it('is told with its key', async () => {
    expect(await looked(copies('backups'))).toMatchObject([
      { severity: 'ok', subject: 'copies of records in storage backups' },
      { severity: 'ok', message: expect.stringMatching(/^signed by key \w+/) },
    ]);
  });

  it('says once that it is out of reach, and of the key all the same', async () => {
    expect(await looked(copies('nowhere'), { readKey: async () => 'no key' })).toMatchObject([
      { severity: 'error', code: 'bucket-not-found' },
      { severity: 'error', code: 'key-unusable' },
    ]);
  });

  it('is another registry`s', async () => {
    await mkdir(join(folder, 'backups', 'registry'));
    await writeFile(join(folder, 'backups', 'registry', 'owner.yaml'), 'registry: stillpoint\nuid: uid-2\n');
    expect(await looked(copies('backups'))).toContainEqual(
      expect.objectContaining({ severity: 'error', code: 'store-refused', message: expect.stringMatching(/uid-2/) }),
    );
  });
});

describe('a look at what deletions leave', () => {
  const stay = { why: 'these credentials may not list versions', hint: 'allow them that' };
  it.each<[versions: KeptVersions, finding: Partial<Finding>, deletes: boolean]>([
    [
      { kept: true },
      { severity: 'ok', message: 'the pruner reaches it, and may delete there, with all versions' },
      false,
    ],
    [{ kept: true, stay }, { severity: 'warning', code: 'versions-stay', hint: stay.hint }, false],
    [{ kept: undefined }, { severity: 'ok', message: expect.stringContaining('may not ask') }, false],
    [{ kept: false }, { severity: 'ok', message: 'the pruner reaches it, and may delete there' }, true],
  ])('of a place that says %j', async (versions, finding, deletes) => {
    const asked: string[] = [];
    const store = Object.assign(await open(place('backups')), {
      versions: async () => versions,
      delete: async (keys: readonly string[]) => void asked.push(...keys),
    });
    expect(await deletionFindings(store, never)).toMatchObject([finding]);
    // Where versions may be kept, the deletion of nothing would leave a mark.
    expect(asked).toHaveLength(deletes ? 1 : 0);
  });

  it('waits for no longer than a person does', () => {
    expect(impatient(place('a')).patienceSeconds).toBe(30);
    expect(impatient({ ...place('a'), patienceSeconds: 5 }).patienceSeconds).toBe(5);
  });
});

describe('a policy`s own store', () => {
  const look = async (
    storage: StoreConfig,
    retention?: Retention,
    store: () => Promise<ObjectStore> = () => open(storage),
  ): Promise<readonly Finding[]> =>
    await ownStoreFindings({
      config: { metadata: { name: 'orders-dump' }, spec: { storage } },
      namespace: 'shop',
      policies: {
        list: async () => [{ metadata: { name: 'orders-dump', namespace: 'shop' }, spec: { retention } } as never],
      },
      openStore: await reach(store, never),
      signal: never,
    });

  it('says nothing more where it takes what is put there', async () => {
    expect(await look(place('backups'), { keepDaily: 7 })).toEqual([]);
  });

  it('refuses what is put there, beside what it locks', async () => {
    const store = Object.assign(await open(place('backups')), {
      placeLock: async () => ({ able: true, byDefault: { mode: 'COMPLIANCE', days: 30 } }),
      mayPut: () => Promise.reject(new StillpointError('store-denied', 'not by you')),
    });
    const found = await look(place('backups'), { keepDaily: 7 }, async () => store);
    expect(found).toMatchObject([{ code: 'lock-mismatch' }, { severity: 'error', code: 'store-denied' }]);
  });

  it('is not asked twice where it does not answer', async () => {
    let opened = 0;
    const asked = await reach(() => {
      opened++;
      return Promise.reject(new StillpointError('store-unreachable', 'no answer'));
    }, never);
    for (const _ of ['dump', 'lock']) await expect(asked()).rejects.toMatchObject({ code: 'store-unreachable' });
    expect(opened).toBe(1);
  });

  it('is named once, whichever look met it', () => {
    const finding = (message: string): Finding => ({ severity: 'error', code: 'store-denied', subject: 'a', message });
    expect(without([finding('one'), finding('two')], [finding('two')])).toEqual([finding('one')]);
  });
});
