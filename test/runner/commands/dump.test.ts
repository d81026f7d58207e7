/** A dump from its checks to its record: a stand-in tool (a real child process), objects and records in real folders. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { doctorDump } from '../../../runner/commands/doctor-dump';
import { type DumpContext, takeDump } from '../../../runner/commands/dump';
import { StillpointError } from '../../../runner/errors';
import type { Finding } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, Policy } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { CLOSING, dumpContext, ID, type Situation } from './dump-context';

const FOLDER = `stillpoint/shop/orders-db/${ID}`;

const OBJECTS = ['dump.sql.zst', 'owner.yaml', 'record.yaml'].map((file) => `${FOLDER}/${file}`);

let folder: string;
let registry: DirectoryRegistry;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-dump-'));
  await mkdir(join(folder, 'store'));
  await mkdir(join(folder, 'records'));
  registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
  said = [];
});
afterEach(() => rm(folder, { recursive: true }));

/** The files of the store. */
async function stored(): Promise<readonly string[]> {
  const entries = await readdir(join(folder, 'store'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, 'store/').length))
    .sort();
}

async function put(key: string, text: string): Promise<void> {
  const path = join(folder, 'store', key);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

const contextOf = (situation: Situation): DumpContext =>
  dumpContext(
    { storage: { kind: 'directory', directory: { path: join(folder, 'store') } }, registry, said },
    situation,
  );

/** A store that does as the real one in all but this. */
function putting(real: ObjectStore, put: ObjectStore['put']): ObjectStore {
  return new Proxy(real, {
    get: (target, name) => {
      if (name === 'put') return put;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const take = (situation: Situation = {}): Promise<BackupRecord> => takeDump(contextOf(situation));

/** How a dump that fails ends: with its error, and with its record. */
async function failed(situation: Situation): Promise<{ readonly error: unknown; readonly record: BackupRecord }> {
  const error = await take(situation).then(
    () => 'it succeeded',
    (thrown: unknown) => thrown,
  );
  const found = await registry.get('shop', 'orders-db', ID);
  if (found === undefined) throw new Error('there is no record');
  return { error, record: found.record };
}

describe('a dump', () => {
  it('that succeeds is in the store with its record beside it, and the record tells all of it', async () => {
    const taken = await take();
    expect(await stored()).toEqual(OBJECTS);
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
    await take({ dump: { layout: 'kubedb', compression: 'none' } });
    const [dump] = await stored();
    expect(dump).toBe(`kubedb/shop/orders-db/${ID}/dumpfile.sql`);
    expect(await readFile(join(folder, 'store', dump ?? ''), 'utf8')).toBe(`CREATE TABLE t ();\n${CLOSING}\n`);
  });

  it('with recipients is opened by the identity of each, by nobody else, and the record names them', async () => {
    const identities = [await generateX25519Identity(), await generateX25519Identity()];
    const recipients = await Promise.all(identities.map(identityToRecipient));
    const taken = await take({ dump: { recipients } });
    const [key] = await stored();
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

  it('for a recipient that is none is refused before anything is touched', async () => {
    const { error, record: left } = await failed({ dump: { recipients: [`age1${'q'.repeat(58)}`] } });
    expect(error).toMatchObject({ code: 'key-unusable', exitCode: 3 });
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await stored()).toEqual([]);
  });

  it('is left as it is when its Job has a second pod', async () => {
    const taken = await take();
    expect(await take({ script: 'process.exit(1)' })).toEqual(taken);
  });

  it.each([
    ['fails', `console.log('half'); process.exitCode = 1`, 'tool-failed'],
    ['is killed', `console.log('half'); process.kill(process.pid, 'SIGKILL')`, 'tool-failed'],
    ['ends without its closing line', `console.log('half')`, 'tool-failed'],
  ])('whose tool %s leaves a failed record and no object', async (_, script, code) => {
    const { error, record: left } = await failed({ script });
    expect(error).toMatchObject({ code, exitCode: 4 });
    expect(left).toMatchObject({ phase: 'failed', error: { code } });
    expect(left).not.toHaveProperty('objects');
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await stored()).toEqual([]);
    expect(said.at(-1)).toMatch(new RegExp(`^Warning FailedSnapshot: Backup ${ID} failed: .* \\(${code}\\)$`));
  });

  it('whose record cannot be put beside it is taken away again', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (key, ...args) => {
        if (key.endsWith('record.yaml')) throw new StillpointError('store-unreachable', 'it is gone');
        return await real.put(key, ...args);
      });
    const { error, record: left } = await failed({ store });
    expect(error).toMatchObject({ code: 'store-unreachable' });
    expect(left.phase).toBe('failed');
    expect(await stored()).toEqual([]);
  });

  it('that a store has counted otherwise fails', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => ({ ...(await real.put(...args)), bytes: 1 }));
    expect((await failed({ store })).error).toMatchObject({ code: 'checksum-mismatch' });
    expect(await stored()).toEqual([]);
  });

  it('that is told to stop fails, and leaves no object', async () => {
    const stop = new AbortController();
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        stop.abort(new StillpointError('interrupted', 'told to stop'));
        return await real.put(...args);
      });
    const { error, record: left } = await failed({ store, signal: stop.signal, script: 'setInterval(() => {}, 1000)' });
    expect(error).toMatchObject({ code: 'interrupted' });
    expect(left.phase).toBe('failed');
    expect(await stored()).toEqual([]);
  });

  it('rule 9: that finds its name taken when it has dumped leaves alone who has it: two clusters, one bucket, one minute', async () => {
    const key = `${FOLDER}/dump.sql.zst`;
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        if (args[0] === key && !(await stored()).includes(key)) await put(key, "the other cluster's");
        return await real.put(...args);
      });
    const { error, record: left } = await failed({ store });
    expect(error).toMatchObject({ code: 'object-exists' });
    expect(left.phase).toBe('failed');
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await stored()).toEqual([key]);
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
      take({ store }),
      takeDump({ ...other, openStore: async () => store(await openStore()) }),
    ]);
    expect([one.status, two.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    const lost = [one, two].find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(lost.reason).toMatchObject({ code: 'object-exists', message: expect.stringContaining("another Job's") });
    expect(await stored()).toEqual(OBJECTS);
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
    for (const key of planned) await put(key, key.endsWith('owner.yaml') ? 'jobUid: of-the-other-cluster\n' : 'theirs');
    await take();
    expect(await stored()).toEqual([...planned, ...OBJECTS]);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({ phase: 'failed' });
  });

  it('that is refused has touched nothing: the tool is too old, an object is there', async () => {
    const { error } = await failed({ tools: { unfit: () => 'the tool is of 12' } });
    expect(error).toMatchObject({ code: 'tool-version', exitCode: 3 });
    await put(`${FOLDER}/dump.sql.zst`, "somebody else's");
    const { error: taken, record: left } = await failed({});
    expect(taken).toMatchObject({ code: 'object-exists', exitCode: 3 });
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await stored()).toEqual([`${FOLDER}/dump.sql.zst`]);
  });

  it('of some databases is on record as that, and refused where the tool takes all or one', async () => {
    const dump = { databases: ['orders', 'users'] };
    const { error } = await failed({ dump });
    expect(error).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('all databases of a server, or one'),
    });
    await registry.remove((await registry.get('shop', 'orders-db', ID)) ?? expect.fail('no record'));
    const asked: unknown[] = [];
    const unseen = async (_: unknown, { databases }: { readonly databases?: readonly string[] | undefined }) => {
      asked.push(databases);
      return [];
    };
    const taken = await take({ dump, tools: { several: true, unseen } });
    expect(taken.dump).toEqual({ tool: 'a tool of 17', some: ['orders', 'users'], image: 'postgres:17' });
    expect(asked).toEqual([['orders', 'users']]);
  });

  it('of a server that holds a part of the data alone is refused, where its tool takes no more', async () => {
    const others = async (): Promise<readonly { close(): Promise<void> }[]> => [
      { close: async () => void closed.push('one') },
      { close: async () => void closed.push('two') },
    ];
    const closed: string[] = [];
    const { error } = await failed({ tools: { ofOneServer: true }, others });
    expect(error).toMatchObject({ code: 'server-unsafe', exitCode: 3, message: expect.stringContaining('2 others') });
    expect(closed).toEqual(['one', 'two']);
  });

  it('of a server that is a part is refused before a session is opened, which may fail there for other reasons', async () => {
    const partOf = async (): Promise<string> => 'the server is a shard';
    const others = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    const { error } = await failed({ tools: { ofOneServer: true, partOf }, others });
    expect(error).toMatchObject({
      code: 'server-unsafe',
      exitCode: 3,
      message: expect.stringContaining('the server is a shard'),
      hint: expect.stringContaining('by snapshots'),
    });
  });

  it('of a server that knows others is taken, where its tool asks them too', async () => {
    const others = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    expect((await take({ others })).phase).toBe('succeeded');
  });

  it('in an image with musl is refused before anything else, which might fail there without saying why', async () => {
    await mkdir(join(folder, 'lib'));
    await writeFile(join(folder, 'lib', 'ld-musl-x86_64.so.1'), '');
    const versionOf = (): { program: string; args: readonly string[] } => ({ program: 'pg_nothing', args: [] });
    const situation = { root: folder, tools: { versionOf } };
    const { error } = await failed(situation);
    expect(error).toMatchObject({
      code: 'image-unsuitable',
      exitCode: 3,
      hint: expect.stringContaining('without -alpine'),
    });
    const findings = await doctorDump(contextOf(situation));
    expect(findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual([
      'image-unsuitable',
    ]);
  });

  it('without a tool in the image is refused, with what to do', async () => {
    const versionOf = (): { program: string; args: readonly string[] } => ({ program: 'pg_nothing', args: [] });
    expect((await failed({ tools: { versionOf } })).error).toMatchObject({ code: 'tool-missing', exitCode: 3 });
  });
});

