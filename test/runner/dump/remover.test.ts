/** Dumps go with their records, from the store that they lie in and from no other. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { deleteBackups } from '../../../runner/commands/delete';
import { AskingRemover, ObjectsRemover, removerOf } from '../../../runner/dump/remover';
import { StillpointError } from '../../../runner/errors';
import type { Remover } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, StoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const KEY = 'stillpoint/shop/orders-db/20260101020000/dump.sql.zst';
const OTHER = 'stillpoint/shop/orders-db/20260102020000/dump.sql.zst';

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-remover-'));
  await mkdir(join(folder, 'records'));
  for (const key of [KEY, KEY.replace('dump.sql.zst', 'record.yaml'), OTHER]) {
    await mkdir(dirname(join(folder, 'store', key)), { recursive: true });
    await writeFile(join(folder, 'store', key), 'bytes');
  }
  log = new QuietLog();
  registry = new DirectoryRegistry(join(folder, 'records'), log);
});
afterEach(() => rm(folder, { recursive: true }));

const place = (volume: string): StoreConfig => ({
  kind: 'directory',
  directory: { path: join(folder, 'store'), volume },
});

const dumped = (change: Partial<BackupRecord> = {}): BackupRecord =>
  record({
    mode: 'dump',
    store: place('backups'),
    storeName: 'folder /elsewhere',
    plannedObjects: [KEY, KEY.replace('dump.sql.zst', 'record.yaml')],
    objects: [
      {
        key: KEY,
        location: `s3://b/${KEY}`,
        bytes: 5,
        sha256: 'a'.repeat(64),
        plainBytes: 5,
        plainSha256: 'a'.repeat(64),
        compression: 'zstd',
      },
    ],
    ...change,
  });

const objectsIn = (...configs: readonly StoreConfig[]): Remover =>
  new ObjectsRemover(
    { configs, open: (config) => openStore(config, { clock: systemClock, random: Math.random, environment: {} }) },
    { clock: systemClock, log },
  );

const snapshots: Remover = { remove: async () => ['a snapshot'], removeLeftovers: async () => [] };

async function files(): Promise<readonly string[]> {
  const entries = await readdir(join(folder, 'store'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** Deletes the older of two dumps, as a person does. */
async function deleteIt(remover: Remover): Promise<readonly string[]> {
  const lines: string[] = [];
  const context = {
    registry,
    remover: removerOf(snapshots, remover),
    uses: { stale: async () => [] },
    clock: systemClock,
    locksOf: () => {
      throw new Error('nobody is at work');
    },
    confirm: async () => false,
    holder: 'me',
  };
  for await (const { line } of deleteBackups(context, ['shop/orders-db/20260101020000'], { yes: true }))
    lines.push(line);
  return lines;
}

