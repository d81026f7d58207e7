/**
 * Copies and the way back: records, objects and files are real, in folders. What stands in for a cluster is the site alone: it gives
 * the real worker a folder in the place of a claim.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { check } from '../../../runner/commands/check';
import { type CopyContext, takeCopy } from '../../../runner/commands/copy';
import { copyFiles } from '../../../runner/commands/copy-files';
import { doctorCopy } from '../../../runner/commands/doctor-copy';
import { type RestoredCopy, restoreCopy } from '../../../runner/commands/restore-copy';
import { orderText } from '../../../runner/copy/order';
import type { CopySite } from '../../../runner/copy/site';
import { StillpointError } from '../../../runner/errors';
import type { Run } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, CopyConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { lookAt, makeTree } from '../archive/tree';

const ID = '20260102040000';
const FOLDER = `stillpoint/shop/orders-copy/${ID}`;

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
let said: string[];
/** What the site was asked for, in order. */
let asked: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-copy-'));
  for (const name of ['records', 'store', 'state', 'volumes/data', 'volumes/wal', 'to/data', 'to/wal']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  makeTree(join(folder, 'volumes', 'data'));
  writeFileSync(join(folder, 'volumes', 'wal', 'segment'), 'log');
  log = new QuietLog();
  registry = new DirectoryRegistry(join(folder, 'records'), log);
  said = [];
  asked = [];
});
afterEach(() => rm(folder, { recursive: true }));

const storage = () => ({ kind: 'directory', directory: { path: join(folder, 'store') } }) as const;
const opened = (): Promise<ObjectStore> =>
  openStore(storage(), { clock: systemClock, random: Math.random, environment: {} });

const snapshots = (changes: Partial<BackupRecord> = {}): BackupRecord =>
  record({
    volumes: [
      { name: 'data', role: 'data', claim: 'data-orders-db-0', mountPath: '/data', capacity: '1Gi' },
      { name: 'wal', role: 'log', claim: 'wal-orders-db-0', mountPath: '/wal', capacity: '1Gi' },
    ],
    cuts: ['data', 'wal'].map((volume) => ({
      volume,
      snapshot: `orders-db-${volume}-20260101020000`,
      seenBy: 'readyToUse' as const,
      driverKnown: true,
      askedAt: '2026-01-01T02:00:01Z',
      seenAt: '2026-01-01T02:00:02Z',
      restoreSize: '1Gi',
    })),
    serverVersion: '17.2',
    position: { lsn: '0/15D6A88' },
    ...changes,
  });

const config = (copy: Partial<CopyConfig['spec']['copy']> = {}): CopyConfig => ({
  apiVersion: 'stillpoint.dev/v1',
  kind: 'CopyConfig',
  metadata: { name: 'orders-copy-backup', namespace: 'shop' },
  spec: {
    engine: 'postgres',
    of: 'orders-db',
    database: 'orders-copy',
    copy: {
      compression: 'zstd',
      volumes: ['data', 'wal'].map((name) => ({ name, claim: `orders-copy-backup-${name}` })),
      worker: 'orders-copy-backup-worker',
      order: 'orders-copy-backup-order',
      runAsUser: 999,
      ...copy,
    },
    storage: storage(),
    registry: {},
  },
});

interface Situation {
  readonly copy?: Partial<CopyConfig['spec']['copy']>;
  readonly run?: Partial<Run>;
  readonly site?: Partial<CopySite>;
}

/** In the place of a cluster: its volumes are there already, and the worker is one of this process. */
const siteWith = (of: CopyConfig): CopySite => ({
  clear: async () => void asked.push('clear'),
  run: async (plan, order, signal) => {
    asked.push(`run ${plan.volumes.map(({ claim, size }) => `${claim} ${size}`).join(', ')}`);
    await writeFile(join(folder, 'order.yaml'), orderText(order));
    const answer = await copyFiles(
      { config: of, openStore: opened, clock: systemClock, log, signal },
      { orderFile: join(folder, 'order.yaml'), volumes: join(folder, 'volumes'), state: join(folder, 'state') },
    );
    if (answer === undefined) throw new Error('the worker has nothing to say');
    return answer;
  },
});

function copying(situation: Situation = {}): Promise<BackupRecord | undefined> {
  return takeCopy(contextOf(situation));
}

