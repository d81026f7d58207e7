/**
 * The runner as a process of this machine: how long it takes to say its version, when its first statement reaches a
 * PostgreSQL, and how much memory a backup takes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stringify } from 'yaml';
import { API_VERSION, JOB_CONFIG_KIND, type JobConfig } from '../../src/contract';
import { PASSWORD, PostgresServer } from '../integration/postgres-server';
import { nodeFlags } from './node-flags';
import { firstStatementSince, LOG_LINE_PREFIX, peakMiB } from './process';
import type { BenchRow } from './rows';
import { median } from './table';

const RUNS = 10;
const TARGETS = { firstStatementMs: 300, memoryMiB: 110 } as const;

export async function* bench(): AsyncGenerator<BenchRow, void> {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  execFileSync(process.execPath, ['scripts/bundle.mjs', '--outdir', join(folder, 'bundle')], { stdio: 'ignore' });
  const settings = { log_statement: 'all', log_line_prefix: LOG_LINE_PREFIX };
  const server = await PostgresServer.create({ version: 18, settings });
  cleanup.defer(() => server.remove());
  const runs = new Runs(folder, server);
  const versions = runs.versions();
  const backups = [];
  await runs.backup();
  for (let run = 0; run < RUNS; run++) backups.push(await runs.backup());
  yield* [
    { name: 'bundle', value: Math.round(sizeOf(join(folder, 'bundle')) / 1e5) / 10, unit: 'MB' },
    { name: 'node that does nothing, p50', ...ms(versions.map(({ bare }) => bare)) },
    { name: 'stillpoint --version, p50', ...ms(versions.map(({ ours }) => ours)) },
    {
      name: 'start to first SQL statement, without a cluster, p50',
      ...ms(backups.map(({ firstStatementMs }) => firstStatementMs)),
      target: TARGETS.firstStatementMs,
    },
    {
      name: 'peak memory of a backup, without a cluster, max',
      value: Math.round(Math.max(...backups.map((each) => each.peak))),
      unit: 'MiB',
      target: TARGETS.memoryMiB,
    },
  ];
}

class Runs {
  readonly #env: NodeJS.ProcessEnv;
  readonly #command: string;
  readonly #config: string;

  constructor(
    folder: string,
    private readonly server: PostgresServer,
  ) {
    this.#env = { PATH: process.env.PATH, HOME: folder, NODE_COMPILE_CACHE: join(folder, 'cache') };
    this.#command = join(folder, 'bundle', 'stillpoint.mjs');
    this.#config = join(folder, 'backup.yaml');
    writeFileSync(this.#config, stringify(jobConfig(folder, server)));
  }

  /** In turns with a Node that does nothing: the difference is ours. */
  versions(): readonly { readonly ours: number; readonly bare: number }[] {
    const once = (...args: readonly string[]): number => {
      const began = performance.now();
      execFileSync(process.execPath, args, { env: this.#env, stdio: 'ignore' });
      return performance.now() - began;
    };
    once(this.#command, '--version');
    return Array.from({ length: RUNS }, () => ({ ours: once(this.#command, '--version'), bare: once('--eval', '0') }));
  }

  async backup(): Promise<{ readonly firstStatementMs: number; readonly peak: number }> {
    const began = Date.now();
    const child = spawn(process.execPath, [...nodeFlags(), this.#command, 'backup', '--config', this.#config], {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(child, 'close');
    let peak = 0;
    while (child.exitCode === null && child.signalCode === null) {
      peak = peakMiB(child.pid ?? 0) ?? peak;
      await Promise.race([ended, pause(5)]);
    }
    await ended;
    if (child.exitCode !== 0) throw new Error(`the backup ended with ${child.exitCode}:\n${said}`);
    const first = firstStatementSince(this.server.log, 'postgres', began);
    if (first === undefined) throw new Error('the backup left no statement in the log of the server');
    // Ids have seconds: the next one needs another.
    await pause(1000);
    return { firstStatementMs: first - began, peak };
  }
}

function jobConfig(folder: string, server: PostgresServer): JobConfig {
  const secret = (name: string, value: string): string => {
    writeFileSync(join(folder, name), value, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: 'bench' },
    spec: {
      engine: 'postgres',
      database: 'bench',
      connection: {
        host: server.host,
        port: server.port,
        usernameFile: secret('username', 'postgres'),
        passwordFile: secret('password', PASSWORD),
      },
      volumes: [
        { name: 'data', role: 'data', directory: server.dataPath },
        { name: 'log', role: 'log', directory: join(server.dataPath, 'pg_wal') },
      ],
      snapshots: { directory: join(folder, 'snapshots') },
      registry: { directory: join(folder, 'records') },
    },
  };
}

function sizeOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

function ms(values: readonly number[]): { readonly value: number; readonly unit: string } {
  return { value: Math.round(median(values)), unit: 'ms' };
}
