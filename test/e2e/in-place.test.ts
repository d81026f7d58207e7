/** Restores in place: the database's own claims get other volumes, and get their own back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, read } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf } from './harness/records';
import { type Answer, stillpoint } from './harness/stillpoint';

let namespace: TestNamespace;
let server: TestPostgres;
let policy: TestPolicy;
let record: BackupRecord;

beforeAll(async () => {
  namespace = await makeNamespace('in-place');
  server = await startPostgres({
    namespace: namespace.name,
    version: '17',
    separateWal: true,
    settings: [
      'archive_mode=on',
      'archive_command=test ! -f /tmp/archive/%f && mkdir -p /tmp/archive && cp %p /tmp/archive/%f',
    ],
  });
  await write('CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS number');
  await write(`ALTER SYSTEM SET archive_timeout = '77min'`);
  policy = await applyPolicy(server, { separateWal: true });
  record = succeeded(await takeBackup(policy));
  await write('INSERT INTO ledger SELECT generate_series(1001, 1500)');
});

afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

async function write(sql: string): Promise<void> {
  const client = await server.connect();
  await client.query(sql);
  await client.end();
}

async function ask(sql: string): Promise<string> {
  const client = await server.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql);
  await client.end();
  return String(Object.values(rows[0] ?? {})[0]);
}

function restore(...args: readonly string[]): Promise<Answer> {
  return stillpoint('restore', ...args, '--in-place', '-n', namespace.name);
}

async function volumeOf(claim: string): Promise<string> {
  return (await read(KINDS.claim, claim, namespace.name))?.spec.volumeName;
}

describe('a PostgreSQL in a StatefulSet', () => {
  test('says every step, and does none of them with --dry-run or without a yes', async () => {
    const before = await volumeOf('data-orders-db-0');
    for (const [args, exitCode] of [
      [['--dry-run'], 0],
      [[], 3],
    ] as const) {
      const said = await restore(record.id, ...args);
      expect(said, said.stderr).toMatchObject({ exitCode });
      expect(said.stdout + said.stderr).toContain(`StatefulSet ${namespace.name}/orders-db`);
      expect(said.stdout + said.stderr).toMatch(
        /keep the present volume of data-orders-db-0 as claim data-orders-db-0-before-\d{14} \(Retain\)/,
      );
      expect(said.stdout + said.stderr).toContain('scale StatefulSet orders-db from 1 to 0');
    }
    expect(await volumeOf('data-orders-db-0')).toBe(before);
    expect((await read(KINDS.volume, before))?.spec.persistentVolumeReclaimPolicy).toBe('Delete');
  });

  test('rule 12: goes back to the rows of the backup; what was there is kept, and comes back', async () => {
    const before = [await volumeOf('data-orders-db-0'), await volumeOf('wal-orders-db-0')];
    const restored = await restore('latest', '--yes', '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const { operation, undo } = JSON.parse(restored.stdout);
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1000');
    const kept = operation.volumes.map(({ kept: { present } }: { kept: { present: string } }) => present);
    expect(await Promise.all(kept.map(volumeOf))).toEqual(before);
    // It is the original again, and no copy of it.
    expect(await ask('SHOW archive_command')).toContain('/tmp/archive');
    expect(await ask('SHOW archive_timeout')).toBe('77min');
    expect(await ask('SELECT pg_walfile_name(pg_current_wal_lsn())')).toMatch(/^00000002/);
    await write('INSERT INTO ledger VALUES (9999)');
    expect((await recordsOf(policy)).map(({ phase }) => phase)).toEqual(['succeeded', 'succeeded']);

    const [, ...args] = undo.split(' ');
    const undone = await stillpoint(...args, '--yes');
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1500');
    expect(await Promise.all(['data-orders-db-0', 'wal-orders-db-0'].map(volumeOf))).toEqual(before);
    expect(await ask('SELECT pg_walfile_name(pg_current_wal_lsn())')).toMatch(/^00000001/);
  });
});
