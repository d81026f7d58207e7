import { parseArgs } from 'node:util';

/** What a person may say of a bench. */
export interface BenchOptions {
  /** How often each thing is measured. */
  readonly runs: number;
  /** Parts of a bench, as the name of a storage or of a way; all when there are none. */
  readonly parts: readonly string[];
  /** The names of engines; all when there are none. */
  readonly engines: readonly string[];
}

/** Which benches are wanted (none: all that take no machine of their own), and how. */
export interface BenchRequest extends BenchOptions {
  readonly benches: readonly string[];
  /** A file for the numbers as a page of the documentation. */
  readonly write: string | undefined;
  /** Files with what other runs have printed as JSON, for the same page. */
  readonly others: readonly string[];
}

/** Enough for a middle that does not jump, and for all benches in less than 25 minutes. */
const RUNS = 5;

/** Those of some names that are wanted: all of them where no part names any. */
export function wantedOf(parts: readonly string[], names: readonly string[]): readonly string[] {
  const named = names.filter((name) => parts.includes(name));
  return named.length === 0 ? names : named;
}

/** Reads `[--only NAME[:PART]]… [--engine NAME]… [--runs N] [--write FILE [--with FILE]…] [NAME…]`. */
export function benchRequest(args: readonly string[]): BenchRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      engine: { type: 'string', multiple: true },
      runs: { type: 'string' },
      write: { type: 'string' },
      with: { type: 'string', multiple: true },
    },
    allowPositionals: true,
  });
  const named = listed([...(values.only ?? []), ...positionals]);
  const runs = Number(values.runs ?? RUNS);
  if (!(runs >= 1)) throw new Error(`--runs ${values.runs}: how often is each thing to be measured?`);
  return {
    runs,
    benches: [...new Set(named.map((name) => name.split(':')[0] ?? ''))],
    parts: named.flatMap((name) => name.split(':').slice(1)),
    engines: listed(values.engine ?? []),
    write: values.write,
    others: values.with ?? [],
  };
}

function listed(names: readonly string[]): readonly string[] {
  return names.flatMap((each) => each.split(','));
}
