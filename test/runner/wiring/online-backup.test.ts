/** That `backup` takes a policy of online backups by what takes these, with the real engine: as far as a server that is not there. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { backupHandlers } from '../../../runner/wiring/handlers/backup';
import type { World } from '../../../runner/wiring/world';
import { QuietLog } from '../../support/quiet-log';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-wiring-'));
  for (const name of ['store', 'records']) await mkdir(join(folder, name));
  for (const name of ['user', 'password']) await writeFile(join(folder, name), name);
});
afterEach(() => rm(folder, { recursive: true }));

/** A port on which nobody listens any more. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

it('is asked over Bolt which databases there are, before any tool runs', async () => {
  const port = await closedPort();
  const config = {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'DumpConfig',
    metadata: { name: 'graph-backup', namespace: 'shop' },
    spec: {
      engine: 'neo4j',
      database: 'graph',
      connection: {
        host: '127.0.0.1',
        port,
        usernameFile: join(folder, 'user'),
        passwordFile: join(folder, 'password'),
      },
      dump: {
        compression: 'none',
        layout: 'stillpoint',
        online: { from: ['graph:6362'], databases: ['*'], type: 'full' },
      },
      storage: { kind: 'directory', directory: { path: join(folder, 'store') } },
      registry: { directory: join(folder, 'records') },
    },
  };
  const file = join(folder, 'backup.yaml');
  await writeFile(file, stringify(config));
  const world: World = {
    env: process.env,
    clock: systemClock,
    log: new QuietLog(),
    signal: new AbortController().signal,
    version: 'test',
  };
  const options = { config: file, output: 'table' } as Parameters<ReturnType<typeof backupHandlers>['backup']>[1];
  await expect(backupHandlers(world).backup(undefined, options)).rejects.toMatchObject({
    code: 'server-unreachable',
    message: expect.stringContaining(`connecting to 127.0.0.1:${port} failed`),
  });
});
