/**
 * Dumps of a size: a stand-in for pg_dumpall that makes rows and stores none, the runner as it is bundled, and a stand-in for a
 * store that takes every byte and keeps none; beside the same rows through `zstd -3` and a bare loop over the SDK. `dumps:SIZE` in
 * GiB, several if wanted, and `dumps:SIZE:WAY` for one of bare, plain and encrypted. The server that is asked for its version is a real PostgreSQL.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { stringify } from 'yaml';
import { API_VERSION, DUMP_CONFIG_KIND, type DumpConfig } from '../../src/contract';
import { PASSWORD, PostgresServer } from '../integration/postgres-server';
import { nodeFlags } from './node-flags';
import { type BenchOptions, wantedOf } from './options';
import { peakMiB } from './process';
import type { BenchRow } from './rows';
import { median } from './table';

const SIZES = ['1', '20'];
/** `bare` is without us. */
const WAYS = ['bare', 'plain', 'encrypted'];
const GiB = 1024 ** 3;
/** So much goes each way in all, where it is more than one time. */
const MOST_GIB = 20;
/** Of the time that the bare pipe takes: nine tenths of its throughput. */
const TARGETS = { memoryMiB: 160, timesBare: 1.11 } as const;

/** What one way through took. */
interface Through {
  readonly seconds: number;
  readonly peakMiB: number;
}

export async function* bench({ parts, runs }: BenchOptions): AsyncGenerator<BenchRow, void> {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  execFileSync(process.execPath, ['scripts/bundle.mjs', '--outdir', join(folder, 'bundle')], { stdio: 'ignore' });
  const server = await PostgresServer.create({ version: 18 });
  cleanup.defer(() => server.remove());
  const sink = await Sink.start();
  cleanup.defer(() => sink.stop());
  const dumps = new Dumps(folder, server, sink);
  const named = parts.filter((part) => Number(part) > 0);
  for (const size of named.length === 0 ? SIZES : named) {
    yield* await dumps.rowsOf(size, runs, wantedOf(parts, WAYS));
  }
}

/** The store that keeps nothing, as a process of its own. */
class Sink {
  private constructor(
    readonly endpoint: string,
    readonly stop: () => void,
  ) {}

