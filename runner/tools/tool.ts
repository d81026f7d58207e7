/** What is known of an engine's own tool before it runs, and how it is told that it ended well. Pure. */
import type { Content } from '../pipe/stages';
import type { Finding, Log } from '../ports';
import type { Target } from '../target';

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
  /** What may be told of what it has said on its standard error: all of it, when left out. */
  readonly words?: ((stderr: string) => string) | undefined;
  /**
   * What is kept of its output, or given to its input: the rest is left out. Reads its content to the end, and throws
   * tool-failed when an output is not whole.
   */
  readonly refine?: ((content: Content) => Content) | undefined;
  /** What runs when this one has ended well, and goes on in the same output. Of tools that write. */
  readonly next?: ToolCommand | undefined;
}

/** What is dumped. */
export interface DumpRequest {
  /** One database. Everything when left out. */
  readonly database?: string | undefined;
  /** These, each by a run of its own, behind what belongs to all of the server, as its logins. Of engines that say {@link EngineDump.several}. */
  readonly databases?: readonly string[] | undefined;
  readonly flavour?: string | undefined;
  /** What the tool says of its version: options were renamed. The newest one is meant when left out. */
  readonly toolSays?: string | undefined;
  /** Whether the dump itself says where the server's log stood. What that costs, each engine says. */
  readonly position?: boolean | undefined;
  /** The data directory of a server that does not run, of tools that read its files. */
  readonly directory?: string | undefined;
}

/** What is restored from a dump. */
export interface RestoreRequest {
  /** Into one database, which is there. Everything when left out. */
  readonly database?: string | undefined;
  /** The database that is taken out of a dump of everything; the dump holds one database alone when left out. */
  readonly outOf?: string | undefined;
  /** As {@link DumpRequest.position} was. */
  readonly position?: boolean | undefined;
  readonly flavour?: string | undefined;
  /** What {@link EngineDump.reader} says of its version. */
  readonly readerSays?: string | undefined;
  /** What {@link EngineDump.destination} has found. */
  readonly destination?: Destination | undefined;
  /** The data directory of a server that does not run, of tools that write its files. */
  readonly directory?: string | undefined;
}

/** One database among the files of a server that does not run. */
export interface StoredDatabase {
  /** The data directory. */
  readonly directory: string;
  readonly database: string;
  /** What the tool says of its version. */
  readonly toolSays: string;
}

/** What the tool says of such files. */
export interface StoredFacts {
  /** Whether they are as a crash leaves them: no tool dumps those. */
  readonly incomplete: boolean;
  /** Where the log ends, in the engine's own words. Of incomplete files it may be behind. */
  readonly position: Readonly<Record<string, string>>;
}

/** What an engine's tools do with the files of a server that does not run. */
export interface StoredFiles {
  /** Writes down how the tools find the files. A second call finds the work done. */
  prepare(what: StoredDatabase): Promise<void>;
  /** Asks what the files are; fails where a server has them open. */
  look(what: StoredDatabase): ToolCommand;
  /** Its answer. Throws tool-failed when it says something else. */
  facts(answer: string): StoredFacts;
  /** A server that completes the files and reaches nobody; and what a line of its output holds when it has done so. */
  complete(what: StoredDatabase): { readonly command: ToolCommand; readonly done: string };
  /** Fails unless the files are consistent in themselves. */
  check(what: StoredDatabase): ToolCommand;
  /** What speaks against a restore of a database into a data directory, by the names in it, in words. */
  occupied(database: string, names: DirectoryNames): readonly string[];
  /** The folders of one database, within the data directory, in the order in which they may appear there. */
  foldersOf(database: string): readonly string[];
}

/** What lies in a data directory. */
export interface DirectoryNames {
  /** All that is in it. */
  readonly top: readonly string[];
  /** Which of {@link StoredFiles.foldersOf} are there. */
  readonly folders: readonly string[];
}

/** So many things that a server holds are looked for: as many as a message can name. */
export const HOLDINGS_LIMIT = 20;

/** A server, before something is restored into it. */
export interface Destination {
  /** What is there already that the dump would be mixed with, in words. Nothing: it is empty. */
  readonly holds: readonly string[];
  /** Logins that are there, and stay as they are. */
  readonly logins: readonly string[];
}

/** The tools of an engine that write a dump to standard output, and read one from standard input. */
export interface EngineDump {
  /** What the name of a dump ends with; `sql` when left out. */
  readonly extension?: string | undefined;
  /** Whether some databases of a server can be dumped together; none, or all, or one, when left out. */
  readonly several?: boolean | undefined;
  /** Whether the tool takes what one server holds, also of data that are spread over several: such a server is refused. */
  readonly ofOneServer?: boolean | undefined;
  /**
   * What the server is a part of, as a sentence, where the tool would take that part for all; undefined where it is a whole. Asked
   * on a connection of its own, before anything else. Left out where no server is a part.
   */
  readonly partOf?: (target: Target, signal: AbortSignal) => Promise<string | undefined>;
  /** Asked for its version before it dumps. */
  readonly versionOf: (flavour: string | undefined) => { readonly program: string; readonly args: readonly string[] };
  /** Undefined when the tool is fit for the server; else what is wrong, as a sentence. */
  unfit(
    toolSays: string,
    server: { readonly version: string; readonly flavour?: string | undefined },
  ): string | undefined;
  /** Undefined when a server reads what the tool has written; else what is wrong. Left out where every server does. */
  readonly unreadable?: (toolSays: string, server: { readonly version: string }) => string | undefined;
  /** What the tool would leave out without a word, since its user may not see it. Left out where every tool complains. */
  readonly unseen?: (target: Target, what: DumpRequest, signal: AbortSignal) => Promise<readonly Finding[]>;
  /** Dumps everything, or one database. */
  dump(target: Target, what: DumpRequest): ToolCommand;
  /**
   * What reads a dump back, where it is another program whose own version matters: how it is asked for that, and, as a sentence, what it
   * cannot be kept from.
   */
  readonly reader?: {
    readonly program: string;
    readonly args: readonly string[];
    weakness(readerSays: string): string | undefined;
  };
  /** Reads back what {@link dump} wrote, and stops at the first error. Left out where no tool of the engine does. */
  readonly restore?: (target: Target, what: RestoreRequest) => ToolCommand;
  /**
   * Where no tool reads a dump back: the name of the file that a server takes it from at its next start, in its data
   * directory.
   */
  readonly file?: string | undefined;
  /** What a server holds: asked before a restore, which refuses one that is not empty. By a connection of its own. */
  readonly destination?: (target: Target, what: RestoreRequest, log: Log, signal: AbortSignal) => Promise<Destination>;
  /** Of tools that read and write the files of a server that does not run. */
  readonly files?: StoredFiles | undefined;
  /** Makes a database to restore into, where there is none of this name yet. */
  readonly createDatabase?: (target: Target, database: string, log: Log, signal: AbortSignal) => Promise<void>;
}

/** Whether a dump is read back into a server that runs, and not into the files of one that does not yet. */
export function readsIntoServer({ restore, files }: Pick<EngineDump, 'restore' | 'files'>): boolean {
  return restore !== undefined && files === undefined;
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
