/**
 * Online backups into an object store, by way of a scratch volume: with the stand-ins of online-backup.test.ts. The store is a folder,
 * behind the interface of all stores; test/e2e/neo4j-uploads.test.ts has one that speaks S3.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import type { ObjectStore } from '../../../runner/storage/object-store';
import { fits, RECORD } from '../../../src/contract';
import { restore, failure as restoreFailure, server } from './online-restores';
import { FIRST, OnlineStandins, SECOND, type Situation } from './online-standins';

const FILE = 'customer1-2025-10-07T16-00-01.backup';

let standins: OnlineStandins;

beforeEach(async () => {
  standins = await OnlineStandins.create();
});
afterEach(() => standins[Symbol.asyncDispose]());

const take = (situation: Situation = {}) => standins.take({ uploads: true, ...situation });
const failure = (situation: Situation) => standins.failure({ uploads: true, ...situation });
const scratch = () => readdir(join(standins.folder, 'scratch'));
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

describe('an online backup into an object store', () => {
  it('is uploaded when it is good, with nothing left in the scratch volume, and restored from there', async () => {
    const record = await take();
    expect(fits(RECORD, record)).toBe(true);
    expect(record.store).toMatchObject({ kind: 's3' });
    expect(await standins.stored()).toEqual([FILE, 'owner.yaml', 'record.yaml'].map((file) => `${FIRST}/${file}`));
    const [object] = record.objects ?? [];
    const content = await readFile(new URL(object?.location ?? ''));
    expect(object).toMatchObject({ bytes: content.length, sha256: sha256(content), compression: 'none' });
    expect(await scratch()).toEqual([]);
    const system = server();
    expect(await restore(standins, { system })).toMatchObject({ database: 'customer1', transaction: '10' });
  });

  it('is encrypted for whom it was to be, and opened by their identity alone', async () => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    const { objects: [object] = [], dump } = await take({ dump: { recipients } });
    expect(dump?.databases?.[0]?.files).toEqual([`stillpoint/shop/graph/${FIRST}/${FILE}.age`]);
    expect(object).toMatchObject({ encryption: { format: 'age', recipients } });
    const content = await readFile(new URL(object?.location ?? ''));
    expect(content.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
    expect([object?.sha256, object?.plainBytes]).toEqual([sha256(content), expect.any(Number)]);
    const system = server();
    expect(await restoreFailure(standins, { system })).toMatchObject({ code: 'key-unusable' });
    expect(system.changed).toEqual([]);
    expect(await restore(standins, { system, identities: [identity] })).toMatchObject({ transaction: '10' });
  });

  it('has those databases that are good', async () => {
    const online = { databases: ['customer?'] };
    const error = await failure({ online, env: { STANDIN_FAIL: 'customer1' } });
    expect(error.message).toContain('has 1 of 2 databases, and not customer1');
    expect((await standins.stored()).filter((file) => file.endsWith('.backup'))).toEqual([
      // Counted by what lies there: what customer1 came to is removed before.
      `${FIRST}/customer2-2025-10-07T16-00-01.backup`,
    ]);
  });

  it('that the store does not take to its end fails, and leaves nothing', async () => {
    const failing = (real: ObjectStore): ObjectStore => {
      const put = real.put.bind(real);
      return Object.assign(real, {
        put: (async (key, content, options) => {
          if (key.includes('customer2')) throw new StillpointError('store-unreachable', 'the store is gone');
          return await put(key, content, options);
        }) satisfies ObjectStore['put'],
      });
    };
    const error = await failure({ online: { databases: ['customer?'] }, store: failing });
    expect(error.code).toBe('store-unreachable');
    expect(await standins.recordOf()).toMatchObject({ phase: 'failed' });
    expect(await standins.stored()).toEqual([]);
    expect(await scratch()).toEqual([]);
  });

  it('takes nothing of what an earlier container of the pod has left', async () => {
    const left = join(standins.folder, 'scratch', 'online', 'backups');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, FILE), 'half');
    await mkdir(join(standins.folder, 'scratch', 'lost+found'));
    expect((await take()).dump?.databases).toMatchObject([{ highestTransaction: 10 }]);
    expect(await scratch()).toEqual(['lost+found']);
  });

  it.each<[Partial<NonNullable<Situation['online']>>, string]>([
    [{ type: 'auto' }, 'goes on with files that lie in a store of s3'],
    [{ scratch: undefined }, 'an online backup into a store of s3 needs a volume to work in'],
    [{ scratch: '/nonexistent' }, '/nonexistent could not be used for the backup (ENOENT)'],
  ])('is refused with %j', async (online, message) => {
    expect((await failure({ id: SECOND, online })).message).toContain(message);
    expect(await standins.stored()).toEqual([]);
  });

  it('on a volume is not encrypted, and says so', async () => {
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    expect((await failure({ uploads: false, dump: { recipients } })).message).toContain('are not encrypted');
  });
});