describe('what earlier runs have left', () => {
  const pending = (change: Partial<BackupRecord>): BackupRecord =>
    record({ mode: 'dump', phase: 'pending', plannedObjects: [`${FOLDER}/dump.sql.zst`], ...change });

  it("is removed, and taken anew, where it is this Job's own", async () => {
    await registry.create(pending({ id: ID }));
    await put(`${FOLDER}/dump.sql.zst`, 'of an earlier pod');
    const taken = await take();
    expect(taken.warnings).toEqual([expect.stringContaining('an earlier pod')]);
    expect((await readFile(join(folder, 'store', FOLDER, 'dump.sql.zst'))).length).toBe(taken.objects?.[0]?.bytes);
  });

  it("is ended, and removed, where it is another Job's; snapshots are left to those who take them", async () => {
    const key = 'stillpoint/shop/orders-db/20261125041500/dump.sql.zst';
    await registry.create(pending({ id: '20261125041500', owner: { jobUid: 'job-0' }, plannedObjects: [key] }));
    await registry.create(record({ id: '20261124041500', phase: 'freezing', owner: { jobUid: 'job-00' } }));
    await put(key, 'of an earlier Job');
    await take();
    expect(await stored()).toEqual(OBJECTS);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'runner-lost' },
    });
    expect((await registry.get('shop', 'orders-db', '20261124041500'))?.record.phase).toBe('freezing');
  });

  it('is left to the pruner where the policy has had another storage since', async () => {
    const key = 'stillpoint/shop/orders-db/20261125041500/dump.sql.zst';
    const store = { kind: 'directory', directory: { path: join(folder, 'former') } };
    const lost = { id: '20261125041500', owner: { jobUid: 'job-0' }, plannedObjects: [key], store } as const;
    await registry.create(pending(lost));
    await put(key, "somebody else's, in the present storage");
    await take();
    expect(await stored()).toContain(key);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({
      phase: 'failed',
      plannedObjects: [key],
      leftovers: [key],
    });
  });

  it('is on record as left behind before any of it is removed, and not afterwards', async () => {
    const seen: (readonly string[] | undefined)[] = [];
    const store = (real: ObjectStore): ObjectStore => {
      const remove = real.delete.bind(real);
      real.delete = async (...args) => {
        seen.push((await registry.get('shop', 'orders-db', ID))?.record.leftovers);
        await remove(...args);
      };
      return putting(real, async (key, ...rest) => {
        if (key.endsWith('owner.yaml')) return await real.put(key, ...rest);
        throw new StillpointError('store-refused', 'full');
      });
    };
    const { record: left } = await failed({ store });
    expect(seen.map((keys) => keys?.toSorted())).toEqual([OBJECTS]);
    expect(left).not.toHaveProperty('leftovers');
  });

  it('is not removed by who lost it to another pod: what lies there may be that one`s', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        const there = await registry.get('shop', 'orders-db', ID);
        if (there !== undefined) await registry.update(there, { ...there.record, warnings: ['taken over'] });
        return await real.put(...args);
      });
    const { error } = await failed({ store });
    expect(error).toMatchObject({ code: 'record-conflict' });
    expect(await stored()).toContain(`${FOLDER}/dump.sql.zst`);
  });
});

