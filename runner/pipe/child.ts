/** One child process: the engine's tool, in a process group of its own that never outlives its work. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';
import { childEnvironment, isClosed, lastWordsOf, Tail, type ToolCommand } from '../tools/tool';

/** What a tool is run with. */
export interface ChildOptions {
  readonly clock: Clock;
  /** Ours: the child gets it without what is about our own Node. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** How long the tool may take to end by itself when told to, in milliseconds. */
  readonly graceMs?: number | undefined;
}

const GRACE_MS = 5_000;

/** Where a container has memory for files; passwords lie in some, and had better not come to a disk. */
const MEMORY = '/dev/shm';

/** A folder that nobody else can look into, in memory where there is some. */
async function privateFolder(): Promise<string> {
  const made = (parent: string): Promise<string> => mkdtemp(join(parent, 'stillpoint-'));
  return await made(MEMORY).catch(() => made(tmpdir()));
}

/** A running tool. */
export class Child {
  readonly stdout: Readable;
  readonly stdin: Writable;
  readonly pid: number | undefined;
  /** What the tool has written last to its standard output; whoever reads that adds to it. */
  readonly output = new Tail();
  readonly #stderr = new Tail();
  readonly #process: ChildProcess;
  readonly #command: ToolCommand;
  readonly #folder: string;
  readonly #done: AbortController;
  readonly #ended = Promise.withResolvers<{ readonly code: number | null; readonly signal: string | null } | Error>();

  private constructor(command: ToolCommand, folder: string, options: ChildOptions, done: AbortController) {
    this.#command = command;
    this.#folder = folder;
    this.#done = done;
    this.#process = spawn(command.program, command.args(folder), {
      // A group of its own: pg_dumpall has children too, and they have to end with it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: childEnvironment(options.environment, command.env),
    });
    const { stdin, stdout, stderr, pid } = this.#process;
    if (stdin === null || stdout === null || stderr === null) throw new Error('a child process without pipes');
    [this.stdin, this.stdout, this.pid] = [stdin, stdout, pid];
    // Whoever writes hears of it; a tool that reads nothing is judged by how it ends.
    stdin.on('error', () => undefined);
    // Always read, so that a tool that complains for ever never waits for us.
    stderr.on('data', (chunk: Buffer) => this.#stderr.add(chunk));
    this.#process.on('error', (error) => this.#ended.resolve(error));
    this.#process.on('exit', (code) => {
      // What the tool has started and left behind would keep the pipes open.
      this.#signalGroup('SIGKILL');
      // The rest of a failed output is of no use, and a slow reader would keep the failure waiting.
      if (code !== 0) stdout.destroy();
    });
    this.#process.on('close', (code, signal) => this.#ended.resolve({ code, signal }));
    const stop = (): void => {
      this.#signalGroup('SIGTERM');
      const timer = options.clock.after(options.graceMs ?? GRACE_MS, () => this.#signalGroup('SIGKILL'));
      this.#process.once('exit', () => timer.cancel());
      // Nobody reads on: without this the process never counts as closed.
      stdout.destroy();
    };
    if (options.signal.aborted) stop();
    else options.signal.addEventListener('abort', stop, { once: true });
    void this.#ended.promise.then(() => options.signal.removeEventListener('abort', stop));
  }

  /** Starts the tool. When what is answered is disposed of, no process and no file of it is left. */
  static async start(command: ToolCommand, options: ChildOptions): Promise<Child> {
    options.signal.throwIfAborted();
    const done = new AbortController();
    const signal = AbortSignal.any([options.signal, done.signal]);
    const folder = await privateFolder();
    try {
      for (const [name, text] of Object.entries(command.files))
        await writeFile(join(folder, name), text, { mode: 0o600 });
      return new Child(command, folder, { ...options, signal }, done);
    } catch (thrown) {
      await rm(folder, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** Runs the tool for as long as the work takes, however that ends. */
  static async during<T>(command: ToolCommand, options: ChildOptions, work: (child: Child) => Promise<T>): Promise<T> {
    await using child = await Child.start(command, options);
    return await work(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#done.abort(new Error('the work is done'));
    await this.#ended.promise;
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** How the tool ended, for whoever judges that, and its last words. Throws tool-missing where it was not started. */
  async ended(): Promise<{ readonly code: number | null; readonly signal: string | null; readonly words: string }> {
    const { program, secrets, words: told = (stderr: string) => stderr } = this.#command;
    const ended = await this.#ended.promise;
    if (ended instanceof Error) {
      throw new StillpointError('tool-missing', `${program} could not be started: ${ended.message}`, {
        hint: `run the job in an image of the engine, in which ${program} is`,
        cause: ended,
      });
    }
    return { ...ended, words: lastWordsOf(told(this.#stderr.text), secrets) };
  }

  /** Waits until the tool has ended, and throws unless it ended well. Its standard output has to be read meanwhile. */
  async endedWell(): Promise<void> {
    const { program, closing } = this.#command;
    const { words, ...ended } = await this.ended();
    const said = words === '' ? 'and said nothing' : `and said "${words}"`;
    if (ended.code !== 0) {
      const how = ended.signal === null ? `exit code ${ended.code}` : ended.signal;
      throw new StillpointError('tool-failed', `${program} ended with ${how}, ${said}`);
    }
    if (closing !== undefined && !isClosed(this.output.text, closing)) {
      throw new StillpointError('tool-failed', `${program} ended without its closing line "${closing}", ${said}`);
    }
  }

  /** Tells the whole group to end, at once, and waits until it has. */
  async kill(): Promise<void> {
    this.#signalGroup('SIGKILL');
    this.stdout.destroy();
    await this.#ended.promise;
  }

  #signalGroup(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group has ended.
    }
  }
}
