/** Objects as files of a folder. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../runner/clock';
import { openStore } from '../../runner/storage';
import type { ObjectStore } from '../../runner/storage/object-store';
import { objectStoreContract } from './contract/object-store';

objectStoreContract('a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-objects-'));
  const open = (path: string): Promise<ObjectStore> =>
    openStore(
      { kind: 'directory', prefix: 'backups/prod', directory: { path } },
      { clock: systemClock, random: Math.random, environment: {} },
    );
  await mkdir(join(folder, 'there'));
  return {
    store: await open(join(folder, 'there')),
    leftovers: async () => (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.partial')),
    missingBucket: () => open(join(folder, 'not-there')),
    remove: () => rm(folder, { recursive: true }),
  };
});
