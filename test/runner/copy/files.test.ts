/** Files → a store → files, with a real store: compressed, encrypted, both or neither; and what becomes of it when something breaks. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { refuseOccupied, refuseSmall, restoreFiles, roomFor } from '../../../runner/copy/restore-files';
import { type StoredFiles, storeFiles } from '../../../runner/copy/store-files';
import type { PackOptions } from '../../../runner/pipe/pack';
import { DirectoryStore } from '../../../runner/storage/directory';
import type { ObjectStore, StoredObject } from '../../../runner/storage/object-store';
import { QuietLog } from '../../support/quiet-log';
import { lookAt, makeTree } from '../archive/tree';

let top: string;
let store: DirectoryStore;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'copy-'));
  for (const name of ['from', 'wal', 'to', 'to-wal', 'store']) mkdirSync(join(top, name));
  makeTree(join(top, 'from'));
  writeFileSync(join(top, 'wal', '000000010000000000000001'), Buffer.alloc(70_000, 7));
  store = new DirectoryStore(join(top, 'store'));
});
afterEach(() => rm(top, { recursive: true, force: true }));

const mounts = [
  { name: 'data', mountPath: '/data' },
  { name: 'log', mountPath: '/wal' },
];
const from = (): { name: string; mountPath: string; path: string }[] =>
  mounts.map((each, at) => ({ ...each, path: join(top, at === 0 ? 'from' : 'wal') }));
const to = (): { name: string; mountPath: string; path: string }[] =>
  mounts.map((each, at) => ({ ...each, path: join(top, at === 0 ? 'to' : 'to-wal') }));

const world = (signal = new AbortController().signal) => ({ clock: systemClock, log: new QuietLog(), signal });

function copy(
  options: PackOptions,
  into: ObjectStore = store,
  signal?: AbortSignal,
): Promise<StoredFiles<StoredObject>> {
  return storeFiles(
    from(),
    {
      archive: (content, until) => into.put('copy/archive', content, { signal: until }),
      manifest: (content, until) => into.put('copy/manifest', content, { signal: until }),
    },
    { ...world(signal), ...options },
  );
}

async function restored(
  stored: StoredFiles<StoredObject>,
  options: PackOptions,
  identities?: readonly string[],
): Promise<unknown> {
  const { signal } = world();
  const contentOf = async (key: 'archive' | 'manifest') => ({
    content: await store.get(`copy/${key}`, { signal }),
    written: stored[key],
    opening: { compression: options.compression, identities },
  });
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const [archive, manifest] = [await contentOf('archive'), await contentOf('manifest')];
  return await restoreFiles(to(), { archive, manifest }, { ...world(), user });
}

/** Whatever is in the store, by name; what was only begun is a hidden file. */
const inStore = (): string[] => {
  try {
    return readdirSync(join(top, 'store', 'copy')).sort();
  } catch {
    return [];
  }
};

describe('volumes that are copied to a store', () => {
  test.each(['zstd', 'gzip', 'none'] as const)('come back by %s, encrypted or not', async (compression) => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    for (const more of [{}, { recipients }]) {
      const stored = await copy({ compression, ...more });
      expect(stored.volumes).toEqual([
        { name: 'data', entries: 16, bytes: 3_000_001 + 1_048_576 + 512 + 15 + 8 },
        { name: 'log', entries: 2, bytes: 70_000 },
      ]);
      expect(stored.skipped).toEqual([]);
      await restored(stored, { compression }, 'recipients' in more ? [identity] : undefined);
      expect(lookAt(join(top, 'to'))).toEqual(lookAt(join(top, 'from')));
      expect(lookAt(join(top, 'to-wal'))).toEqual(lookAt(join(top, 'wal')));
      for (const name of ['to', 'to-wal', 'store/copy']) await rm(join(top, name), { recursive: true });
      for (const name of ['to', 'to-wal']) mkdirSync(join(top, name));
    }
  });

  test('leave nothing under any name when a file cannot be read to its end', async () => {
    await rm(join(top, 'wal'), { recursive: true });
    await expect(copy({ compression: 'none' })).rejects.toMatchObject({ code: 'directory-unusable' });
    expect(inStore()).toEqual([]);
  });

  test.each(['archive', 'manifest'])('leave no manifest when the store does not take the %s', async (refused) => {
    const broken: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      put: async (key: string, content: AsyncIterable<Uint8Array>, options: Parameters<ObjectStore['put']>[2]) => {
        // One that is deaf to being told to stop: what it is given has to end it.
        const deaf = { ...options, signal: new AbortController().signal };
        if (key !== `copy/${refused}`) return await store.put(key, content, deaf);
        for await (const _ of content) throw new Error('the store is full');
        throw new Error('the store is full');
      },
    });
    await expect(copy({ compression: 'none' }, broken)).rejects.toThrow('the store is full');
    expect(inStore()).not.toContain('manifest');
  });

  test('end when they are told to, and keep nothing', async () => {
    const stop = new AbortController();
    const slow: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      put: async (key: string, content: AsyncIterable<Uint8Array>, options: Parameters<ObjectStore['put']>[2]) => {
        async function* some(): AsyncGenerator<Uint8Array, void> {
          for await (const chunk of content) {
            yield chunk;
            stop.abort(new Error('told to stop'));
          }
        }
        return await store.put(key, some(), options);
      },
    });
    await expect(copy({ compression: 'none' }, slow, stop.signal)).rejects.toThrow('told to stop');
    expect(inStore()).toEqual([]);
  });

  test('are not believed when the store gives back something else', async () => {
    const options = { compression: 'none' } as const;
    const stored = await copy(options);
    const wrong = { ...stored, archive: { ...stored.archive, storedSha256: '0'.repeat(64) } };
    await expect(restored(wrong, options)).rejects.toMatchObject({ code: 'stream-broken' });
  });
});

describe('what is filled', () => {
  test('has to be empty, but for what every file system has', async () => {
    mkdirSync(join(top, 'to', 'lost+found'));
    await refuseOccupied(to());
    writeFileSync(join(top, 'to-wal', 'left'), '');
    await expect(refuseOccupied(to())).rejects.toMatchObject({
      code: 'restore-exists',
      message: `volume log at ${join(top, 'to-wal')} is not empty: left`,
    });
  });

  test('has to have room for every block', async () => {
    expect(roomFor({ entries: 3, bytes: 10 })).toBe(10 + 3 * 4096);
    await refuseSmall(to(), [{ name: 'data', entries: 1, bytes: 1 }]);
    await expect(refuseSmall(to(), [{ name: 'log', entries: 1, bytes: 2 ** 52 }])).rejects.toMatchObject({
      code: 'room-missing',
      message: expect.stringMatching(/^volume log has \d+ bytes free, and the copy takes up to 4503599627374592: /),
    });
  });
});
