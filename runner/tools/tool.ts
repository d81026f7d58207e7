/** What is known of an engine's own tool before it runs, and how it is told that it ended well. Pure. */
import type { Target } from '../engine';

/** One run of a tool. Whatever is secret stands in `env`, in `files` or in nothing: never in `args`, which all can read. */
export interface ToolCommand {
  readonly program: string;
  /** The arguments, given the folder in which {@link files} lie. */
  readonly args: (folder: string) => readonly string[];
  /** Added to the child's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Small files for the tool alone, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Taken out of whatever the tool says. */
  readonly secrets: readonly string[];
  /** How the last line of a whole output begins, where the tool writes one: without it there is no success. */
  readonly closing?: string | undefined;
}

/** The tools of an engine that write a dump to standard output, and read one from standard input. */
export interface EngineDump {
  /** Asked for its version before it dumps. */
  readonly versionOf: (flavour: string | undefined) => { readonly program: string; readonly args: readonly string[] };
  /** Undefined when the tool is fit for the server; else what is wrong, as a sentence. */
  unfit(
    toolSays: string,
    server: { readonly version: string; readonly flavour?: string | undefined },
  ): string | undefined;
  /** Dumps everything, or one database. */
  dump(
    target: Target,
    what: { readonly database?: string | undefined; readonly flavour?: string | undefined },
  ): ToolCommand;
  /** Reads back what {@link dump} wrote, and stops at the first error. Left out where no tool of the engine does. */
  readonly restore?: (
    target: Target,
    what: { readonly database?: string | undefined; readonly flavour?: string | undefined },
  ) => ToolCommand;
}

/** How much of an output's end is kept: more than any tool writes after its closing line. */
export const TAIL_BYTES = 4096;

/** Keeps the last bytes of a stream. */
export class Tail {
  #kept: Buffer = Buffer.alloc(0);

  add(chunk: Uint8Array): void {
    const last = chunk.subarray(Math.max(0, chunk.length - TAIL_BYTES));
    this.#kept = Buffer.concat([this.#kept.subarray(Math.max(0, this.#kept.length + last.length - TAIL_BYTES)), last]);
  }

  get text(): string {
    return this.#kept.toString('utf8');
  }
}

/**
 * Whether an output ends with its closing line. After it may come what means nothing: blank lines, bare comments, and the
 * `\unrestrict` of pg_dump. Rows that hold the same words do not count: more rows, or a cut line, come after them.
 */
export function isClosed(tail: string, closing: string): boolean {
  if (!tail.endsWith('\n')) return false;
  const lines = tail.split('\n').map((line) => line.trimEnd());
  return (
    lines.findLast((line) => line !== '' && line !== '--' && !line.startsWith('\\unrestrict '))?.startsWith(closing) ??
    false
  );
}

/** What a tool said last, without secrets and in one line. */
export function lastWordsOf(stderr: string, secrets: readonly string[]): string {
  // Longest first: a secret may be part of another one.
  const hidden = secrets
    .filter((secret) => secret !== '')
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, secret) => text.replaceAll(secret, '***'), stderr);
  const lines = hidden.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .slice(-3)
    .join('; ');
}

/** Variables that are about our own Node, and would lead another program astray. */
const OUR_OWN = ['LD_LIBRARY_PATH', 'LD_PRELOAD', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS'];

/** The environment of a child: ours without what is about our Node, and its own. */
export function childEnvironment(
  ours: Readonly<Record<string, string | undefined>>,
  own: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  return { ...Object.fromEntries(Object.entries(ours).filter(([name]) => !OUR_OWN.includes(name))), ...own };
}