describe('doctor', () => {
  it('says of a policy of dumps what would fail, and takes none', async () => {
    const findings = await doctorDump(contextOf({}));
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(findings.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['postgres 17.2', 'a tool of 17', 'can be reached, and nothing is in the way']),
    );
    expect(await stored()).toEqual([]);
    const broken = await doctorDump(contextOf({ tools: { versionOf: () => ({ program: 'pg_nothing', args: [] }) } }));
    expect(broken).toContainEqual(expect.objectContaining({ severity: 'error', code: 'tool-missing' }));
  });

  it('says where the lock of the store and the retention of the policy do not go together', async () => {
    const context = contextOf({});
    const { config } = context;
    const s3 = { bucket: 'backups', lock: { mode: 'GOVERNANCE', days: 30 } } as const;
    const locked = { ...config, spec: { ...config.spec, storage: { kind: 's3', s3 } as const } };
    const metadata = { name: config.metadata.name, namespace: 'shop' };
    const spec = { database: 'orders-db', timeZone: 'UTC', retention: { keepDaily: 7 } };
    const policy = { apiVersion: 'stillpoint.dev/v1', kind: 'Policy', metadata, spec } as unknown as Policy;
    const codes = async (policies: readonly Policy[]): Promise<readonly string[]> =>
      (await doctorDump({ ...context, config: locked, policies: { list: async () => policies } })).map(
        ({ code }) => code,
      );
    expect(await codes([policy])).toContain('lock-mismatch');
    expect(await codes([{ ...policy, metadata: { ...metadata, name: 'other' } }])).not.toContain('lock-mismatch');
  });

  it('knows a store by an earlier, shorter name, and a folder wherever it is mounted', async () => {
    const { objects = [], ...taken } = await take();
    const found = (await registry.get('shop', 'orders-db', ID)) ?? expect.fail('no record');
    await registry.update(found, { ...taken, objects, storeName: 'folder /elsewhere' });
    await rm(join(folder, 'store', objects[0]?.key ?? ''));
    const codes = (await doctorDump(contextOf({}))).map(({ code }) => code);
    expect(codes).toContain('dump-missing');
  });

  it('rule 9: finds what is in the store and not on record, and the other way round, and removes neither', async () => {
    const warnings = async (): Promise<readonly Finding[]> =>
      (await doctorDump(contextOf({}))).filter(({ severity }) => severity !== 'ok');
    const { objects = [] } = await take();
    // Of another database, whose name begins alike; and what is not called as we call backups.
    await put('stillpoint/shop/orders-db-2/20250101020000/dump.sql.zst', 'x');
    await put('stillpoint/shop/orders-db/by-hand/dump.sql.zst', 'x');
    // One that failed has a record: what it has left, the pruner removes.
    await registry.create(record({ id: '20250102020000', mode: 'dump', phase: 'failed' }));
    await put('stillpoint/shop/orders-db/20250102020000/dump.sql.zst', 'x');
    expect(await warnings()).toEqual([]);
    for (const file of ['dump.sql.zst', 'record.yaml']) await put(`kubedb/shop/orders-db/20250101020000/${file}`, 'x');
    await rm(join(folder, 'store', objects[0]?.key ?? ''));
    const before = await stored();
    expect(await warnings()).toMatchObject([
      {
        code: 'orphan-found',
        subject: 'backup shop/orders-db/20250101020000',
        message: expect.stringMatching(
          /^objects kubedb\S+\/dump\.sql\.zst, kubedb\S+\/record\.yaml are in .*no record/,
        ),
      },
      {
        code: 'dump-missing',
        subject: `backup shop/orders-db/${ID}`,
        message: expect.stringContaining(`${objects[0]?.key}`),
      },
    ]);
    expect(await stored()).toEqual(before);
  });
});
