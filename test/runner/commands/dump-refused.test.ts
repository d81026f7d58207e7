/** What a dump is refused for before it has touched anything, and what doctor says of that, and of the store, without taking one. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { doctorDump } from '../../../runner/commands/doctor-dump';
import type { Finding } from '../../../runner/ports';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { Policy } from '../../../src/contract';
import { record } from '../../support/record';
import { ID } from './dump-context';
import { Dumps, FOLDER } from './dump-fixture';

let dumps: Dumps;
let folder: string;
let registry: DirectoryRegistry;
beforeEach(async () => {
  dumps = await Dumps.create();
  ({ folder, registry } = dumps);
});
afterEach(() => dumps[Symbol.asyncDispose]());

describe('a dump', () => {
  it('for a recipient that is none is refused before anything is touched', async () => {
    const { error, record: left } = await dumps.failed({ dump: { recipients: [`age1${'q'.repeat(58)}`] } });
    expect(error).toMatchObject({ code: 'key-unusable', exitCode: 3 });
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await dumps.stored()).toEqual([]);
  });

  it('that is refused has touched nothing: the tool is too old, an object is there', async () => {
    const { error } = await dumps.failed({ tools: { unfit: () => 'the tool is of 12' } });
    expect(error).toMatchObject({ code: 'tool-version', exitCode: 3 });
    await dumps.put(`${FOLDER}/dump.sql.zst`, "somebody else's");
    const { error: taken, record: left } = await dumps.failed({});
    expect(taken).toMatchObject({ code: 'object-exists', exitCode: 3 });
    expect(left).not.toHaveProperty('plannedObjects');
    expect(await dumps.stored()).toEqual([`${FOLDER}/dump.sql.zst`]);
  });

  it('of some databases is on record as that, and refused where the tool takes all or one', async () => {
    const dump = { databases: ['orders', 'users'] };
    const { error } = await dumps.failed({ dump });
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
    const taken = await dumps.take({ dump, tools: { several: true, unseen } });
    expect(taken.dump).toEqual({ tool: 'a tool of 17', some: ['orders', 'users'], image: 'postgres:17' });
    expect(asked).toEqual([['orders', 'users']]);
  });

  it('of a server that holds a part of the data alone is refused, where its tool takes no more', async () => {
    const others = async (): Promise<readonly { close(): Promise<void> }[]> => [
      { close: async () => void closed.push('one') },
      { close: async () => void closed.push('two') },
    ];
    const closed: string[] = [];
    const { error } = await dumps.failed({ tools: { ofOneServer: true }, others });
    expect(error).toMatchObject({ code: 'server-unsafe', exitCode: 3, message: expect.stringContaining('2 others') });
    expect(closed).toEqual(['one', 'two']);
  });

  it('of a server that is a part is refused before a session is opened, which may fail there for other reasons', async () => {
    const partOf = async (): Promise<string> => 'the server is a shard';
    const others = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    const { error } = await dumps.failed({ tools: { ofOneServer: true, partOf }, others });
    expect(error).toMatchObject({
      code: 'server-unsafe',
      exitCode: 3,
      message: expect.stringContaining('the server is a shard'),
      hint: expect.stringContaining('by snapshots'),
    });
  });

  it('of a server that knows others is taken, where its tool asks them too', async () => {
    const others = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    expect((await dumps.take({ others })).phase).toBe('succeeded');
  });

  it('in an image with musl is refused before anything else, which might fail there without saying why', async () => {
    await mkdir(join(folder, 'lib'));
    await writeFile(join(folder, 'lib', 'ld-musl-x86_64.so.1'), '');
    const versionOf = (): { program: string; args: readonly string[] } => ({ program: 'pg_nothing', args: [] });
    const situation = { root: folder, tools: { versionOf } };
    const { error } = await dumps.failed(situation);
    expect(error).toMatchObject({
      code: 'image-unsuitable',
      exitCode: 3,
      hint: expect.stringContaining('without -alpine'),
    });
    const findings = await doctorDump(dumps.contextOf(situation));
    expect(findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual([
      'image-unsuitable',
    ]);
  });

  it('without a tool in the image is refused, with what to do', async () => {
    const versionOf = (): { program: string; args: readonly string[] } => ({ program: 'pg_nothing', args: [] });
    expect((await dumps.failed({ tools: { versionOf } })).error).toMatchObject({ code: 'tool-missing', exitCode: 3 });
  });
});

describe('doctor', () => {
  it('says of a policy of dumps what would fail, and takes none', async () => {
    const findings = await doctorDump(dumps.contextOf({}));
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(findings.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['postgres 17.2', 'a tool of 17', 'can be reached, and nothing is in the way']),
    );
    expect(await dumps.stored()).toEqual([]);
    const broken = await doctorDump(
      dumps.contextOf({ tools: { versionOf: () => ({ program: 'pg_nothing', args: [] }) } }),
    );
    expect(broken).toContainEqual(expect.objectContaining({ severity: 'error', code: 'tool-missing' }));
  });

  it('says where the lock of the store and the retention of the policy do not go together', async () => {
    const context = dumps.contextOf({});
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
    const { objects = [], ...taken } = await dumps.take();
    const found = (await registry.get('shop', 'orders-db', ID)) ?? expect.fail('no record');
    await registry.update(found, { ...taken, objects, storeName: 'folder /elsewhere' });
    await rm(join(folder, 'store', objects[0]?.key ?? ''));
    const codes = (await doctorDump(dumps.contextOf({}))).map(({ code }) => code);
    expect(codes).toContain('dump-missing');
  });

  it('rule 9: finds what is in the store and not on record, and the other way round, and removes neither', async () => {
    const warnings = async (): Promise<readonly Finding[]> =>
      (await doctorDump(dumps.contextOf({}))).filter(({ severity }) => severity !== 'ok');
    const { objects = [] } = await dumps.take();
    // Of another database, whose name begins alike; and what is not called as we call backups.
    await dumps.put('stillpoint/shop/orders-db-2/20250101020000/dump.sql.zst', 'x');
    await dumps.put('stillpoint/shop/orders-db/by-hand/dump.sql.zst', 'x');
    // One that failed has a record: what it has left, the pruner removes.
    await registry.create(record({ id: '20250102020000', mode: 'dump', phase: 'failed' }));
    await dumps.put('stillpoint/shop/orders-db/20250102020000/dump.sql.zst', 'x');
    expect(await warnings()).toEqual([]);
    for (const file of ['dump.sql.zst', 'record.yaml'])
      await dumps.put(`kubedb/shop/orders-db/20250101020000/${file}`, 'x');
    await rm(join(folder, 'store', objects[0]?.key ?? ''));
    const before = await dumps.stored();
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
    expect(await dumps.stored()).toEqual(before);
  });
});
