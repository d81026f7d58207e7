/** Dumps of a Neo4j's files, and back: a stand-in for its programs (real child processes), all else as it is. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { doctorDump } from '../../../runner/commands/doctor-dump';
import { type DumpContext, takeDump } from '../../../runner/commands/dump';
import { type RestoredDump, restoreDump } from '../../../runner/commands/restore-dump';
import type { RestoreDumpContext } from '../../../runner/commands/restore-dump-context';
import { engine } from '../../../runner/engines/neo4j';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import type { BackupRecord, DumpRestoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { dumpContext, ID } from './dump-context';

const STORE = 'five thousand persons\n';
const KEY = `stillpoint/shop/orders-db/${ID}/dump.dump`;

let folder: string;
let data: string;
let registry: DirectoryRegistry;
let environment: Record<string, string>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-neo4j-dump-'));
  data = join(folder, 'data');
  for (const each of ['store', 'records', 'bin', 'copy', 'data']) await mkdir(join(folder, each));
  registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
  environment = { PATH: join(folder, 'bin') };
  const standin = pathToFileURL(join(import.meta.dirname, '../../support/neo4j-files-standin.mjs')).href;
  for (const program of ['neo4j', 'neo4j-admin']) {
    const path = join(folder, 'bin', program);
    await writeFile(path, `#!${process.execPath}\nimport(${JSON.stringify(standin)});\n`);
    await chmod(path, 0o755);
  }
  await has('neo4j', 'store', STORE);
  await has('system', 'store', 'users\n');
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes a file into the folder of a database. */
async function has(database: string, file: string, text = ''): Promise<void> {
  const path = join(data, 'databases', database, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

function context(change: { readonly only?: string; readonly check?: boolean } = {}): DumpContext {
  const { only = 'neo4j', check = true } = change;
  const storage = { kind: 'directory', directory: { path: join(folder, 'store') } } as const;
  const usual = dumpContext({ storage, registry, said: [] }, {});
  const { connection: _, ...spec } = usual.config.spec;
  const dump = { compression: 'none', layout: 'stillpoint', only, files: { directory: data, check } } as const;
  return {
    ...usual,
    engine,
    environment,
    config: { ...usual.config, spec: { ...spec, engine: 'neo4j', dump } },
    readTarget: async () => {
      throw new Error('no server is asked');
    },
  };
}

async function failing(change?: Parameters<typeof context>[0]): Promise<BackupRecord['error']> {
  await expect(takeDump(context(change))).rejects.toThrow();
  const found = await registry.get('shop', 'orders-db', ID);
  expect(found?.record.phase).toBe('failed');
  expect(await readdir(join(folder, 'store'), { recursive: true })).not.toContain(KEY);
  return found?.record.error;
}

const stored = (): Promise<string> => readFile(join(folder, 'store', KEY), 'utf8');

describe('a dump of files', () => {
  it('is what the tool wrote, of the database that was named, with where its log ended', async () => {
    const record = await takeDump(context());
    expect(await stored()).toBe(`DZV1${STORE}`);
    expect(record).toMatchObject({
      phase: 'succeeded',
      engine: 'neo4j',
      position: { transaction: '9' },
      dump: { tool: '5.26.30', only: 'neo4j' },
      objects: [{ key: KEY, compression: 'none' }],
    });
    expect(record.serverVersion).toBeUndefined();
  });

  it('of another database has that one', async () => {
    const record = await takeDump(context({ only: 'system' }));
    expect([await stored(), record.dump?.only]).toEqual(['DZV1users\n', 'system']);
  });

  it('as a crash leaves them is taken when a server has completed them', async () => {
    await has('neo4j', 'dirty');
    await has('system', 'dirty');
    expect((await takeDump(context())).position).toEqual({ transaction: '9' });
    expect(await stored()).toBe(`DZV1${STORE}`);
  });

  it('does not fail by the name that a server has not come to write for itself', async () => {
    await writeFile(join(data, 'server_id'), '');
    await takeDump(context());
    expect(await readdir(data)).not.toContain('server_id');
  });

  it('keeps the name that a server has', async () => {
    await writeFile(join(data, 'server_id'), 'abc');
    await takeDump(context());
    expect(await readFile(join(data, 'server_id'), 'utf8')).toBe('abc');
  });

  it.each([
    ['that a server has open', ['open'], 'tool-failed', "database 'neo4j' is in use"],
    ['that no server completes', ['dirty', 'hopeless'], 'tool-failed', 'as incomplete as before'],
    ['on which no server starts', ['dirty', 'refuses'], 'tool-failed', 'Failed to start Neo4j'],
    ['that are inconsistent', ['broken'], 'tool-failed', 'Inconsistencies found: 1'],
    ['with words in it that are none of a dump', ['babbles'], 'tool-failed', 'it begins with "Star"'],
    ['whose tool fails at the end', ['stops'], 'tool-failed', 'no space left'],
  ])('%s fails, and leaves nothing', async (_, files, code, message) => {
    for (const file of files) await has('neo4j', file);
    expect(await failing()).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('of a database that is not there fails, and says so without the words that nobody needs', async () => {
    const error = await failing({ only: 'orders' });
    expect(error?.message).toMatch(/Database does not exist: 'orders'/);
    expect(error?.message).not.toMatch(/--verbose/);
  });

  it('is taken unchecked where that is wanted', async () => {
    await has('neo4j', 'broken');
    expect((await takeDump(context({ check: false }))).phase).toBe('succeeded');
  });

  it('is looked at by doctor beforehand, and nothing is completed', async () => {
    await has('neo4j', 'dirty');
    const policies = { list: async () => [], get: async () => undefined } as never;
    const findings = await doctorDump({ ...context(), policies });
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'ok', message: 'neo4j' }));
    expect(findings).toContainEqual(expect.objectContaining({ subject: "the engine's tool", message: '5.26.30' }));
    expect(await readdir(join(data, 'databases', 'neo4j'))).toContain('dirty');
  });
});

describe('a restore of such a dump', () => {
  let target: string;
  beforeEach(() => {
    target = join(folder, 'copy');
  });

  function restoring(
    change: Partial<DumpRestoreConfig['spec']> = {},
    more: Partial<RestoreDumpContext> = {},
  ): Promise<RestoredDump> {
    const dump = context();
    return restoreDump({
      ...dump,
      config: {
        apiVersion: 'stillpoint.dev/v1',
        kind: 'DumpRestoreConfig',
        metadata: { name: 'graph-copy-restore', namespace: 'shop' },
        spec: {
          backup: { namespace: 'shop', database: 'orders-db', id: ID },
          file: { directory: target },
          storage: dump.config.spec.storage,
          registry: {},
          ...change,
        },
      },
      uses: new DirectoryUses(registry),
      engineNamed: async () => engine,
      readIdentities: async () => undefined,
      ...more,
    });
  }

  const files = async (): Promise<readonly string[]> =>
    (await readdir(target, { recursive: true, withFileTypes: true }))
      .map((entry) => join(entry.parentPath, entry.name).slice(target.length + 1))
      .sort();

  const PLACED = ['databases', 'databases/neo4j', 'databases/neo4j/store', 'transactions', 'transactions/neo4j'];

  it('has the files where a server looks, and nothing besides', async () => {
    await takeDump(context());
    const { into } = await restoring();
    expect(into).toEqual({ file: join(target, 'databases/neo4j') });
    expect(await files()).toEqual(PLACED);
    expect(await readFile(join(target, 'databases/neo4j/store'), 'utf8')).toBe(STORE);
  });

  it('comes back under another name, beside one that was restored before', async () => {
    await takeDump(context());
    await restoring();
    await restoring({ into: 'orders' });
    expect(await readdir(join(target, 'databases'))).toEqual(['neo4j', 'orders']);
  });

  it.each([
    ['the database is there', 'databases/neo4j/store', 'the database neo4j'],
    ['its transactions are there', 'transactions/neo4j/neostore.transaction.db.0', 'the database neo4j'],
    ['a server has started', 'server_id', 'server_id'],
  ])('is refused where %s, and changes nothing', async (_, file, holds) => {
    await takeDump(context());
    await mkdir(dirname(join(target, file)), { recursive: true });
    await writeFile(join(target, file), 'mine');
    const before = await files();
    await expect(restoring()).rejects.toMatchObject({
      code: 'restore-exists',
      message: expect.stringContaining(`is not empty: ${holds}`),
    });
    expect(await files()).toEqual(before);
  });

  it.each([
    ['is cut short', `DZV1${STORE.slice(0, 5)}`],
    ['is longer', `DZV1${STORE}${STORE}`],
    ['has another byte', `DZV1${STORE.replace('five', 'nine')}`],
    ['is no dump', STORE],
  ])('of what %s places nothing', async (_, text) => {
    await takeDump(context());
    await writeFile(join(folder, 'store', KEY), text);
    await expect(restoring()).rejects.toMatchObject({ code: 'stream-broken' });
    expect(await files()).toEqual([]);
  });

  it('checked first is not even begun when a byte is another', async () => {
    await takeDump(context());
    await writeFile(join(folder, 'store', KEY), `DZV1${STORE.replace('five', 'nine')}`);
    // Whoever asks the tool anything at all would fail otherwise.
    environment = { PATH: '/nowhere' };
    await expect(restoring()).rejects.toMatchObject({ code: 'tool-missing' });
    await expect(restoring({ checkFirst: true })).rejects.toMatchObject({ code: 'stream-broken' });
  });

  it('takes away what an attempt that was killed has left, placed in part or not', async () => {
    await takeDump(context());
    await mkdir(join(target, '.stillpoint-restore-neo4j/databases/neo4j'), { recursive: true });
    await writeFile(join(target, '.stillpoint-restore-neo4j/databases/neo4j/store'), 'half');
    await mkdir(join(target, 'transactions/neo4j'), { recursive: true });
    await writeFile(join(target, 'transactions/neo4j/old'), 'of the earlier attempt');
    await restoring();
    expect(await files()).toEqual(PLACED);
    expect(await readFile(join(target, 'databases/neo4j/store'), 'utf8')).toBe(STORE);
  });
});
