import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { openStore } from '../../../runner/storage';
import { startKeystone } from '../../support/keystone';

async function nameBy(credentials: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-swift-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [key, value] of Object.entries(credentials)) await writeFile(join(folder, key), value);
  const config = { kind: 'swift', credentialsDirectory: folder, swift: { container: 'backups' } } as const;
  return (await openStore(config, { clock: systemClock, random: Math.random, environment: {} })).name;
}

it('a container of Swift is named with its account, however one logs in there', async () => {
  const storageUrl = 'https://swift.example.com/v1/AUTH_shop';
  const login = { user: 'me', password: 'secret', project: 'shop' };
  await using keystone = await startKeystone({ ...login, token: async () => 'token', storageUrl: () => storageUrl });
  const name = 'container backups of Swift, account AUTH_shop at swift.example.com';
  const credentials = {
    OS_AUTH_URL: keystone.url,
    OS_USERNAME: 'me',
    OS_PASSWORD: 'secret',
    OS_PROJECT_NAME: 'shop',
    OS_REGION_NAME: 'here',
  };
  expect(await nameBy(credentials)).toBe(name);
  expect(await nameBy({ OS_STORAGE_URL: `${storageUrl}/`, OS_AUTH_TOKEN: 'token' })).toBe(name);
  expect(await nameBy({ OS_STORAGE_URL: storageUrl.replace('shop', 'other'), OS_AUTH_TOKEN: 'token' })).not.toBe(name);
  // What is wrong with a login says whoever asks for something.
  expect(await nameBy({ ...credentials, OS_PASSWORD: 'wrong' })).toBe('container backups of Swift');
});
