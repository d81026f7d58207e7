/**
 * `stillpoint list` as a process, over records that are really in the cluster: how long a thousand take and ten thousand,
 * and how much memory. The records are of 200 databases, in a registry of the bench's own; no backup was ever taken of them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from '../../runner/kube/client';
import { CONFIG_MAPS } from '../../runner/kube/objects';
import { recordObject } from '../../runner/registry/record-object';
import { backupId } from '../../src/contract';
import { makeNamespace, uniqueName } from '../e2e/harness/namespace';
import { thisRun } from '../e2e/harness/this-run';
import { connect } from '../e2e/kube/fixture';
import { recordWith } from '../support/records';
import type { BenchOptions } from './options';
import { peakMiB } from './process';
import type { BenchRow } from './rows';
import { timesRow } from './table';

const DATABASES = 200;
const COUNTS = [1_000, 10_000] as const;
const AT_ONCE = 40;
const TARGET_MS = 1000;
/** By how much more ten times as many records may raise the peak, printed as one document. */
const TARGET_GROWTH_MIB = 40;

export async function* bench({ runs }: BenchOptions): AsyncGenerator<BenchRow, void> {
  thisRun.is({ image: 'none', registry: uniqueName('bench') });
  await using registry = await makeNamespace('list');
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  execFileSync(process.execPath, ['scripts/bundle.mjs', '--outdir', folder], { stdio: 'ignore' });
  const list = (...words: readonly string[]): Promise<Listed> =>
    listed(join(folder, 'stillpoint.mjs'), registry.name, words);
  const client = await connect();
  const peaks: number[] = [];
  let made = 0;
  for (const count of COUNTS) {
    await makeRecords(client, registry.name, made, count);
    made = count;
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const { ms, lines } = await list('-A', '--no-headers');
      if (lines !== count) throw new Error(`of ${count} records ${lines} were listed`);
      times.push(ms);
    }
    const json = await list('-A', '-o', 'json');
    peaks.push(json.peakMiB);
    const ofDatabase = await list('db-007', '-n', 'shop-07', '-o', 'wide');
    yield* [
      timesRow(`list -A of ${count} records`, times, count === COUNTS[0] ? TARGET_MS : undefined),
      { name: `list -A -o json of ${count} records`, value: Math.round(json.ms), unit: 'ms' },
      { name: `list -A -o json of ${count} records, peak memory`, value: Math.round(json.peakMiB), unit: 'MiB' },
      { name: `list -o wide of one database among ${count} records`, value: Math.round(ofDatabase.ms), unit: 'ms' },
    ];
  }
  const growth = Math.round((peaks[1] ?? Number.NaN) - (peaks[0] ?? Number.NaN));
  const name = `peak memory of ${COUNTS[1]} over that of ${COUNTS[0]}`;
  yield { name, value: growth, unit: 'MiB', target: TARGET_GROWTH_MIB };
}

/** As real ones, but without the finalizer that would keep them when the namespace goes. */
async function makeRecords(client: KubeClient, namespace: string, from: number, to: number): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    for (let index = next++; index < to; index = next++) {
      const database = index % DATABASES;
      const record = recordWith({
        id: backupId(new Date(Date.UTC(2026, 0, 1, Math.floor(index / DATABASES)))),
        namespace: `shop-${`${database % 20}`.padStart(2, '0')}`,
        database: `db-${`${database}`.padStart(3, '0')}`,
        phase: index % 17 === 0 ? 'failed' : 'succeeded',
      });
      const { metadata, ...object } = recordObject(record, namespace);
      await client.create(CONFIG_MAPS, { ...object, metadata: { ...metadata, finalizers: [] } });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

interface Listed {
  readonly ms: number;
  readonly lines: number;
  readonly peakMiB: number;
}

async function listed(command: string, registry: string, words: readonly string[]): Promise<Listed> {
  const began = performance.now();
  const child = spawn(process.execPath, [command, 'list', ...words, '--registry', registry], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    lines += chunk.split('\n').length - 1;
  });
  const ended = once(child, 'close');
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peak = peakMiB(child.pid ?? 0) ?? peak;
    await Promise.race([ended, pause(5)]);
  }
  await ended;
  if (child.exitCode !== 0) throw new Error(`list ${words.join(' ')} ended with ${child.exitCode}`);
  return { ms: performance.now() - began, lines, peakMiB: peak };
}
