/** Copies of one instant, which crash recovery completes; and backups of a standby. */

import { appendFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engine } from '../../runner/engines/postgres';
import { LocalRestoreSite } from '../../runner/local/restore-site';
import { planFolders } from '../../runner/restore/folders';
import type { BackupRecord } from '../../src/contract';
import { sqlLedger } from '../ledger/sql';
import { compareLedger } from '../ledger/writer';
import { QuietLog } from '../support/quiet-log';
import { restoreInto } from './contract/engine-fixture';
import { POSTGRES_VERSIONS, type PostgresVersion } from './postgres-binaries';
import { PostgresFixture, postgresFixture } from './postgres-fixture';
import { PASSWORD, PostgresServer } from './postgres-server';
import { takeBackup } from './take-backup';

const never = new AbortController().signal;

/** A server that nobody writes to meanwhile: a copy of its folder is then what a snapshot of one instant would hold. */
describe.each(POSTGRES_VERSIONS)('PostgreSQL %i, everything on one atomic volume', (version) => {
  let fixture: PostgresFixture;
  let folder: string;

  beforeAll(async () => {
    fixture = await postgresFixture(version);
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-atomic-'));
  });
  afterAll(async () => {
    await fixture?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('restores by crash recovery alone: no label, the same timeline, every committed row', async () => {
    const ledger = await fixture.startLedger();
    await ledger.more(30);
    await ledger.stop();
    const record = await takeBackup(fixture, join(folder, 'snapshots'), {
      atomic: true,
      volumes: fixture.volumes.slice(0, 1),
    });
    expect(record).toMatchObject({ layout: 'atomic', artifacts: {} });
    expect(record.proof?.before.facts).toEqual(record.proof?.after.facts);
    const { inspection, ledger: rows } = await restoreInto(fixture, record, join(folder, 'restored'));
    expect(rows).toHaveLength(ledger.acknowledged);
    expect(inspection.findings.map(({ severity }) => severity)).toEqual(['ok', 'ok']);
    expect(inspection.identity.timeline).toBe(record.serverIdentity?.timeline);
  });

  it('may be asked to run a checkpoint first, which needs a right of its own', async () => {
    const asked = { atomic: true, volumes: fixture.volumes.slice(0, 1), options: { checkpoint: 'true' } };
    await expect(takeBackup(fixture, join(folder, 'refused'), asked)).rejects.toThrow('may not run CHECKPOINT');
    const superuser = fixture.target({ user: 'postgres', password: PASSWORD });
    const before = await checkpoints(fixture.server);
    await takeBackup(fixture, join(folder, 'checkpointed'), { ...asked, target: superuser });
    expect(await checkpoints(fixture.server)).not.toBe(before);
  });

  it('is told to be behind when the position of the record was not reached', async () => {
    const record = await takeBackup(fixture, join(folder, 'behind'), {
      atomic: true,
      volumes: fixture.volumes.slice(0, 1),
    });
    const later = { ...record, position: { ...record.position, lsn: 'F/0' } };
    const { inspection } = await restoreInto(fixture, later, join(folder, 'too-old'));
    expect(inspection.findings).toContainEqual(
      expect.objectContaining({ severity: 'error', code: 'restore-differs', subject: 'position' }),
    );
  });
});

async function checkpoints(server: PostgresServer): Promise<string | undefined> {
  const [row] = await server.query<{ lsn: string }>('SELECT checkpoint_lsn::text AS lsn FROM pg_control_checkpoint()');
  return row?.lsn;
}

/** Waits until a standby has replayed all that its primary has written so far. */
async function caughtUp(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [written] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
  for (let look = 0; look < 600; look++) {
    const [replayed] = await standby.query<{ all: boolean | string }>(
      `SELECT coalesce(pg_last_wal_replay_lsn() >= '${written?.lsn}', false)::text AS all`,
    );
    if (replayed?.all === 'true') return;
    await setTimeout(50);
  }
  throw new Error(`the standby has not replayed ${written?.lsn} in 30 s`);
}

describe.each([14, 18] as const)('a standby of PostgreSQL %i', (version) => {
  let primary: PostgresFixture;
  let standby: PostgresServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-standby-'));
    primary = await postgresFixture(version);
    standby = await standbyOf(primary, version, folder);
  });
  afterAll(async () => {
    await standby?.remove();
    await primary?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('is backed up while it replays: what it had replayed before the first cut is there', async () => {
    const ledger = await primary.startLedger();
    await ledger.more(50);
    await caughtUp(primary.server, standby);
    const fixture = new PostgresFixture(standby);
    const client = await standby.connect();
    const replayed = (await sqlLedger(client).numbers()).length;
    await client.end();
    const record = await takeBackup(fixture, join(folder, 'snapshots'), {
      meanwhile: () => ledger.more(50),
    });
    await ledger.stop();
    expect(record.serverIdentity?.role).toBe('standby');
    expect(record.artifacts?.backup_label).toContain('BACKUP FROM: standby');
    const restored = await restoreInto(fixture, record, join(folder, 'restored'));
    expect(restored.inspection.findings.map(({ severity }) => severity)).toEqual(['ok', 'ok']);
    expect(restored.ledger.length).toBeGreaterThanOrEqual(replayed);
    expect(compareLedger(ledger.rows, restored.ledger, { firstAsked: 0, lastSeen: Number.POSITIVE_INFINITY })).toEqual({
      present: restored.ledger.length,
      lost: [],
      foreign: [],
    });
    // It is a primary of its own, on a timeline that the standby does not have.
    expect(restored.inspection.identity).toMatchObject({ role: 'primary' });
    expect(Number(restored.inspection.identity.timeline)).toBeGreaterThan(Number(record.position?.timeline));
  });

  it('is copied at one instant too, and comes up as a server of its own', async () => {
    const fixture = new PostgresFixture(standby);
    const record = await takeBackup(fixture, join(folder, 'instant'), {
      atomic: true,
      volumes: fixture.volumes.slice(0, 1),
    });
    expect(record).toMatchObject({ layout: 'atomic', serverIdentity: { role: 'standby' } });
    const { inspection } = await restoreInto(fixture, record, join(folder, 'from-instant'));
    expect(inspection.findings.map(({ severity }) => severity)).toEqual(['ok', 'ok']);
    expect(Number(inspection.identity.timeline)).toBeGreaterThan(Number(record.position?.timeline));
  });

  it('rule 6: gives no backup when it is promoted in the middle, nor one to whoever looked at it before', async () => {
    const promoted = await standbyOf(primary, version, join(folder, 'promoted'));
    const fixture = new PostgresFixture(promoted);
    const waiting = await engine.open(fixture.target(), new QuietLog(), never);
    try {
      const backup = takeBackup(fixture, join(folder, 'spoilt'), {
        meanwhile: async () => {
          await promoted.query('SELECT pg_promote(true)');
        },
      });
      await expect(backup).rejects.toMatchObject({ code: 'proof-failed' });
      const plan = waiting.plan({
        id: '20260101000000',
        volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: 'shop' }],
        layout: 'atomic',
        groupClass: false,
        atomicStore: true,
        options: {},
      });
      await expect(plan.observe({ signal: never, remainingMs: () => 5_000 })).rejects.toMatchObject({
        code: 'server-changed',
        message: 'since the backup looked at the server role went from standby to primary',
      });
    } finally {
      await waiting.close();
      await promoted.remove();
    }
  });
});

/** A standby as anybody would make one: from a backup of the primary, with its label, and told whom to follow. */
async function standbyOf(primary: PostgresFixture, version: PostgresVersion, folder: string): Promise<PostgresServer> {
  const { server } = primary;
  const record: BackupRecord = await takeBackup(primary, join(folder, 'base'));
  const standby = await PostgresServer.onFolder(version, join('copy', 'data'));
  const site = new LocalRestoreSite({ engineOf: async () => engine, log: new QuietLog() });
  const plan = planFolders(record, join(standby.folder, 'copy'));
  await site.makeVolumes(plan, never);
  await chmod(join(standby.folder, 'copy'), 0o755);
  const write = async (name: string, content: string): Promise<void> => {
    await writeFile(join(standby.dataPath, name), content);
    await standby.secure(join(standby.dataPath, name));
  };
  await write('backup_label', record.artifacts?.backup_label ?? '');
  await write('standby.signal', '');
  const conninfo = `host=${server.host} port=${server.port} user=postgres password=${PASSWORD}`;
  await appendFile(join(standby.dataPath, 'postgresql.conf'), `primary_conninfo = '${conninfo}'\n`);
  await rm(join(standby.dataPath, 'postmaster.pid'));
  await standby.start('standby');
  return standby;
}
