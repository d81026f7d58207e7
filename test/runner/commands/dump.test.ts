/** A dump that is taken, or fails on its way: a stand-in tool (a real child process), objects and records in real folders. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { takeDump } from '../../../runner/commands/dump';
import { StillpointError } from '../../../runner/errors';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { ObjectStore } from '../../../runner/storage/object-store';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { CLOSING, dumpContext, ID } from './dump-context';
import { Dumps, FOLDER, OBJECTS, putting } from './dump-fixture';

let dumps: Dumps;
let folder: string;
let registry: DirectoryRegistry;
let said: string[];
beforeEach(async () => {
  dumps = await Dumps.create();
  ({ folder, registry, said } = dumps);
});
afterEach(() => dumps[Symbol.asyncDispose]());

describe('a dump', () => {
  it('that succeeds is in the store with its record beside it, and the record tells all of it', async () => {
    const taken = await dumps.take();
    expect(await dumps.stored()).toEqual(OBJECTS);
    const bytes = await readFile(join(folder, 'store', FOLDER, 'dump.sql.zst'));
    expect(String(zstdDecompressSync(bytes))).toBe(`CREATE TABLE t ();\n${CLOSING}\n`);
    expect(taken).toMatchObject({
      phase: 'succeeded',
      mode: 'dump',
      layout: 'stillpoint',
      serverVersion: '17.2',
      serverIdentity: { systemIdentifier: '42' },
      clusterUid: 'cluster-1',
      runnerImage: 'stillpoint:1',
      dump: { tool: 'a tool of 17', image: 'postgres:17' },
      store: { kind: 'directory' },
      objects: [
        {
          key: `${FOLDER}/dump.sql.zst`,
          location: `file://${folder}/store/${FOLDER}/dump.sql.zst`,
          bytes: bytes.length,
          plainBytes: 36,
          compression: 'zstd',
          checksum: expect.stringMatching(/^crc32 [0-9a-f]{8}$/),
        },
      ],
    });
    expect((await registry.get('shop', 'orders-db', ID))?.record).toEqual(taken);
    expect(parse(await readFile(join(folder, 'store', FOLDER, 'record.yaml'), 'utf8'))).toEqual(
      parse(JSON.stringify(taken)),
    );
    expect(said).toEqual([
      `Normal Starting: Backup ${ID} running`,
      `Normal SuccessfulSnapshot: Successfully completed snapshot ${ID}`,
    ]);
  });

  it('in the layout of KubeDB lies there as SQL', async () => {
    await dumps.take({ dump: { layout: 'kubedb', compression: 'none' } });
    const [dump] = await dumps.stored();
    expect(dump).toBe(`kubedb/shop/orders-db/${ID}/dumpfile.sql`);
    expect(await readFile(join(folder, 'store', dump ?? ''), 'utf8')).toBe(`CREATE TABLE t ();\n${CLOSING}\n`);
  });

  it('with recipients is opened by the identity of each, by nobody else, and the record names them', async () => {
    const identities = [await generateX25519Identity(), await generateX25519Identity()];
    const recipients = await Promise.all(identities.map(identityToRecipient));
    const taken = await dumps.take({ dump: { recipients } });
    const [key] = await dumps.stored();
    expect(key).toBe(`${FOLDER}/dump.sql.zst.age`);
    expect(taken.objects?.[0]).toMatchObject({ key, encryption: { format: 'age', recipients } });
    const bytes = await readFile(join(folder, 'store', key ?? ''));
    expect(bytes.length).toBe(taken.objects?.[0]?.bytes);
    for (const identity of identities) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      expect(String(zstdDecompressSync(await decrypter.decrypt(bytes)))).toBe(`CREATE TABLE t ();\n${CLOSING}\n`);
    }
    const stranger = new Decrypter();
    stranger.addIdentity(await generateX25519Identity());
    await expect(stranger.decrypt(bytes)).rejects.toThrow();
  });

  it('is left as it is when its Job has a second pod', async () => {
    const taken = await dumps.take();
    expect(await dumps.take({ script: 'process.exit(1)' })).toEqual(taken);
  });

  it.each([
    ['fails', `console.log('half'); process.exitCode = 1`, 'tool-failed'],
    ['is killed', `console.log('half'); process.kill(process.pid, 'SIGKILL')`, 'tool-failed'],
    ['ends without its closing line', `console.log('half')`, 'tool-failed'],
  ])('whose tool %s leaves a failed record and no object', async (_, script, code) => {
    const { error, record: left } = await dumps.failed({ script });
    expect(error).toMatchObject({ code, exitCode: 4 });
    expect(left).toMatchObject({ phase: 'failed', error: { code } });
    expect(left).not.toHaveProperty('objects');
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await dumps.stored()).toEqual([]);
    expect(said.at(-1)).toMatch(new RegExp(`^Warning FailedSnapshot: Backup ${ID} failed: .* \\(${code}\\)$`));
  });

  it('whose record cannot be put beside it is taken away again', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (key, ...args) => {
        if (key.endsWith('record.yaml')) throw new StillpointError('store-unreachable', 'it is gone');
        return await real.put(key, ...args);
      });
    const { error, record: left } = await dumps.failed({ store });
    expect(error).toMatchObject({ code: 'store-unreachable' });
    expect(left.phase).toBe('failed');
    expect(await dumps.stored()).toEqual([]);
  });

  it('that a store has counted otherwise fails', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => ({ ...(await real.put(...args)), bytes: 1 }));
    expect((await dumps.failed({ store })).error).toMatchObject({ code: 'checksum-mismatch' });
    expect(await dumps.stored()).toEqual([]);
  });

  it('that is told to stop fails, and leaves no object', async () => {
    const stop = new AbortController();
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        stop.abort(new StillpointError('interrupted', 'told to stop'));
        return await real.put(...args);
      });
    const { error, record: left } = await dumps.failed({
      store,
      signal: stop.signal,
      script: 'setInterval(() => {}, 1000)',
    });
    expect(error).toMatchObject({ code: 'interrupted' });
    expect(left.phase).toBe('failed');
    expect(await dumps.stored()).toEqual([]);
  });

  it('rule 9: that finds its name taken when it has dumped leaves alone who has it: two clusters, one bucket, one minute', async () => {
    const key = `${FOLDER}/dump.sql.zst`;
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        if (args[0] === key && !(await dumps.stored()).includes(key)) await dumps.put(key, "the other cluster's");
        return await real.put(...args);
      });
    const { error, record: left } = await dumps.failed({ store });
    expect(error).toMatchObject({ code: 'object-exists' });
    expect(left.phase).toBe('failed');
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await dumps.stored()).toEqual([key]);
  });

  it('rule 9: of two clusters that dump into one bucket in the same second, one takes it, and the other removes nothing', async () => {
    const others = new DirectoryRegistry(join(folder, 'records-of-the-other'), new QuietLog());
    await mkdir(join(folder, 'records-of-the-other'));
    const other = dumpContext(
      { storage: { kind: 'directory', directory: { path: join(folder, 'store') } }, registry: others, said: [] },
      { jobUid: 'job-2' },
    );
    // Both have looked, and found nothing in the way, before either has written.
    const meeting = Promise.withResolvers<void>();
    let there = 0;
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        if (args[0].endsWith('owner.yaml') && ++there === 2) meeting.resolve();
        await meeting.promise;
        return await real.put(...args);
      });
    const openStore = other.openStore;
    const [one, two] = await Promise.allSettled([
      dumps.take({ store }),
      takeDump({ ...other, openStore: async () => store(await openStore()) }),
    ]);
    expect([one.status, two.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    const lost = [one, two].find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(lost.reason).toMatchObject({ code: 'object-exists', message: expect.stringContaining("another Job's") });
    expect(await dumps.stored()).toEqual(OBJECTS);
    const { record: left } =
      (one.status === 'rejected'
        ? await registry.get('shop', 'orders-db', ID)
        : await others.get('shop', 'orders-db', ID)) ?? {};
    expect(left).toMatchObject({ phase: 'failed' });
    expect(left).not.toHaveProperty('plannedObjects');
  });

  it('rule 9: whose runner was killed before the folder was its own leaves alone who has it now', async () => {
    const planned = OBJECTS.map((key) => key.replace(ID, '20261125041500'));
    await registry.create(
      record({
        mode: 'dump',
        phase: 'pending',
        id: '20261125041500',
        owner: { jobUid: 'job-0' },
        plannedObjects: planned,
      }),
    );
    for (const key of planned)
      await dumps.put(key, key.endsWith('owner.yaml') ? 'jobUid: of-the-other-cluster\n' : 'theirs');
    await dumps.take();
    expect(await dumps.stored()).toEqual([...planned, ...OBJECTS]);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({ phase: 'failed' });
  });
});
