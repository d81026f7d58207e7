import { parseArgs } from 'node:util';

/** What a person may say of a bench. */
export interface BenchOptions {
  /** How often each thing is measured. */
  readonly runs: number;
  /** Parts of a bench, as the name of an engine; all when there are none. */
  readonly parts: readonly string[];
}

/** Which benches are wanted (none: all), and how. */
export interface BenchRequest extends BenchOptions {
  readonly benches: readonly string[];
}

const RUNS = 10;

/** Those of some names that are wanted: all of them where no part names any. */
export function wantedOf(parts: readonly string[], names: readonly string[]): readonly string[] {
  const named = names.filter((name) => parts.includes(name));
  return named.length === 0 ? names : named;
}

/** Reads `[--only NAME[:PART]]… [--runs N] [NAME…]`. */
export function benchRequest(args: readonly string[]): BenchRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { only: { type: 'string', multiple: true }, runs: { type: 'string' } },
    allowPositionals: true,
  });
  const named = [...(values.only ?? []), ...positionals].flatMap((each) => each.split(','));
  const runs = Number(values.runs ?? RUNS);
  if (!(runs >= 1)) throw new Error(`--runs ${values.runs}: how often is each thing to be measured?`);
  return {
    runs,
    benches: [...new Set(named.map((name) => name.split(':')[0] ?? ''))],
    parts: named.flatMap((name) => name.split(':').slice(1)),
  };
}