function contextOf({ copy, run, site }: Situation = {}): CopyContext {
  const own = config(copy);
  return {
    config: own,
    namespace: 'shop',
    run: { id: ID, owner: { jobUid: 'job-9', jobName: 'orders-copy-9', pod: 'pod-1' }, trigger: 'scheduled', ...run },
    registry,
    uses: new DirectoryUses(registry),
    site: { ...siteWith(own), ...site },
    locks: { acquire: async () => ({ lost: new AbortController().signal, release: async () => undefined }) },
    platform: { checkAccess: async () => [], clusterUid: async () => 'cluster-1' },
    events: { emit: async (type, reason, message) => void said.push(`${type} ${reason}: ${message}`) },
    openStore: opened,
    clock: systemClock,
    log,
    signal: new AbortController().signal,
    runnerVersion: '0.1.0',
  };
}

/** Restores what has been copied, with no registry but an empty one: as in a cluster that never saw any of it. */
async function restoring(identities?: readonly string[], names = ['data', 'wal']): Promise<RestoredCopy> {
  await mkdir(join(folder, 'other'), { recursive: true });
  const other = new DirectoryRegistry(join(folder, 'other'), log);
  return await restoreCopy({
    config: {
      apiVersion: 'stillpoint.dev/v1',
      kind: 'CopyRestoreConfig',
      metadata: { name: 'orders-back-restore', namespace: 'shop' },
      spec: {
        backup: { namespace: 'shop', database: 'orders-copy', id: ID },
        volumes: names.map((name) => ({ name, path: join(folder, 'to', name) })),
        storage: storage(),
        recordFile: join(folder, 'state', 'record.yaml'),
        registry: {},
      },
    },
    registry: other,
    uses: new DirectoryUses(other),
    openStore: opened,
    readIdentities: async () => identities,
    events: { emit: async (type, reason, message) => void said.push(`${type} ${reason}: ${message}`) },
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    clock: systemClock,
    log,
    signal: new AbortController().signal,
  });
}

const inStore = (): string[] => {
  try {
    return readdirSync(join(folder, 'store', FOLDER)).sort();
  } catch {
    return [];
  }
};