  static async start(): Promise<Sink> {
    const child = spawn(process.execPath, ['test/bench/dumps/sink.mjs'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    return new Sink(said.toString().trim(), () => child.kill());
  }

  /** How many bytes it was sent so far. */
  async bytes(): Promise<number> {
    const answer = await fetch(`${this.endpoint}/count`);
    return ((await answer.json()) as { readonly bytes: number }).bytes;
  }
}

class Dumps {
  readonly #tools: string;
  #run = 0;

  constructor(
    private readonly folder: string,
    private readonly server: PostgresServer,
    private readonly sink: Sink,
  ) {
    this.#tools = join(folder, 'tools');
    mkdirSync(this.#tools);
    copyFileSync('test/bench/dumps/generator.mjs', join(this.#tools, 'pg_dumpall'));
    chmodSync(join(this.#tools, 'pg_dumpall'), 0o755);
  }

  /** All ways in turns, so that what else the machine does is shared by them. */
  async rowsOf(size: string, runs: number, ways: readonly string[]): Promise<readonly BenchRow[]> {
    const bytes = Number(size) * GiB;
    const times = Math.max(1, Math.min(runs, Math.floor(MOST_GIB / Number(size))));
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    const bare: number[] = [];
    const ours: Readonly<Record<string, Through[]>> = { plain: [], encrypted: [] };
    for (let time = 0; time < times; time++) {
      if (ways.includes('bare')) bare.push(await this.#bare(bytes));
      if (ways.includes('plain')) ours.plain?.push(await this.#dump(bytes));
      if (ways.includes('encrypted')) ours.encrypted?.push(await this.#dump(bytes, recipients));
    }
    const rate = (seconds: readonly number[]): Pick<BenchRow, 'value' | 'unit'> => ({
      value: Math.round(bytes / 1024 ** 2 / median(seconds)),
      unit: 'MiB/s',
    });
    const none = bare.length === 0;
    return [
      ...(none ? [] : [{ name: `${size} GiB by \`zstd -3\` and a bare loop over the SDK`, ...rate(bare) }]),
      ...Object.entries(ours).flatMap(([way, all]): BenchRow[] => {
        if (all.length === 0) return [];
        const name = `a dump of ${size} GiB, ${way}`;
        return [
          { name: `${name} (stand-ins for tool and store)`, ...rate(all.map(({ seconds }) => seconds)) },
          ...(none ? [] : [ratioRow(`${name}: time over that of the bare pipe, p50 of ${times}`, all, bare)]),
          {
            name: `${name}: peak memory`,
            value: Math.round(Math.max(...all.map((each) => each.peakMiB))),
            unit: 'MiB',
            target: TARGETS.memoryMiB,
          },
        ];
      }),
    ];
  }

  /** The same rows without us. */
  async #bare(bytes: number): Promise<number> {
    const before = await this.sink.bytes();
    const began = performance.now();
    const command = `pg_dumpall | zstd -3 -c | "${process.execPath}" test/bench/dumps/bare.mjs ${this.sink.endpoint}`;
    const child = spawn('bash', ['-o', 'pipefail', '-c', command], { env: this.#env(bytes), stdio: 'inherit' });
    await endedWell(child, 'the bare pipe');
    const seconds = (performance.now() - began) / 1000;
    await this.#arrived(before, bytes);
    return seconds;
  }

  async #dump(bytes: number, recipients?: readonly string[]): Promise<Through> {
    const before = await this.sink.bytes();
    const file = join(this.folder, `dump-${++this.#run}.yaml`);
    writeFileSync(file, stringify(this.#config(`run-${this.#run}`, recipients)));
    const began = performance.now();
    const command = join(this.folder, 'bundle', 'stillpoint.mjs');
    const child = spawn(process.execPath, [...nodeFlags(), command, 'backup', '--config', file], {
      env: this.#env(bytes),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = endedWell(child, 'the dump');
    // Whatever comes of it is asked for below.
    ended.catch(() => undefined);
    let peak = 0;
    while (child.exitCode === null && child.signalCode === null) {
      peak = peakMiB(child.pid ?? 0) ?? peak;
      await Promise.race([ended.catch(() => undefined), pause(20)]);
    }
    await ended;
    const seconds = (performance.now() - began) / 1000;
    await this.#arrived(before, bytes);
    return { seconds, peakMiB: peak };
  }

  /** A pipe that lost half of it would be fast. */
  async #arrived(before: number, bytes: number): Promise<void> {
    const arrived = (await this.sink.bytes()) - before;
    if (arrived < bytes / 10) throw new Error(`of ${bytes} bytes no more than ${arrived} came to the store`);
  }

  #env(bytes: number): NodeJS.ProcessEnv {
    return {
      // The stand-in for the tool is run by the Node that runs this.
      PATH: [this.#tools, dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: this.folder,
      NODE_COMPILE_CACHE: join(this.folder, 'cache'),
      STILLPOINT_BENCH_BYTES: String(bytes),
    };
  }

  #config(name: string, recipients: readonly string[] | undefined): DumpConfig {
    const secrets = join(this.folder, 'secrets');
    mkdirSync(secrets, { recursive: true });
    const secret = (file: string, value: string): string => {
      writeFileSync(join(secrets, file), value, { mode: 0o600 });
      return join(secrets, file);
    };
    secret('AWS_ACCESS_KEY_ID', 'bench');
    secret('AWS_SECRET_ACCESS_KEY', 'bench');
    return {
      apiVersion: API_VERSION,
      kind: DUMP_CONFIG_KIND,
      metadata: { name },
      spec: {
        engine: 'postgres',
        database: name,
        connection: {
          host: this.server.host,
          port: this.server.port,
          database: 'postgres',
          usernameFile: secret('username', 'postgres'),
          passwordFile: secret('password', PASSWORD),
        },
        dump: {
          compression: 'zstd',
          layout: 'stillpoint',
          ...(recipients === undefined ? {} : { recipients: [...recipients] }),
        },
        storage: {
          kind: 's3',
          credentialsDirectory: secrets,
          s3: { bucket: 'backups', endpoint: this.sink.endpoint, region: 'us-east-1', pathStyle: true },
        },
        registry: { directory: join(this.folder, 'records') },
      },
    };
  }
}

function ratioRow(name: string, ours: readonly Through[], bare: readonly number[]): BenchRow {
  const values = ours.map(({ seconds }, time) => seconds / (bare[time] ?? Number.NaN));
  const rounded = values.map((value) => Math.round(value * 100) / 100);
  return {
    name,
    value: Math.round(median(values) * 100) / 100,
    unit: '×',
    ...(values.length > 1 ? { spread: [Math.min(...rounded), Math.max(...rounded)] as const } : {}),
    target: TARGETS.timesBare,
  };
}

async function endedWell(child: ReturnType<typeof spawn>, what: string): Promise<void> {
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${what} ended with ${code}`);
}