describe('a dump that is deleted', () => {
  beforeEach(async () => {
    await registry.create(dumped());
    await registry.create(dumped({ id: '20260102020000', plannedObjects: [OTHER], objects: [] }));
  });

  it('rule 9: leave alone what a record names of another backup, and say so', async () => {
    const before = [...(await files())].sort();
    for (const foreign of [OTHER, 'stillpoint', `${dirname(KEY)}/../20260102020000/dump.sql.zst`]) {
      const stored = { record: dumped({ plannedObjects: [foreign], objects: [] }), version: '1' };
      const left = await objectsIn(place('backups')).remove(stored as never);
      expect(left).toEqual([expect.stringContaining(foreign)]);
    }
    expect([...(await files())].sort()).toEqual(before);
  });

  it('stays where its login failed, and says why, not that the store is another one', async () => {
    const [config] = [{ kind: 'swift', swift: { container: 'backups' } } as const];
    // A store whose login fails has a name without its account, and fails with that when something is asked for.
    const store = {
      name: 'container backups of Swift',
      // biome-ignore lint/correctness/useYield: it never comes to one
      async *list() {
        throw new StillpointError('store-credentials-refused', 'no');
      },
    } as unknown as ObjectStore;
    const remover = new ObjectsRemover({ configs: [config], open: async () => store }, { clock: systemClock, log });
    const of = dumped({ store: config, storeName: 'container backups of Swift, account a at keystone' });
    expect(await remover.remove({ record: of } as never)).toHaveLength(2);
    expect(log.lines.at(-1)?.fields).toMatchObject({ code: 'store-credentials-refused' });
    const others = { ...store, name: 'container backups of Swift, account b at keystone' };
    const wrong = new ObjectsRemover({ configs: [config], open: async () => others }, { clock: systemClock, log });
    await wrong.remove({ record: of } as never);
    expect(log.lines.at(-1)?.fields).toMatchObject({ code: 'store-refused' });
  });

  it('goes with its objects, and says which', async () => {
    expect(await deleteIt(objectsIn(place('others'), place('backups')))).toEqual([
      `backup shop/orders-db/20260101020000 deleted, with s3://b/${KEY}\n`,
    ]);
    expect(await files()).toEqual(['dump.sql.zst']);
    expect((await registry.list({})).map((each) => each.record.id)).toEqual(['20260102020000']);
  });

  it('is refused while its store keeps it locked, and stays as it is', async () => {
    const found = await registry.get('shop', 'orders-db', '20260101020000');
    if (found === undefined) throw new Error('there is no record');
    const objects = found.record.objects?.map((object) => ({ ...object, lockedUntil: '2999-01-01T00:00:00.000Z' }));
    await registry.update(found, { ...found.record, objects });
    await expect(deleteIt(objectsIn(place('backups')))).rejects.toMatchObject({
      code: 'object-locked',
      message: expect.stringContaining('locked in its store until 2999-01-01'),
    });
    expect(await files()).toHaveLength(3);
    expect((await registry.get('shop', 'orders-db', '20260101020000'))?.record.phase).toBe('succeeded');
  });

  it('stays listed as deleting where its store is not known, and names what is there', async () => {
    await expect(deleteIt(objectsIn(place('others')))).rejects.toMatchObject({
      code: 'delete-incomplete',
      message: expect.stringContaining(`there is still s3://b/${KEY}`),
    });
    expect(await files()).toHaveLength(3);
    expect((await registry.get('shop', 'orders-db', '20260101020000'))?.record).toMatchObject({
      phase: 'deleting',
      leftovers: [`s3://b/${KEY}`, `${KEY.replace('dump.sql.zst', 'record.yaml')} in folder /elsewhere`],
    });
  });

  it('stays listed where the credentials lead to another account of the same name', async () => {
    const stored = { ...dumped({ store: { kind: 's3', s3: { bucket: 'b' } }, storeName: 'bucket b of one' }) };
    const open = await openStore(place('backups'), { clock: systemClock, random: Math.random, environment: {} });
    const remover = new ObjectsRemover(
      { configs: [{ kind: 's3', s3: { bucket: 'b' } }], open: async () => open },
      { clock: systemClock, log },
    );
    const left = await remover.remove({ record: stored, version: '1', deletionRequested: false });
    expect(left).toEqual([`${KEY} in the store`, `${KEY.replace('dump.sql.zst', 'record.yaml')} in the store`]);
    expect(await files()).toHaveLength(3);
  });

  it('goes from the account that it lies in, of several with containers of one name', async () => {
    const real = await openStore(place('backups'), { clock: systemClock, random: Math.random, environment: {} });
    const named = (name: string): typeof real =>
      new Proxy(real, {
        get: (target, key) => {
          if (key === 'name') return name;
          if (name.endsWith('other') && key !== 'then') throw new Error('another account was asked');
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    const swift = (credentialsDirectory: string): StoreConfig => ({
      kind: 'swift',
      credentialsDirectory,
      swift: { container: 'b' },
    });
    const remover = new ObjectsRemover(
      {
        configs: [swift('other'), swift('own')],
        open: async ({ credentialsDirectory }) => named(`container b of Swift, account ${credentialsDirectory}`),
      },
      { clock: systemClock, log },
    );
    const store = { kind: 'swift', swift: { container: 'b' } } as const;
    const stored = dumped({ store, storeName: 'container b of Swift, account own' });
    expect(await remover.remove({ record: stored, version: '1', deletionRequested: false })).toEqual([]);
    expect(await files()).toEqual(['dump.sql.zst']);
  });

  it('of another cluster stays in its store, and nobody is asked to remove it', async () => {
    const imported = { at: '2026-01-03T00:00:00.000Z', from: {}, ownsData: false };
    const stored = { record: dumped({ imported }), version: '1', deletionRequested: true };
    const pruner = { ask: () => Promise.reject(new Error('was asked')), rest: async () => undefined };
    expect(await objectsIn(place('backups')).remove(stored)).toEqual([]);
    expect(await new AskingRemover(pruner, registry, systemClock).remove(stored)).toEqual([]);
    expect(await files()).toHaveLength(3);
  });

  it('is left to the pruner by who has no credentials, and waited for', async () => {
    let asked = 0;
    const pruner = {
      ask: async () => {
        asked += 1;
        // What the pruner does when it comes.
        const [found] = await registry.list({ phases: ['deleting'] });
        if (found === undefined) throw new Error('nothing is to be deleted');
        expect(await objectsIn(place('backups')).remove(found)).toEqual([]);
        await registry.remove(found);
      },
      rest: async () => undefined,
    };
    await deleteIt(new AskingRemover(pruner, registry, systemClock));
    expect(asked).toBe(1);
    expect(await files()).toEqual(['dump.sql.zst']);
  });
});
