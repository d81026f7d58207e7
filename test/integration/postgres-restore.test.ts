/** What makes a copy of PostgreSQL worth something, shown by what happens without it; and what detaches it. */
import {
  appendFile,
  chmod,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engine } from '../../runner/engines/postgres';
import { LocalRestoreSite } from '../../runner/local/restore-site';
import { planFolders } from '../../runner/restore/folders';
import type { BackupRecord } from '../../src/contract';
import { QuietLog } from '../support/quiet-log';
import { type PostgresFixture, postgresFixture } from './postgres-fixture';
import { PostgresServer } from './postgres-server';
import { takeBackup } from './take-backup';

const never = new AbortController().signal;

describe('a restored copy of PostgreSQL 17 with a tablespace and the log outside', () => {
  let fixture: PostgresFixture;
  let folder: string;
  let record: BackupRecord;
  let wal: string;
  let fast: string;

  beforeAll(async () => {
    fixture = await postgresFixture(17);
    const { server } = fixture;
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-restore-'));
    await chmod(folder, 0o755);
    fast = await server.makeFolder('fast');
    await server.stop();
    wal = await server.moveLog('wal');
    await server.configure({
      archive_mode: 'on',
      archive_command: 'false',
      synchronous_standby_names: '',
      max_logical_replication_workers: '4',
    });
    await server.start();
    await server.query(`CREATE TABLESPACE fast LOCATION '${fast}'`);
    await server.query('CREATE TABLE fast_table (n int) TABLESPACE fast');
    await server.query('INSERT INTO fast_table SELECT generate_series(1, 5000)');
    await server.query('CREATE TABLE moved (n int)');
    await server.query("SELECT pg_create_physical_replication_slot('somebody', true)");
    await server.query("ALTER SYSTEM SET primary_conninfo = 'host=elsewhere password=hunter2'");
    record = await takeBackup(fixture, join(folder, 'snapshots'), {
      volumes: [
        { name: 'data', role: 'data', directory: server.dataPath },
        { name: 'wal', role: 'log', directory: wal },
        { name: 'fast', role: 'tablespace', directory: fast },
      ],
      // While the data are cut: the copy holds pages that are older than the log, and some that are newer.
      meanwhile: async () => {
        await server.query('INSERT INTO moved SELECT generate_series(1, 20000)');
        await server.query('INSERT INTO fast_table SELECT generate_series(5001, 6000)');
        await server.query('CHECKPOINT');
        await server.query('CREATE TABLE later AS SELECT generate_series(1, 100) AS n');
      },
    });
  });
  afterAll(async () => {
    await fixture?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const restored = async (name: string): Promise<{ readonly target: string; readonly dataPath: string }> => {
    const target = join(folder, name);
    const site = new LocalRestoreSite({ engineOf: async () => engine, log: new QuietLog() });
    const plan = planFolders(record, target);
    await site.check(plan);
    await site.makeVolumes(plan, never);
    const { dataPath } = await site.prepare(plan);
    await site.finish(plan);
    return { target, dataPath };
  };
  const started = async <T>(dataPath: string, look: (server: PostgresServer) => Promise<T>): Promise<T> => {
    const server = await PostgresServer.onFolder(17, 'unused');
    const copy = server.at(dataPath);
    try {
      await copy.start();
      return await look(copy);
    } finally {
      await copy.remove();
    }
  };

  it('holds what was committed during the backup, in every volume, on a timeline of its own', async () => {
    const { dataPath, target } = await restored('whole');
    const found = await started(dataPath, async (copy) => ({
      moved: await copy.query('SELECT count(*)::int AS n FROM moved'),
      fast: await copy.query('SELECT count(*)::int AS n FROM fast_table'),
      later: await copy.query('SELECT count(*)::int AS n FROM later'),
      where: await copy.query("SELECT pg_tablespace_location(oid) AS path FROM pg_tablespace WHERE spcname = 'fast'"),
      timeline: await copy.query('SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS id'),
    }));
    expect(found.moved).toEqual([{ n: 20_000 }]);
    expect(found.fast).toEqual([{ n: 6_000 }]);
    expect(found.later).toEqual([{ n: 100 }]);
    expect(found.where).toEqual([{ path: join(target, 'fast') }]);
    expect(found.timeline).toEqual([{ id: '00000002' }]);
    // The original's own tablespace and log were not touched by any of it.
    expect(await fixture.server.query('SELECT count(*)::int AS n FROM fast_table')).toEqual([{ n: 6_000 }]);
    expect(await readlink(join(dataPath, 'pg_wal'))).toBe(join(target, 'wal'));
  });

  it('is not whole without its label: it refuses to start, or lacks committed rows', async () => {
    const { dataPath } = await restored('unlabelled');
    await unlink(join(dataPath, 'backup_label'));
    await unlink(join(dataPath, 'recovery.signal'));
    const rows = await started(dataPath, (copy) =>
      copy.query<{ n: number }>('SELECT count(*)::int AS n FROM fast_table'),
    ).catch(() => 'refused to start or to answer');
    expect(rows).not.toEqual([{ n: 6_000 }]);
  });

  it('rule 13: reaches out to nobody: no archive, no replication, no subscriptions, no slots, no standbys waited for', async () => {
    const { dataPath } = await restored('detached');
    const settings = await started(dataPath, async (copy) => ({
      of: await copy.query<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_settings WHERE name IN ('archive_mode', 'primary_conninfo',
           'max_logical_replication_workers', 'synchronous_standby_names', 'restore_command') ORDER BY name`,
      ),
      slots: await copy.query('SELECT slot_name FROM pg_replication_slots'),
    }));
    expect(Object.fromEntries(settings.of.map(({ name, setting }) => [name, setting]))).toEqual({
      archive_mode: 'off',
      max_logical_replication_workers: '0',
      primary_conninfo: '',
      restore_command: 'false',
      synchronous_standby_names: '',
    });
    expect(settings.slots).toEqual([]);
    expect(await readFile(join(dataPath, 'postgresql.auto.conf'), 'utf8')).not.toContain('hunter2');
    expect(await readdir(dataPath)).not.toContain('standby.signal');
  });

  it('recovers with lower limits than the original had, too', async () => {
    const { dataPath } = await restored('limited');
    await appendFile(join(dataPath, 'postgresql.conf'), "max_connections = '10'\n");
    const rows = await started(dataPath, (copy) => copy.query('SELECT count(*)::int AS n FROM later'));
    expect(rows).toEqual([{ n: 100 }]);
  });

  it('is prepared once: a copy whose server has run never gets its label again', async () => {
    const { dataPath, target } = await restored('twice');
    await started(dataPath, (copy) => copy.query('INSERT INTO later VALUES (101)'));
    const mounted = record.volumes.map(({ name, role }) => ({ name, role, path: join(target, name) }));
    const again = await engine.restore.prepare(mounted, record, new QuietLog());
    expect(again.done.join()).toContain('before');
    expect(await readdir(dataPath)).not.toContain('backup_label');
    expect(await started(dataPath, (copy) => copy.query('SELECT count(*)::int AS n FROM later'))).toEqual([{ n: 101 }]);
  });

  it('keeps the owner and the modes of its files', async () => {
    const { dataPath } = await restored('owned');
    for (const name of ['PG_VERSION', 'backup_label', 'recovery.signal', 'postgresql.auto.conf']) {
      const { uid, mode } = await lstat(join(dataPath, name));
      expect({ name, uid, mode: mode & 0o777 }).toEqual({ name, uid: fixture.server.uid, mode: 0o600 });
    }
    expect((await lstat(dataPath)).mode & 0o777).toBe(0o700);
  });

  it('is refused when it is of another database, and nothing is changed on it', async () => {
    const { dataPath, target } = await restored('foreign');
    await unlink(join(dataPath, 'stillpoint.prepared'));
    const other = { ...record, serverIdentity: { ...record.serverIdentity, systemIdentifier: '1' } };
    const mounted = record.volumes.map(({ name, role }) => ({ name, role, path: join(target, name) }));
    const before = await readdir(dataPath);
    await expect(engine.restore.prepare(mounted, other, new QuietLog())).rejects.toMatchObject({
      code: 'restore-differs',
    });
    expect(await readdir(dataPath)).toEqual(before);
  });

  it('is refused when a link leads out of its volumes, even if something is there', async () => {
    const { dataPath, target } = await restored('astray');
    await unlink(join(dataPath, 'stillpoint.prepared'));
    await unlink(join(dataPath, 'pg_wal'));
    const elsewhere = await mkdtemp(join(folder, 'elsewhere-'));
    await symlink(elsewhere, join(dataPath, 'pg_wal'));
    const mounted = record.volumes.map(({ name, role }) => ({ name, role, path: join(target, name) }));
    await expect(engine.restore.prepare(mounted, record, new QuietLog())).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining(elsewhere),
    });
  });

  it('is refused when its log is not there', async () => {
    const { dataPath, target } = await restored('logless');
    await unlink(join(dataPath, 'stillpoint.prepared'));
    for (const name of await readdir(join(target, 'wal'))) await rm(join(target, 'wal', name), { recursive: true });
    const mounted = record.volumes.map(({ name, role }) => ({ name, role, path: join(target, name) }));
    await expect(engine.restore.prepare(mounted, record, new QuietLog())).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining('no write-ahead log'),
    });
  });

  it('is refused when a foreign backup_label lies in it', async () => {
    const { dataPath, target } = await restored('labelled');
    await unlink(join(dataPath, 'stillpoint.prepared'));
    await writeFile(join(dataPath, 'backup_label'), 'START WAL LOCATION: 0/0 (file x)\nLABEL: somebody\n');
    const mounted = record.volumes.map(({ name, role }) => ({ name, role, path: join(target, name) }));
    await expect(engine.restore.prepare(mounted, record, new QuietLog())).rejects.toMatchObject({
      code: 'restore-failed',
    });
  });
});
