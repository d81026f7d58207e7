/**
 * What doctor says of stores, on a real server that speaks S3, with accounts that may do less than others. What it says is then seen to
 * be so: by an upload, or a deletion, of the same account.
 */
import { PutObjectLegalHoldCommand, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { ownStoreFindings } from '../../runner/commands/doctor-own-store';
import { doctorStores } from '../../runner/commands/doctor-stores';
import { reach } from '../../runner/dump/store-look';
import type { Finding } from '../../runner/ports';
import { openStore } from '../../runner/storage';
import type { ObjectStore } from '../../runner/storage/object-store';
import { CopiesRemover } from '../../runner/travel/copies-remover';
import { COPIES_OWNER, copyKey } from '../../runner/travel/stored-copies';
import type { Retention, StoreConfig } from '../../src/contract';
import { content } from '../integration/contract/object-store-fixture';
import { QuietLog } from '../support/quiet-log';
import { recordWith } from '../support/records';
import { inCluster } from './harness/object-servers';
import { type AccountBucket, S3Accounts, USUAL } from './harness/s3-accounts';
import { StoreWorld } from './harness/store-servers';

const VERSIONS = ['s3:ListBucketVersions', 's3:DeleteObjectVersion'];
const OWNER = { registry: 'stillpoint', uid: 'uid-1' };
const without = (...rights: readonly string[]): readonly string[] => USUAL.filter((right) => !rights.includes(right));
const signal = AbortSignal.timeout(600_000);

let world: StoreWorld;
let accounts: S3Accounts;
beforeAll(async () => {
  world = new StoreWorld(await inCluster('store-looks'));
  accounts = await S3Accounts.start(world);
});
afterAll(() => world?.remove());

const open = (config: StoreConfig): Promise<ObjectStore> =>
  openStore(config, { clock: systemClock, random: Math.random, environment: {} });

async function put(config: StoreConfig, key: string): Promise<ObjectStore> {
  const store = await open(config);
  await store.put(key, content(5), { signal });
  return store;
}

/** What the pruner's pod says of its stores. */
async function prunersLook(
  spec: Parameters<typeof doctorStores>[0]['spec'],
  uid = OWNER.uid,
): Promise<readonly Finding[]> {
  return await doctorStores({
    spec,
    open,
    readKey: async () => 'no key',
    registry: { pages: async function* () {} },
    owner: async () => ({ ...OWNER, uid }),
    signal,
  });
}

describe('the pruner`s look at a store', () => {
  interface Row {
    readonly what: string;
    readonly may: readonly string[];
    readonly versions?: boolean;
    readonly finding: Partial<Record<keyof Finding, string>>;
    /** What the account leaves of an object that it deletes; or how that is refused. */
    readonly leaves: number | 'store-denied';
  }
  test.each<Row>([
    {
      what: 'that it may delete in',
      may: USUAL,
      finding: { severity: 'ok', message: 'the pruner reaches it, and may delete there' },
      leaves: 0,
    },
    {
      what: 'that it may not delete in',
      may: without('s3:DeleteObject'),
      finding: { severity: 'error', code: 'store-denied' },
      leaves: 'store-denied',
    },
    {
      what: 'that keeps versions, all of which it may delete',
      may: [...USUAL, ...VERSIONS],
      versions: true,
      finding: { severity: 'ok', message: 'the pruner reaches it, and may delete there, with all versions' },
      leaves: 0,
    },
    {
      what: 'that keeps versions, of which it knows nothing',
      may: USUAL,
      versions: true,
      finding: {
        severity: 'warning',
        code: 'versions-stay',
        message: 'these credentials may not list and delete versions',
      },
      leaves: 2,
    },
    {
      what: 'that keeps versions, which it may only list',
      may: [...USUAL, 's3:ListBucketVersions'],
      versions: true,
      finding: { severity: 'warning', code: 'versions-stay', message: 'these credentials may not delete versions' },
      leaves: 'store-denied',
    },
  ])('$what', async ({ may, versions = false, finding, leaves }) => {
    const { config, left } = await accounts.bucket(may, { versions });
    const store = await put(config, 'kept/a');
    const before = await left();
    const { message = '', ...rest } = finding;
    expect(await prunersLook({ stores: [config] })).toEqual([
      expect.objectContaining({ ...rest, message: expect.stringContaining(message) }),
    ]);
    // A look leaves nothing, and takes nothing.
    expect([before, await left()]).toEqual([
      { versions: 1, uploads: 0 },
      { versions: 1, uploads: 0 },
    ]);
    const deleted = await store.delete(['kept/a'], { signal }).then(
      () => undefined,
      (thrown: { readonly code: string }) => thrown.code,
    );
    if (leaves === 'store-denied') expect(deleted).toBe(leaves);
    else expect((await left()).versions).toBe(leaves);
  });

  test('that does not answer, or is not there: the others are looked at all the same', async () => {
    const { config } = await accounts.bucket(USUAL);
    const gone = { ...config, s3: { ...config.s3, bucket: 'not-there' } };
    expect(await prunersLook({ stores: [gone, config] })).toMatchObject([
      { severity: 'error', code: 'bucket-not-found' },
      { severity: 'ok' },
    ]);
    accounts.proxy.answer(503);
    const silent = await prunersLook({ stores: [config] });
    accounts.proxy.mend();
    expect(silent).toMatchObject([{ severity: 'error', code: 'store-unreachable', hint: expect.any(String) }]);
  });
});

describe('a policy`s look at its own store', () => {
  async function look(storage: StoreConfig, retention?: Retention): Promise<readonly Finding[]> {
    const metadata = { name: 'orders-dump', namespace: 'shop' };
    const policy = { metadata, spec: { retention } } as never;
    return await ownStoreFindings({
      config: { metadata, spec: { storage } },
      namespace: 'shop',
      policies: { list: async () => [policy] },
      openStore: await reach(() => open(storage), signal),
      signal,
    });
  }
  const nothing = { versions: 0, uploads: 0 };

  test('that takes what is put there, and has nothing of the look', async () => {
    const { config, left } = await accounts.bucket(USUAL);
    expect([await look(config, { keepDaily: 7 }), await left()]).toEqual([[], nothing]);
  });

  test('that takes nothing of this account', async () => {
    const { config, left } = await accounts.bucket(without('s3:PutObject'));
    const [found, ...others] = await look(config);
    expect([found, others]).toMatchObject([
      {
        severity: 'error',
        code: 'store-denied',
        message: expect.stringMatching(/begin the upload of anything to bucket/),
      },
      [],
    ]);
    await expect(put(config, 'a')).rejects.toMatchObject({ code: 'store-denied' });
    expect(await left()).toEqual(nothing);
  });

  const LOCK = 's3:PutObjectRetention';
  test.each<[what: string, may: readonly string[], locks: boolean, found: string, put: string]>([
    ['that cannot lock what is to be locked', [...USUAL, LOCK], false, 'lock-missing', 'store-refused'],
    ['that lets this account lock nothing', USUAL, true, 'store-denied', 'store-denied'],
  ])('%s', async (_, may, locks, found, refused) => {
    const { config, left } = await accounts.bucket(may, { locks });
    const locked = { ...config, s3: { ...config.s3, lock: { mode: 'GOVERNANCE' as const, days: 7 } } };
    const errors = (await look(locked, { keepDaily: 7 })).filter(({ severity }) => severity !== 'ok');
    expect(errors).toMatchObject([{ severity: 'error', code: found }]);
    expect(await left()).toEqual(nothing);
    await expect(put(locked, 'a')).rejects.toMatchObject({ code: refused });
  });

  test('that locks what nobody has asked it to, for longer than the retention keeps it', async () => {
    const may = [...USUAL, ...VERSIONS];
    const { config, bucket } = await accounts.bucket(may, { locks: true });
    expect(await look(config, { keepDaily: 7 })).toEqual([]);
    await lockAll(bucket, 30);
    expect(await look(config, { keepDaily: 7 })).toMatchObject([
      {
        severity: 'warning',
        code: 'lock-mismatch',
        message: expect.stringMatching(/^the place itself locks backups for 30 days, .* after about 7 days/),
      },
    ]);
    const store = await put(config, 'a');
    await expect(store.delete(['a'], { signal })).rejects.toMatchObject({ code: 'object-locked' });
  });
});

describe('copies of records', () => {
  const copiesIn = async (locks: boolean): Promise<AccountBucket> =>
    await accounts.bucket([...USUAL, ...VERSIONS], { locks });

  test('are looked at where they lie: whose they are, what locks them, and the key', async () => {
    const { config, bucket } = await copiesIn(true);
    const look = async (uid?: string): Promise<readonly Finding[]> =>
      await prunersLook({ stores: [], recordCopies: { storage: config, signKeyFile: '/key.pem' } }, uid);
    const unusable = { severity: 'error', code: 'key-unusable' };
    expect(await look()).toMatchObject([
      { severity: 'ok', subject: `copies of records in storage ${bucket}` },
      unusable,
    ]);
    await lockAll(bucket, 30);
    const store = await open(config);
    await store.put(
      COPIES_OWNER,
      (async function* () {
        yield Buffer.from('registry: stillpoint\nuid: uid-1\n');
      })(),
      { signal },
    );
    const lock = { severity: 'warning', code: 'lock-mismatch', message: expect.stringContaining('locked for 30 days') };
    expect(await look()).toMatchObject([{ severity: 'ok' }, lock, unusable]);
    const another = { severity: 'error', code: 'store-refused', message: expect.stringContaining('UID uid-1') };
    expect(await look('uid-2')).toMatchObject([{ severity: 'ok' }, another, lock, unusable]);
  });

  test('that the store holds keep their record, until it lets go', async () => {
    const { config, bucket, left } = await copiesIn(true);
    const record = recordWith({ phase: 'deleting' });
    const store = await put(config, copyKey(record));
    await store.put(
      COPIES_OWNER,
      (async function* () {
        yield Buffer.from('uid: uid-1\n');
      })(),
      { signal },
    );
    const hold = async (Status: 'ON' | 'OFF'): Promise<unknown> =>
      await accounts.administrator.send(
        new PutObjectLegalHoldCommand({ Bucket: bucket, Key: `prod/${copyKey(record)}`, LegalHold: { Status } }),
      );
    const log = new QuietLog();
    const data = { remove: async () => [], removeLeftovers: async () => [] };
    const copies = { open: () => open(config), owner: async () => OWNER };
    const remove = async (): Promise<readonly string[]> =>
      await new CopiesRemover(data, copies, { clock: systemClock, log }).remove({ record } as never);
    await hold('ON');
    expect(await remove()).toEqual([expect.stringContaining(`${copyKey(record)} in bucket ${bucket}`)]);
    expect(log.lines.at(-1)).toMatchObject({ fields: { code: 'object-locked' } });
    expect((await left()).versions).toBe(2);
    await hold('OFF');
    expect([await remove(), (await left()).versions]).toEqual([[], 1]);
  });
});

/** Has a bucket lock each object that asks for nothing. */
async function lockAll(Bucket: string, Days: number): Promise<void> {
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE' as const, Days } };
  await accounts.administrator.send(
    new PutObjectLockConfigurationCommand({
      Bucket,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
    }),
  );
}
