/** `stillpoint restore --from`: a real dump, out of a folder that is all that is left, into a real server; no cluster, no registry. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RestoreCommandOptions } from '../../runner/cli/restore';
import { systemClock } from '../../runner/clock';
import { takeDump } from '../../runner/commands/dump';
import type { Target } from '../../runner/engine';
import { engine } from '../../runner/engines/postgres';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { restoreFromStore } from '../../runner/wiring/restore-from-store';
import type { World } from '../../runner/wiring/world';
import { dumpContext, ID } from '../runner/commands/dump-context';
import type { KilledRestore } from '../support/killed-restore';
import { QuietLog } from '../support/quiet-log';
import { PASSWORD, PostgresServer } from './postgres-server';

/** The clients of the machine, where Debian's packages put them: the servers that npm brings come without. */
const CLIENTS = globSync('/usr/lib/postgresql/*/bin/pg_dumpall').map((tool) => dirname(tool))[0];
const RUNNER = fileURLToPath(new URL('../support/killed-restore.ts', import.meta.url));
const DUMP = `stillpoint/shop/orders-db/${ID}/dump.sql.zst`;

/** Whether a psql is there that works with the server of a port. */
function psqlRuns(port: number): boolean {
  return globSync('/proc/[0-9]*').some((of) => {
    try {
      return (
        readFileSync(`${of}/comm`, 'utf8').startsWith('psql') &&
        readFileSync(`${of}/environ`, 'utf8').includes(`PGPORT=${port}\0`)
      );
    } catch {
      return false;
    }
  });
}

describe.skipIf(CLIENTS === undefined)('a bucket alone is enough to restore, where the machine has the tools', () => {
  const PATH = [CLIENTS, process.env.PATH].join(delimiter);
  let folder: string;
  let original: PostgresServer;
  let copy: PostgresServer;
  let world: World;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-from-'));
    await mkdir(join(folder, 'records'));
    await writeFile(join(folder, 'password'), `${PASSWORD}\n`);
    original = await PostgresServer.create({ version: 14 });
    await original.query('create table t as select md5(n::text) as word from generate_series(1, 50000) n');
    const storage = { kind: 'directory', directory: { path: join(folder, 'store') } } as const;
    await mkdir(storage.directory.path);
    const registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
    const target: Target = {
      connection: { host: original.host, port: original.port, usernameFile: '' },
      username: 'postgres',
      password: PASSWORD,
      tls: undefined,
    };
    const context = dumpContext({ storage, registry, said: [] }, {});
    await takeDump({ ...context, engine, readTarget: async () => target, environment: { ...process.env, PATH } });
    // All that is left is the store.
    await rm(join(folder, 'records'), { recursive: true });
    await original.stop();
  }, 120_000);
  afterAll(async () => {
    await original?.remove();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    copy = await PostgresServer.create({ version: 17 });
    world = {
      clock: systemClock,
      log: new QuietLog(),
      signal: new AbortController().signal,
      // Whoever restores may have another server of theirs in the environment: nothing goes there.
      env: { PATH, PGHOSTADDR: '192.0.2.1', PGSERVICE: 'elsewhere', PGDATABASE: 'elsewhere' },
      version: 'test',
    };
    return () => copy.remove();
  }, 120_000);

  const typed = (): Parameters<typeof restoreFromStore>[1] => ({
    registry: 'stillpoint',
    output: 'table',
    timeout: 100_000,
    from: `file://${folder}/store`,
    host: copy.host,
    port: copy.port,
    user: 'postgres',
    passwordFile: join(folder, 'password'),
  });
  const restoring = (more: Partial<RestoreCommandOptions> = {}): Promise<string> =>
    restoreFromStore('shop/orders-db/latest', { ...typed(), ...more, from: typed().from }, world);
  const rows = async (): Promise<unknown> => (await copy.query('select count(*)::int as rows from t'))[0];

  it('into an empty server, and into no other unless told', async () => {
    expect(await restoring({ checkFirst: true })).toBe(`backup shop/orders-db/${ID} restored into ${copy.host}\n`);
    expect(await rows()).toMatchObject({ rows: 50_000 });
    await expect(restoring()).rejects.toMatchObject({ code: 'restore-exists', exitCode: 3 });
    // Told to, it runs, and fails where both have the same.
    await expect(restoring({ intoOccupied: true })).rejects.toMatchObject({ code: 'tool-failed', exitCode: 7 });
  }, 60_000);

  it('one database of it, into one of another name', async () => {
    await copy.query('create table t (mine int)');
    await restoring({ database: 'postgres', intoDatabase: 'monday' });
    const tables = "select count(*)::int as found from pg_database where datname = 'monday'";
    expect((await copy.query(tables))[0]).toMatchObject({ found: 1 });
    expect(await rows()).toMatchObject({ rows: 0 });
  }, 60_000);

  it('a runner that is killed in the middle leaves no half of a database', async () => {
    const told: KilledRestore = {
      storage: { kind: 'directory', directory: { path: join(folder, 'store') } },
      backup: { namespace: 'shop', database: 'orders-db', id: ID },
      goal: { only: 'postgres', into: 'monday' },
      server: { host: copy.host, port: copy.port, password: PASSWORD },
    };
    const child = spawn(process.execPath, ['--import', 'tsx', RUNNER, JSON.stringify(told)], {
      env: { PATH },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    expect((await once(child, 'close'))[1]).toBe('SIGKILL');
    // psql reads what is in its pipe to the end, and ends too.
    await vi.waitUntil(() => !psqlRuns(copy.port), { timeout: 50_000, interval: 50 });
    // The database is there, and holds nothing: so the next attempt is not refused for what the first has left.
    expect(await restoring({ database: 'postgres', intoDatabase: 'monday' })).toContain('restored into');
  }, 60_000);

  it('with other bytes than its record says nothing is restored', async () => {
    const path = join(folder, 'store', DUMP);
    const good = await readFile(path);
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(bad.length - 1) ^ 1, bad.length - 1);
    await writeFile(path, bad);
    try {
      await expect(restoring({ checkFirst: true })).rejects.toMatchObject({ code: 'stream-broken', exitCode: 4 });
      await expect(rows()).rejects.toThrow('does not exist');
      // The tool may have had some of it by then: it is never declared good.
      await expect(restoring()).rejects.toMatchObject({ code: 'stream-broken', exitCode: 7 });
    } finally {
      await writeFile(path, good);
    }
  }, 60_000);

  it('a store that is not there, and a server that is not, are said so at once', async () => {
    const elsewhere = restoreFromStore('latest', { ...typed(), from: `file://${folder}/prod` }, world);
    await expect(elsewhere).rejects.toMatchObject({ code: 'bucket-not-found' });
    await expect(restoring({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('PostgreSQL takes no dump as a file', async () => {
    const into = join(folder, 'data');
    await mkdir(into);
    const { host: _, port: __, user: ___, passwordFile: ____, ...none } = typed();
    const asFile = restoreFromStore('shop/orders-db/latest', { ...none, directory: into }, world);
    await expect(asFile).rejects.toMatchObject({ code: 'config-invalid' });
    expect(await readdir(into)).toEqual([]);
  });
});
