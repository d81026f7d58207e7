/** The engine suite's view of a PostgreSQL server, and the rights that a backup user has in it: no more than these. */
import { readFileSync } from 'node:fs';
import { chmod, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { EngineSession, Target } from '../../runner/engine';
import { engine } from '../../runner/engines/postgres';
import { APPLICATION_NAME } from '../../runner/engines/postgres/connection';
import type { BackupRecord } from '../../src/contract';
import { sqlLedger } from '../ledger/sql';
import { LedgerWriter } from '../ledger/writer';
import type { EngineFixture } from './contract/engine-fixture';
import { type PostgresVersion, postgresFolder } from './postgres-binaries';
import { PostgresServer } from './postgres-server';

/** The user that backups are taken as: not a superuser. */
export const BACKUP_USER = { name: 'stillpoint_backup', password: 'backup-5b1e-secret' } as const;

/** What docs/postgres.md tells people to run for such a user: the suites hold that it is enough. */
export function grants(version: PostgresVersion): readonly string[] {
  const page = readFileSync(new URL('../../docs/postgres.md', import.meta.url), 'utf8');
  const [newer = [], upTo14 = []] = [...page.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, block = '']) =>
    block.trim().split('\n'),
  );
  const statements = version <= 14 ? [...newer.slice(0, -1), ...upTo14] : newer;
  return statements.map((sql) =>
    sql.replace(/\bstillpoint\b/g, BACKUP_USER.name).replace('change-me', BACKUP_USER.password),
  );
}

/** A server with a backup user, ready for the suite. */
export async function postgresFixture(version: PostgresVersion): Promise<PostgresFixture> {
  const server = await PostgresServer.create({ version });
  for (const sql of grants(version)) await server.query(sql);
  return new PostgresFixture(server);
}

export class PostgresFixture implements EngineFixture {
  readonly engine = engine;

  constructor(readonly server: PostgresServer) {}

  get volumes(): EngineFixture['volumes'] {
    return [
      { name: 'data', role: 'data', directory: this.server.dataPath },
      { name: 'wal', role: 'log', directory: join(this.server.dataPath, 'pg_wal') },
    ];
  }

  target(changes: { readonly user?: string; readonly password?: string; readonly port?: number } = {}): Target {
    return {
      connection: { host: this.server.host, port: changes.port ?? this.server.port, usernameFile: '/unused' },
      username: changes.user ?? BACKUP_USER.name,
      password: changes.password ?? BACKUP_USER.password,
      tls: undefined,
    };
  }

  startLedger(): Promise<LedgerWriter> {
    return LedgerWriter.start({ connect: async () => sqlLedger(await this.server.connect()) });
  }

  /** Slots are seen directly; backup mode has no view of its own, but dies with the process that is in it. */
  async held(): Promise<readonly string[]> {
    const rows = await this.server.query<{ what: string }>(
      `SELECT 'slot ' || slot_name AS what FROM pg_replication_slots
        UNION ALL
       SELECT 'statement ' || query FROM pg_stat_activity
        WHERE application_name = $1 AND state <> 'idle'`,
      [APPLICATION_NAME],
    );
    return rows.map(({ what }) => what);
  }

  async kill(session: EngineSession): Promise<void> {
    const { pid } = session as unknown as { readonly pid: string };
    // Waits until the process is gone: what it held is gone with it.
    await this.server.query('SELECT pg_terminate_backend($1::int, 10000)', [pid]);
  }

  async restart(): Promise<void> {
    await this.server.stop('fast');
    await this.server.start();
  }

  async open(dataPath: string, record: BackupRecord): ReturnType<EngineFixture['open']> {
    const { version } = this.server;
    const copy = await PostgresServer.onFolder(version, 'unused');
    try {
      await reachable(dataPath, copy.uid);
      const prepared = { dataPath, uid: copy.uid, gid: copy.uid, done: [] };
      const { command } = engine.restore.server(record, prepared, copy.folder);
      const [, ...flags] = command;
      // On this machine its fixed port may be taken; the socket is in a folder of its own.
      await copy.run([join(await postgresFolder(version), 'bin', 'postgres'), ...flags, '-c', 'listen_addresses=']);
      const inspection = await engine.restore.inspect(copy.folder, record, AbortSignal.timeout(100_000));
      const client = new pg.Client({ host: copy.folder, port: 5432, user: 'postgres', database: 'postgres' });
      await client.connect();
      const ledger = await sqlLedger(client)
        .numbers()
        .finally(() => client.end());
      return { inspection, ledger };
    } finally {
      await copy.remove();
    }
  }

  async remove(): Promise<void> {
    await this.server.remove();
  }
}

/** The owner of restored files need not be allowed into the folder that a test has put them into. */
async function reachable(dataPath: string, uid: number): Promise<void> {
  if ((await stat(dataPath)).uid !== uid) throw new Error(`${dataPath} is not owned by ${uid}`);
  for (let folder = join(dataPath, '..'); folder.startsWith(`${tmpdir()}/`); folder = join(folder, '..')) {
    await chmod(folder, 0o755);
  }
}
