/** A bucket alone: dumps that were really taken into a folder, listed and checked without any other registry. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { check } from '../../../runner/commands/check';
import { takeDump } from '../../../runner/commands/dump';
import { formatChecked } from '../../../runner/output/dumps';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { StoreRegistry } from '../../../runner/registry/store';
import { openStore } from '../../../runner/storage';
import type { BackupRecord, StoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { dumpContext, ID, type Situation } from './dump-context';

let folder: string;
let storage: StoreConfig;
let log: QuietLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-check-'));
  for (const each of ['store', 'records']) await mkdir(join(folder, each));
  storage = { kind: 'directory', directory: { path: join(folder, 'store') } };
  log = new QuietLog();
});
afterEach(() => rm(folder, { recursive: true }));

const store = () => openStore(storage, { clock: systemClock, random: Math.random, environment: {} });
const registry = async (): Promise<StoreRegistry> =>
  new StoreRegistry(await store(), { log, signal: new AbortController().signal });
const take = (dump: Situation['dump'] = {}): Promise<BackupRecord> =>
  takeDump(dumpContext({ storage, registry: new DirectoryRegistry(join(folder, 'records'), log), said: [] }, { dump }));
const checked = async (name: string, identities?: readonly string[]): Promise<string> => {
  const found = await check(
    {
      registry: await registry(),
      openStore: store,
      readIdentities: async () => identities as never,
      clock: systemClock,
      log,
      signal: new AbortController().signal,
    },
    name,
    {},
  );
  return formatChecked(found, 'table');
};
const change = async ({ objects = [] }: BackupRecord): Promise<void> => {
  const path = join(folder, 'store', objects[0]?.key ?? '');
  const bytes = await readFile(path);
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
  await writeFile(path, bytes);
};

describe('a store alone', () => {
  it('lists what lies in it, in both layouts, and reads past what is no record', async () => {
    const taken = await take();
    const names = async (filter = {}): Promise<readonly string[]> =>
      (await (await registry()).list(filter)).map(({ record }) => `${record.database}/${record.id} ${record.phase}`);
    expect(await names()).toEqual([`orders-db/${ID} succeeded`]);
    expect((await (await registry()).get('shop', 'orders-db', ID))?.record).toEqual(taken);
    const broken = join(folder, 'store', 'kubedb/shop/other/20261127041500');
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, 'record.yaml'), 'phase: [');
    expect(await names({ namespace: 'shop' })).toEqual([`orders-db/${ID} succeeded`]);
    expect(await names({ namespace: 'another' })).toEqual([]);
    expect(await names({ database: 'other' })).toEqual([]);
    expect(await names({ phases: ['failed'] })).toEqual([]);
  });

  it('is enough to check a dump: to its last byte', async () => {
    const taken = await take();
    expect(await checked('orders-db/latest')).toMatch(
      new RegExp(`^backup shop/orders-db/${ID} is what its record says: .* unpacked\\n$`),
    );
    await change(taken);
    await expect(checked(ID)).rejects.toMatchObject({ code: 'stream-broken' });
  });

  it('is enough to check an encrypted dump, its stored bytes without an identity too', async () => {
    const identity = await generateX25519Identity();
    const taken = await take({ recipients: [await identityToRecipient(identity)] });
    expect(await checked(ID, [identity])).toContain('unpacked');
    expect(await checked(ID)).toContain('it is encrypted, and was not opened');
    await change(taken);
    await expect(checked(ID)).rejects.toMatchObject({ code: 'stream-broken' });
    await expect(checked(ID, [identity])).rejects.toMatchObject({ code: 'decryption-failed' });
  });
});