describe('a copy', () => {
  test('of the newest good backup: files, manifest and record in the store; claims and worker gone before it is good', async () => {
    await registry.create(snapshots());
    await registry.create(snapshots({ id: '20251231020000' }));
    await registry.create(snapshots({ id: '20260102020000', phase: 'failed' }));
    const copied = await copying();
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
    expect(inStore()).toEqual(['files.tar.zst', 'manifest.jsonl.zst', 'owner.yaml', 'record.yaml']);
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
    await copying();
    expect(await copying({ run: { id: '20260103040000', owner: { jobUid: 'job-10' } } })).toBeUndefined();
    expect(await registry.list({ database: 'orders-copy' })).toHaveLength(1);
    await registry.create(snapshots({ id: '20260103020000' }));
    expect(await copying({ run: { id: '20260104040000', owner: { jobUid: 'job-11' } } })).toMatchObject({
      copy: { of: { id: '20260103020000' } },
    });
  });

  test('is none as long as there is no good backup', async () => {
    expect(await copying()).toBeUndefined();
    expect(log.lines.map(({ message }) => message)).toContain('nothing is copied: there is no good backup yet');
  });

  test('that fails leaves nothing under any name, and its claims are gone', async () => {
    await registry.create(snapshots());
    await rm(join(folder, 'volumes', 'wal'), { recursive: true });
    await expect(copying()).rejects.toMatchObject({ code: 'directory-unusable', exitCode: 4 });
    expect(inStore()).toEqual([]);
    expect(asked.at(-1)).toBe('clear');
    const [failed] = await registry.list({ database: 'orders-copy' });
    expect(failed?.record).toMatchObject({ phase: 'failed', error: { code: 'directory-unusable' } });
    expect(failed?.record.leftovers).toBeUndefined();
  });

  test('that a pod before this one had begun is begun anew, and what that had written is gone', async () => {
    await registry.create(snapshots());
    await expect(
      copying({
        site: {
          run: async () => {
            const store = await opened();
            await store.put(`${FOLDER}/files.tar.zst`, once('a part'), { signal: new AbortController().signal });
            throw new StillpointError('interrupted', 'the runner was told to stop');
          },
        },
      }),
    ).rejects.toMatchObject({ code: 'interrupted' });
    expect(inStore()).toEqual([]);
    const again = await copying({ run: { owner: { jobUid: 'job-9', pod: 'pod-2' } } });
    expect(again).toMatchObject({
      phase: 'succeeded',
      warnings: ['an earlier attempt failed: interrupted: the runner was told to stop'],
    });
  });

  test("of another Job's that was killed is ended by the next run, which copies by itself", async () => {
    await registry.create(snapshots());
    const store = await opened();
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
    await copying();
    const lost = await registry.get('shop', 'orders-copy', '20260101040000');
    expect(lost?.record).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' } });
    expect(readdirSync(join(folder, 'store', 'stillpoint/shop/orders-copy'))).toEqual([ID]);
  });

  test('is refused where the store has less of it than the worker said', async () => {
    await registry.create(snapshots());
    const own = config();
    const site: Partial<CopySite> = {
      run: async (...given) => {
        const answer = await siteWith(own).run(...given);
        writeFileSync(join(folder, 'store', FOLDER, 'manifest.jsonl.zst'), 'cut');
        return answer;
      },
    };
    await expect(copying({ site })).rejects.toMatchObject({ code: 'checksum-mismatch' });
    expect(inStore()).toEqual([]);
  });

  test('is refused where the worker would read files of another user', async () => {
    await registry.create(snapshots({ workload: { podSecurity: { runAsUser: 70 } } }));
    await expect(copying()).rejects.toMatchObject({ code: 'volume-mismatch', hint: 'set runAsUser to 70' });
    expect(asked).toEqual(['clear']);
  });

  test('is refused where the backup has other volumes than the policy', async () => {
    await registry.create(snapshots());
    await expect(copying({ copy: { volumes: [{ name: 'data', claim: 'x' }] } })).rejects.toMatchObject({
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
    const copied = await copying({ copy: { volumes, places: true } });
    expect(asked[1]).toBe('run orders-copy-backup-place-0 1Gi, orders-copy-backup-place-1 1Gi');
    expect(copied?.copy?.volumes?.map(({ name }) => name)).toEqual(['data', 'wal']);
    await restoring();
    expect(readFileSync(join(folder, 'to', 'wal', 'segment'), 'utf8')).toBe('log');
    expect(lookAt(join(folder, 'to', 'data'))).toEqual(lookAt(join(folder, 'volumes', 'place-0')));
  });

  test('names what is not in it as warnings', async () => {
    await registry.create(snapshots());
    const { symlinkSync } = await import('node:fs');
    symlinkSync('/etc/ssl/key.pem', join(folder, 'volumes', 'data', 'server.key'));
    expect((await copying())?.warnings).toEqual([
      'data/server.key is not in the copy: it is a link that leads to /etc/ssl/key.pem, which is outside of the volumes',
    ]);
  });
});

describe('a copy that is looked at', () => {
  const checked = () =>
    check(
      {
        ...{ registry, openStore: opened, readIdentities: async () => undefined, clock: systemClock, log },
        signal: new AbortController().signal,
      },
      'shop/orders-copy/latest',
      {},
    );

  test.each(['files.tar', 'manifest.jsonl'])('is good, until a byte of its %s is another', async (file) => {
    await registry.create(snapshots());
    const { objects = [] } = (await copying({ copy: { compression: 'none' } })) ?? {};
    expect((await checked()).bytes).toBe(objects.reduce((sum, { bytes }) => sum + bytes, 0));
    const path = join(folder, 'store', FOLDER, file);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(checked()).rejects.toMatchObject({ code: 'stream-broken' });
  });

  test('by doctor: what would be copied, whose objects are gone, and who may not read', async () => {
    const told = async (situation: Situation = {}): Promise<readonly string[]> =>
      (await doctorCopy(contextOf(situation))).map(({ severity, message }) => `${severity}: ${message}`);
    expect(await told()).toContain('warning: there is no good backup of shop/orders-db yet: there is nothing to copy');
    await registry.create(snapshots({ workload: { podSecurity: { runAsUser: 70 } } }));
    expect(await told()).toContain('error: the database ran as user 70, and its files would be read as user 999');
    expect(await told({ copy: { runAsUser: 70 } })).toContain('ok: backup 20260101020000 would be copied');
    await copying({ copy: { runAsUser: 70 } });
    expect(await told()).toContain('ok: its newest good backup, 20260101020000, was copied already');
    await rm(join(folder, 'store', FOLDER, 'manifest.jsonl.zst'));
    expect(await told()).toContainEqual(expect.stringMatching(/^warning: .* there is no more .*manifest.jsonl.zst$/));
  });
});

describe('a worker', () => {
  test('that is started again does nothing: what it had begun is not done twice', async () => {
    await registry.create(snapshots());
    await copying();
    await rm(join(folder, 'store', FOLDER, 'files.tar.zst'));
    const stop = new AbortController();
    const again = copyFiles(
      { config: config(), openStore: opened, clock: systemClock, log, signal: stop.signal },
      { orderFile: join(folder, 'order.yaml'), volumes: join(folder, 'volumes'), state: join(folder, 'state') },
    );
    stop.abort();
    expect(await again).toBeUndefined();
    expect(inStore()).not.toContain('files.tar.zst');
  });
});

describe('a restore from a copy, in a place that never saw its backup', () => {
  test('brings back every file, and the record that they are prepared by', async () => {
    await registry.create(snapshots());
    await copying();
    expect(await restoring()).toMatchObject({ record: { id: ID }, files: 18, bytes: 4_049_115 });
    for (const name of ['data', 'wal'])
      expect(lookAt(join(folder, 'to', name))).toEqual(lookAt(join(folder, 'volumes', name)));
    expect(parse(readFileSync(join(folder, 'state', 'record.yaml'), 'utf8'))).toEqual(snapshots());
  });

  test('opens what is encrypted with the identity alone; the manifest is sealed too', async () => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    await registry.create(snapshots());
    await copying({ copy: { recipients } });
    expect(inStore()).toEqual(['files.tar.zst.age', 'manifest.jsonl.zst.age', 'owner.yaml', 'record.yaml']);
    expect(readFileSync(join(folder, 'store', FOLDER, 'manifest.jsonl.zst.age')).toString('latin1')).toMatch(
      /^age-encryption/,
    );
    await expect(restoring()).rejects.toMatchObject({ code: 'key-unusable' });
    await expect(restoring([await generateX25519Identity()])).rejects.toMatchObject({ code: 'identity-mismatch' });
    expect(readdirSync(join(folder, 'to', 'data'))).toEqual([]);
    expect(await restoring([identity])).toMatchObject({ files: 18 });
  });

  test('is refused where a volume holds something, or is not named', async () => {
    await registry.create(snapshots());
    await copying();
    await expect(restoring(undefined, ['data'])).rejects.toMatchObject({
      code: 'config-invalid',
      message: `copy shop/orders-copy/${ID} is of the volumes data, wal, and the restore names data`,
    });
    writeFileSync(join(folder, 'to', 'data', 'somebodys'), 'database');
    await expect(restoring()).rejects.toMatchObject({ code: 'restore-exists', exitCode: 3 });
    expect(readFileSync(join(folder, 'to', 'data', 'somebodys'), 'utf8')).toBe('database');
  });

  test('fails, and says that the claims are to be thrown away, where a byte was altered in the store', async () => {
    await registry.create(snapshots());
    await copying({ copy: { compression: 'none' } });
    const file = join(folder, 'store', FOLDER, 'files.tar');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('far down')] = 0x46;
    writeFileSync(file, bytes);
    await expect(restoring()).rejects.toMatchObject({
      code: 'stream-broken',
      exitCode: 7,
      hint: 'the claims hold a part of the copy: delete them, and restore into new ones',
    });
  });

  test('is refused of a dump', async () => {
    const store = await opened();
    const { stringify } = await import('yaml');
    const dump = stringify(record({ id: ID, database: 'orders-copy', mode: 'dump' }));
    await store.put(`${FOLDER}/record.yaml`, once(dump), { signal: new AbortController().signal });
    await expect(restoring()).rejects.toMatchObject({ message: `backup shop/orders-copy/${ID} is no copy` });
  });
});

async function* once(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}
