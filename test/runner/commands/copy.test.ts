/** Copies of backups to a store, from the newest good one to the record of its copy, and the worker that reads the files. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { copyFiles } from '../../../runner/commands/copy-files';
import type { CopySite } from '../../../runner/copy/site';
import { StillpointError } from '../../../runner/errors';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { lookAt } from '../archive/tree';
import { Copies, FOLDER, ID, once, snapshots } from './copy-fixture';

let copies: Copies;
let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
let said: string[];
let asked: string[];
beforeEach(async () => {
  copies = await Copies.create();
  ({ folder, registry, log, said, asked } = copies);
});
afterEach(() => copies[Symbol.asyncDispose]());

describe('a copy', () => {
  test('of the newest good backup: files, manifest and record in the store; claims and worker gone before it is good', async () => {
    await registry.create(snapshots());
    await registry.create(snapshots({ id: '20251231020000' }));
    await registry.create(snapshots({ id: '20260102020000', phase: 'failed' }));
    const copied = await copies.copying();
    expect(copied).toMatchObject({
      id: ID,
      database: 'orders-copy',
      mode: 'dump',
      phase: 'succeeded',
      engine: 'postgres',
      serverVersion: '17.2',
      layout: 'files',
      copy: {
        of: { namespace: 'shop', database: 'orders-db', id: '20260101020000' },
        volumes: [
          { name: 'data', entries: 16, bytes: 4_049_112 },
          { name: 'wal', entries: 2, bytes: 3 },
        ],
      },
    });
    expect(asked).toEqual(['clear', 'run orders-copy-backup-data 1Gi, orders-copy-backup-wal 1Gi', 'clear']);
    expect(copies.inStore()).toEqual(['files.tar.zst', 'manifest.jsonl.zst', 'owner.yaml', 'record.yaml']);
    expect(parse(readFileSync(join(folder, 'store', FOLDER, 'record.yaml'), 'utf8'))).toEqual(copied);
    const manifest = zstdDecompressSync(readFileSync(join(folder, 'store', FOLDER, 'manifest.jsonl.zst'))).toString();
    expect(manifest).toContain('"path":"wal/segment"');
    expect(said).toEqual([
      `Normal Starting: Copy ${ID} of backup shop/orders-db/20260101020000 running`,
      `Normal SuccessfulSnapshot: Copy ${ID} of backup shop/orders-db/20260101020000 completed`,
    ]);
  });

  test('is made once of each backup: the next run has nothing to do, and leaves no record', async () => {
    await registry.create(snapshots());
    await copies.copying();
    expect(await copies.copying({ run: { id: '20260103040000', owner: { jobUid: 'job-10' } } })).toBeUndefined();
    expect(await registry.list({ database: 'orders-copy' })).toHaveLength(1);
    await registry.create(snapshots({ id: '20260103020000' }));
    expect(await copies.copying({ run: { id: '20260104040000', owner: { jobUid: 'job-11' } } })).toMatchObject({
      copy: { of: { id: '20260103020000' } },
    });
  });

  test('is none as long as there is no good backup', async () => {
    expect(await copies.copying()).toBeUndefined();
    expect(log.lines.map(({ message }) => message)).toContain('nothing is copied: there is no good backup yet');
  });

  test('that fails leaves nothing under any name, and its claims are gone', async () => {
    await registry.create(snapshots());
    await rm(join(folder, 'volumes', 'wal'), { recursive: true });
    await expect(copies.copying()).rejects.toMatchObject({ code: 'directory-unusable', exitCode: 4 });
    expect(copies.inStore()).toEqual([]);
    expect(asked.at(-1)).toBe('clear');
    const [failed] = await registry.list({ database: 'orders-copy' });
    expect(failed?.record).toMatchObject({ phase: 'failed', error: { code: 'directory-unusable' } });
    expect(failed?.record.leftovers).toBeUndefined();
  });

  test('that a pod before this one had begun is begun anew, and what that had written is gone', async () => {
    await registry.create(snapshots());
    await expect(
      copies.copying({
        site: {
          run: async () => {
            const store = await copies.opened();
            await store.put(`${FOLDER}/files.tar.zst`, once('a part'), { signal: new AbortController().signal });
            throw new StillpointError('interrupted', 'the runner was told to stop');
          },
        },
      }),
    ).rejects.toMatchObject({ code: 'interrupted' });
    expect(copies.inStore()).toEqual([]);
    const again = await copies.copying({ run: { owner: { jobUid: 'job-9', pod: 'pod-2' } } });
    expect(again).toMatchObject({
      phase: 'succeeded',
      warnings: ['an earlier attempt failed: interrupted: the runner was told to stop'],
    });
  });

  test("of another Job's that was killed is ended by the next run, which copies by itself", async () => {
    await registry.create(snapshots());
    const store = await copies.opened();
    await store.put('stillpoint/shop/orders-copy/20260101040000/owner.yaml', once('jobUid: job-8\n'), {
      signal: new AbortController().signal,
    });
    await registry.create(
      record({
        ...{
          id: '20260101040000',
          database: 'orders-copy',
          mode: 'dump',
          phase: 'pending',
          owner: { jobUid: 'job-8' },
        },
        plannedObjects: ['owner.yaml', 'files.tar.zst'].map(
          (file) => `stillpoint/shop/orders-copy/20260101040000/${file}`,
        ),
      }),
    );
    await copies.copying();
    const lost = await registry.get('shop', 'orders-copy', '20260101040000');
    expect(lost?.record).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' } });
    expect(readdirSync(join(folder, 'store', 'stillpoint/shop/orders-copy'))).toEqual([ID]);
  });

  test('is refused where the store has less of it than the worker said', async () => {
    await registry.create(snapshots());
    const own = copies.config();
    const site: Partial<CopySite> = {
      run: async (...given) => {
        const answer = await copies.siteWith(own).run(...given);
        writeFileSync(join(folder, 'store', FOLDER, 'manifest.jsonl.zst'), 'cut');
        return answer;
      },
    };
    await expect(copies.copying({ site })).rejects.toMatchObject({ code: 'checksum-mismatch' });
    expect(copies.inStore()).toEqual([]);
  });

  test('is refused where the worker would read files of another user', async () => {
    await registry.create(snapshots({ workload: { podSecurity: { runAsUser: 70 } } }));
    await expect(copies.copying()).rejects.toMatchObject({ code: 'volume-mismatch', hint: 'set runAsUser to 70' });
    expect(asked).toEqual(['clear']);
  });

  test('is refused where the backup has other volumes than the policy', async () => {
    await registry.create(snapshots());
    await expect(copies.copying({ copy: { volumes: [{ name: 'data', claim: 'x' }] } })).rejects.toMatchObject({
      code: 'usage-invalid',
      message: 'no claim is named for volume wal',
    });
  });

  test('of volumes that are only found when they are backed up is read from the places that they take', async () => {
    await registry.create(snapshots());
    const names = ['place-0', 'place-1', 'place-2'];
    renameSync(join(folder, 'volumes', 'data'), join(folder, 'volumes', 'place-0'));
    renameSync(join(folder, 'volumes', 'wal'), join(folder, 'volumes', 'place-1'));
    const volumes = names.map((name) => ({ name, claim: `orders-copy-backup-${name}` }));
    const copied = await copies.copying({ copy: { volumes, places: true } });
    expect(asked[1]).toBe('run orders-copy-backup-place-0 1Gi, orders-copy-backup-place-1 1Gi');
    expect(copied?.copy?.volumes?.map(({ name }) => name)).toEqual(['data', 'wal']);
    await copies.restoring();
    expect(readFileSync(join(folder, 'to', 'wal', 'segment'), 'utf8')).toBe('log');
    expect(lookAt(join(folder, 'to', 'data'))).toEqual(lookAt(join(folder, 'volumes', 'place-0')));
  });

  test('names what is not in it as warnings', async () => {
    await registry.create(snapshots());
    const { symlinkSync } = await import('node:fs');
    symlinkSync('/etc/ssl/key.pem', join(folder, 'volumes', 'data', 'server.key'));
    expect((await copies.copying())?.warnings).toEqual([
      'data/server.key is not in the copy: it is a link that leads to /etc/ssl/key.pem, which is outside of the volumes',
    ]);
  });
});

describe('a worker', () => {
  test('that is started again does nothing: what it had begun is not done twice', async () => {
    await registry.create(snapshots());
    await copies.copying();
    await rm(join(folder, 'store', FOLDER, 'files.tar.zst'));
    const stop = new AbortController();
    const again = copyFiles(
      { config: copies.config(), openStore: copies.opened, clock: systemClock, log, signal: stop.signal },
      { orderFile: join(folder, 'order.yaml'), volumes: join(folder, 'volumes'), state: join(folder, 'state') },
    );
    stop.abort();
    expect(await again).toBeUndefined();
    expect(copies.inStore()).not.toContain('files.tar.zst');
  });
});
