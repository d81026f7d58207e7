/**
 * `npm run bench [-- --only NAME[:PART] --engine NAME --runs N --write FILE --with FILE]`: all benches, or those named, or parts of one
 * (`freezes:disk`, `cuts:direct`). The table goes to standard error, JSON to standard output, and with --write a page for
 * people to a file, --with the JSON of other runs on it. What needs a cluster is left out without KUBECONFIG, and `many`, which
 * needs the cluster for itself, and `dumps`, which takes ten minutes, where they are not named; of the engines `freezes` leaves out Neo4j and
 * the stand-in for NuoDB, where they are not (`--only freezes:disk --engine neo4j,nuodb`). Values of one run belong together:
 * compare ratios, not machines.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { machineNow, noiseBetween } from './machine';
import { type BenchResult, numbersPage } from './numbers';
import { type BenchOptions, type BenchRequest, benchRequest } from './options';
import type { BenchRow } from './rows';
import { table } from './table';

interface Bench {
  /** Gives what is measured as soon as it is. */
  readonly bench: (options: BenchOptions) => AsyncIterable<BenchRow>;
}

const LOCAL: Readonly<Record<string, () => Promise<Bench>>> = {
  synth: () => import('./synth'),
  startup: () => import('./startup'),
};

const ON_A_CLUSTER: Readonly<Record<string, () => Promise<Bench>>> = {
  cluster: () => import('./cluster'),
  cuts: () => import('./cuts'),
  freezes: () => import('./freezes'),
  list: () => import('./list'),
};

/** They keep the snapshot controller, or the processors, busy for minutes: only by name. */
const ALONE: Readonly<Record<string, () => Promise<Bench>>> = {
  dumps: () => import('./dumps'),
  ...(process.env.KUBECONFIG === undefined ? {} : { many: () => import('./many') }),
};

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  ...LOCAL,
  ...(process.env.KUBECONFIG === undefined ? {} : ON_A_CLUSTER),
  ...ALONE,
};

async function main({ benches: wanted, write, others, ...options }: BenchRequest): Promise<void> {
  const unknown = wanted.filter((name) => BENCHES[name] === undefined);
  if (unknown.length > 0) throw new Error(`no ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  const chosen = Object.entries(BENCHES).filter(([name]) =>
    wanted.length === 0 ? ALONE[name] === undefined : wanted.includes(name),
  );
  const before = machineNow();
  const rows: BenchRow[] = [];
  for (const [name, load] of chosen) {
    process.stderr.write(`bench: ${name} …\n`);
    try {
      for await (const row of (await load()).bench(options)) rows.push(row);
    } catch (error) {
      // What was measured in an hour, by this one too, is not lost for it.
      console.error(error);
      process.exitCode = 1;
      rows.push({ name: `${name}: ended by a failure, what would follow is missing`, value: 1, unit: '', target: 0 });
    }
  }
  const result: BenchResult = {
    benches: chosen.map(([name]) => name),
    runs: options.runs,
    ...noiseBetween(before, machineNow()),
    rows,
  };
  process.stderr.write(table(rows));
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  if (write !== undefined) writeFileSync(write, numbersPage([result, ...others.map(resultIn)]));
}

function resultIn(file: string): BenchResult {
  return JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
}

main(benchRequest(process.argv.slice(2))).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
