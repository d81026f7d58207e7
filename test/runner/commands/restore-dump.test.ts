/** A restore from a dump: a stand-in tool (a real child process), objects and records in real folders. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { RestoredDump } from '../../../runner/commands/restore-dump';
import { StillpointError } from '../../../runner/errors';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { EngineDump } from '../../../runner/tools/tool';
import type { BackupRecord, DumpRestoreConfig } from '../../../src/contract';
import { DumpRestores, dumped, FOLDER, ID, KEY, type Situation, SQL, STORED } from './restore-dump-fixture';

let restores: DumpRestores;
let folder: string;
let registry: DirectoryRegistry;
let said: string[];
beforeEach(async () => {
  restores = await DumpRestores.create();
  ({ folder, registry, said } = restores);
});
afterEach(() => restores[Symbol.asyncDispose]());

const put: DumpRestores['put'] = (...args) => restores.put(...args);
const given = (): Promise<string | undefined> => restores.given();
const restoring = (situation?: Situation): Promise<RestoredDump> => restores.restoring(situation);

describe('a restore from a dump', () => {
  it('gives the tool all of it, and says so', async () => {
    await registry.create(dumped());
    expect(await restoring()).toMatchObject({ record: { id: ID }, into: { version: '17.2' } });
    expect(await given()).toBe(SQL);
    expect(said).toEqual([
      `Normal Restoring: Restoring backup shop/orders-db/${ID}`,
      `Normal SuccessfulRestore: Backup shop/orders-db/${ID} restored`,
    ]);
  });

  it('goes by the record beside the dump where the registry has none, and by none of another backup', async () => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped()));
    await restoring();
    expect(await given()).toBe(SQL);
    await put(`${FOLDER}/record.yaml`, stringify(dumped({ database: 'others-db' })));
    await expect(restoring()).rejects.toMatchObject({ code: 'record-unreadable' });
  });

  it.each([
    ['registry-not-found', true],
    ['permission-missing', true],
    ['kubernetes-unreachable', false],
    ['record-unreadable', false],
  ] as const)('where the registry answers %s, goes by the record beside the dump: %j', async (code, goes) => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped()));
    const get = registry.get.bind(registry);
    registry.get = async () => {
      throw new StillpointError(code, 'no');
    };
    const restored = await restoring().then(
      () => true,
      (thrown: unknown) => (thrown as StillpointError).code,
    );
    registry.get = get;
    expect(restored).toBe(goes ? true : code);
    expect(await given()).toBe(goes ? SQL : undefined);
  });

  it('is refused where the record beside the dump is of none that succeeded', async () => {
    await put(`${FOLDER}/record.yaml`, stringify(dumped({ phase: 'failed' })));
    await expect(restoring()).rejects.toMatchObject({ code: 'backup-not-restorable', exitCode: 3 });
    expect(await given()).toBeUndefined();
  });

  it('of which nothing is known is refused', async () => {
    await expect(restoring()).rejects.toMatchObject({ code: 'backup-not-found', exitCode: 5 });
  });

  it.each<[string, Partial<BackupRecord>, string]>([
    ['failed', { phase: 'failed' }, 'backup-not-restorable'],
    ['is no dump', { mode: 'snapshot' }, 'backup-not-restorable'],
    ['is being deleted', { phase: 'deleting' }, 'backup-not-restorable'],
  ])('that %s is refused before the server is asked', async (_, change, code) => {
    await registry.create(dumped(change));
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    await expect(restoring({ open })).rejects.toMatchObject({ code, exitCode: 3 });
  });

  it('into a server that holds something is refused unless told', async () => {
    await registry.create(dumped());
    const tools = { destination: async () => ({ holds: ['database shop'], logins: [] }) };
    await expect(restoring({ tools })).rejects.toMatchObject({
      code: 'restore-exists',
      exitCode: 3,
      message: 'the server at orders-copy:5432 is not empty: database shop',
    });
    expect(await given()).toBeUndefined();
    await restoring({ tools, spec: { intoOccupied: true } });
    expect(await given()).toBe(SQL);
  });

  it('into a server that does not read what the tool has written is refused', async () => {
    await registry.create(dumped({ dump: { tool: 'a tool of 18' } }));
    const unreadable = (tool: string, server: { readonly version: string }): string => `${tool} into ${server.version}`;
    const run = restoring({ tools: { unreadable } });
    await expect(run).rejects.toMatchObject({ code: 'tool-version', exitCode: 3, message: 'a tool of 18 into 17.2' });
  });

  it('into a server of which nobody can tell whether it is empty is refused', async () => {
    await registry.create(dumped());
    await expect(restoring({ tools: { destination: undefined } as object })).rejects.toMatchObject({
      code: 'restore-exists',
    });
  });

  describe('whose bytes are others than the record says', () => {
    const other = { objects: dumped().objects?.map((object) => ({ ...object, plainSha256: 'a'.repeat(64) })) };

    it('fails, the tool never sees an end, and what to do with the server is said', async () => {
      await registry.create(dumped(other as Partial<BackupRecord>));
      await expect(restoring()).rejects.toMatchObject({
        code: 'stream-broken',
        exitCode: 7,
        hint: 'the server at orders-copy:5432 may hold a part of the dump: throw it away, and restore into a new one',
      });
      expect(await given()).toBeUndefined();
      expect(said.at(-1)).toMatch(/^Warning FailedRestore: .* \(stream-broken\)$/);
    });

    it('is found out before the server gets a byte, with checkFirst', async () => {
      await registry.create(dumped(other as Partial<BackupRecord>));
      const restore = (): never => {
        throw new Error('the tool runs');
      };
      const run = restoring({ spec: { checkFirst: true }, tools: { restore } });
      await expect(run).rejects.toMatchObject({ code: 'stream-broken', exitCode: 4 });
    });

    it('in number is found out first of all', async () => {
      await registry.create(dumped());
      await put(KEY, STORED.subarray(1));
      await expect(restoring()).rejects.toMatchObject({ code: 'stream-broken', exitCode: 4 });
    });
  });

  it('is refused in an image with musl, before the server is asked', async () => {
    await registry.create(dumped());
    await put('../lib/ld-musl-x86_64.so.1', '');
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    await expect(restoring({ open, root: folder })).rejects.toMatchObject({ code: 'image-unsuitable', exitCode: 3 });
  });

  it('of one database goes into one that is made where it is not there', async () => {
    await registry.create(dumped({ dump: { tool: 'a tool of 17', only: 'orders' } }));
    const asked: unknown[] = [];
    const tools: Partial<EngineDump> = {
      createDatabase: async (_, name) => void asked.push(`made ${name}`),
      destination: async (_, { database, outOf }) => {
        asked.push({ database, outOf });
        return { holds: [], logins: [] };
      },
    };
    await restoring({ tools });
    await restoring({ tools, spec: { into: 'second' } });
    expect(asked).toEqual([
      'made orders',
      { database: 'orders', outOf: undefined },
      'made second',
      { database: 'second', outOf: undefined },
    ]);
    await expect(restoring({ tools, spec: { only: 'others' } })).rejects.toMatchObject({ code: 'config-invalid' });
    expect(asked).toHaveLength(4);
  });

  describe('as the file of a server that has not started yet', () => {
    const spec = (): Partial<DumpRestoreConfig['spec']> => ({ file: { directory: join(folder, 'data') } });
    const file = { file: 'dump.rdb' };
    const open = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    beforeEach(async () => {
      await mkdir(join(folder, 'data', 'lost+found'), { recursive: true });
      await registry.create(dumped());
    });

    it('has its name and all its bytes; what an earlier attempt has left is no hindrance', async () => {
      await writeFile(join(folder, 'data', 'dump.rdb.partial'), 'of an earlier attempt');
      const path = join(folder, 'data', 'dump.rdb');
      expect(await restoring({ spec: spec(), tools: file, open })).toMatchObject({ into: { file: path } });
      expect(await readFile(path, 'utf8')).toBe(SQL);
      expect(said.at(-1)).toMatch(/^Normal SuccessfulRestore/);
    });

    it('is refused where a server has files of its own', async () => {
      await mkdir(join(folder, 'data', 'appendonlydir'));
      await expect(restoring({ spec: spec(), tools: file, open })).rejects.toMatchObject({
        code: 'restore-exists',
        exitCode: 3,
        message: expect.stringContaining('is not empty: appendonlydir'),
      });
    });

    it('leaves nothing where its bytes are others than the record says', async () => {
      await put(KEY, Buffer.from(STORED).fill(0, STORED.length - 4));
      await expect(restoring({ spec: spec(), tools: file, open })).rejects.toMatchObject({ code: 'stream-broken' });
      expect(await readdir(join(folder, 'data'))).toEqual(['lost+found']);
    });

    it('is refused of engines that take none, and where the folder is not ours', async () => {
      await expect(restoring({ spec: spec(), open })).rejects.toMatchObject({ code: 'config-invalid' });
      const elsewhere = { file: { directory: join(folder, 'nowhere') } };
      await expect(restoring({ spec: elsewhere, tools: file, open })).rejects.toMatchObject({ code: 'restore-failed' });
    });
  });

  it('waits for a server that is not there yet, and not for ever', async () => {
    await registry.create(dumped());
    let tries = 0;
    const open = async (): Promise<unknown> => {
      tries += 1;
      if (tries === 1) throw new StillpointError('server-unreachable', 'it is not up');
      return { server: { version: '17.2' }, close: async () => undefined };
    };
    await restoring({ open });
    expect(tries).toBe(2);
    const never = (): Promise<never> => Promise.reject(new StillpointError('server-unreachable', 'it is not up'));
    await expect(restoring({ open: never, spec: { waitSeconds: 0 } })).rejects.toMatchObject({
      code: 'server-unreachable',
    });
  });
});
