/**
 * `npm run bench [-- --only NAME[:PART] --runs N]`: all benches, or those named, or parts of one (`freezes:mariadb:disk`, `cuts:direct`). The table goes to standard error, JSON to standard output.
 * What needs a cluster is left out without KUBECONFIG. Values of one run belong together: compare ratios, not machines.
 */
import { type BenchOptions, type BenchRequest, benchRequest } from './options';
import type { BenchRow } from './rows';
import { table } from './table';

interface Bench {
  readonly bench: (options: BenchOptions) => Promise<readonly BenchRow[]>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  synth: () => import('./synth'),
  startup: () => import('./startup'),
  ...(process.env.KUBECONFIG === undefined
    ? {}
    : { cluster: () => import('./cluster'), cuts: () => import('./cuts'), freezes: () => import('./freezes') }),
};

async function main({ benches: wanted, ...options }: BenchRequest): Promise<void> {
  const unknown = wanted.filter((name) => BENCHES[name] === undefined);
  if (unknown.length > 0) throw new Error(`no ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  const rows: BenchRow[] = [];
  for (const [name, load] of Object.entries(BENCHES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    process.stderr.write(`bench: ${name} …\n`);
    rows.push(...(await (await load()).bench(options)));
  }
  process.stderr.write(table(rows));
  process.stdout.write(`${JSON.stringify({ node: process.version, at: new Date().toISOString(), rows }, null, 2)}\n`);
}

main(benchRequest(process.argv.slice(2))).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
