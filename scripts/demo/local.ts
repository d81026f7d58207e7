/**
 * Without a cluster: an embedded PostgreSQL, a writer that commits rows all the time, and the runner's own commands on
 * folders instead of volumes.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { API_VERSION, type BackupRecord, JOB_CONFIG_KIND, type JobConfig } from '../../src/contract';
import { PASSWORD, PostgresServer } from '../../test/integration/postgres-server';
import { sqlLedger } from '../../test/ledger/sql';
import { LedgerWriter } from '../../test/ledger/writer';
import { bundleRunner } from './bundle';
import { runTool } from './run';
import type { Screen, Verdict } from './screen';
import { type Cuts, judge } from './verdict';

/** So many rows are there before the backup begins, and so many come after it. */
const ROWS_AROUND = 500;

/** Takes a backup of a database that is being written to, restores it beside the original, and compares. */
export async function demonstrate(screen: Screen): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-demo-'));
  await chmod(folder, 0o755);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const { stillpoint } = cleanup.use(await screen.step('the runner is bundled', bundleRunner));

  const server = await screen.step('PostgreSQL 18 is up', () => PostgresServer.create({ version: 18 }));
  cleanup.defer(() => server.remove());
  // The clock of the record: both are of this machine.
  const ledger = await LedgerWriter.start({ connect: async () => sqlLedger(await server.connect()), now: Date.now });
  cleanup.defer(() => ledger.stop());
  await screen.step(`two clients commit rows all the time: ${ROWS_AROUND} so far`, () => ledger.more(ROWS_AROUND));

  const config = join(folder, 'backup.yaml');
  await writeFile(config, stringify(await jobConfig(folder, server)));
  screen.command(['stillpoint', 'backup', '--config', 'backup.yaml']);
  const record = await screen.step('a backup is taken meanwhile', () => takeBackup(stillpoint, config));
  await ledger.more(ROWS_AROUND);
  await ledger.stop();

  screen.command(['stillpoint', 'restore', 'latest', '--directory', 'copy']);
  const copy = await PostgresServer.onFolder(18, join('copy', 'data'));
  cleanup.defer(() => copy.remove());
  await screen.step('it is restored beside the original, detached from it', () =>
    runTool(stillpoint, ['restore', record.id, ...registry(folder), '--directory', join(copy.folder, 'copy')]),
  );
  const restored = await screen.step('a second PostgreSQL starts on the copy', async () => {
    await copy.start();
    const client = await copy.connect();
    return await sqlLedger(client)
      .numbers()
      .finally(() => client.end());
  });
  return judge(record, ledger, restored, cutsOf(record));
}

async function takeBackup(stillpoint: string, config: string): Promise<BackupRecord> {
  return JSON.parse(await runTool(stillpoint, ['backup', '--config', config, '-o', 'json'])) as BackupRecord;
}

function registry(folder: string): readonly string[] {
  return ['--registry-directory', join(folder, 'records')];
}

async function jobConfig(folder: string, server: PostgresServer): Promise<JobConfig> {
  const secret = async (name: string, value: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, value, { mode: 0o600 });
    return path;
  };
  return {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: 'demo' },
    spec: {
      engine: 'postgres',
      database: 'demo',
      connection: {
        host: server.host,
        port: server.port,
        usernameFile: await secret('username', 'postgres'),
        passwordFile: await secret('password', PASSWORD),
      },
      // The log is copied last, so it is a volume of its own, although it lies in the data directory.
      volumes: [
        { name: 'data', role: 'data', directory: server.dataPath },
        { name: 'wal', role: 'log', directory: join(server.dataPath, 'pg_wal') },
      ],
      snapshots: { directory: join(folder, 'snapshots') },
      registry: { directory: join(folder, 'records') },
    },
  };
}

/** Runner and writer are on one machine: they read the same clock. */
function cutsOf({ times }: BackupRecord): Cuts {
  return { firstAsked: Date.parse(times.firstAsked ?? ''), lastSeen: Date.parse(times.lastCutSeen ?? '') };
}
