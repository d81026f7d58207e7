/** Restores one dump, into an empty server by the engine's own tool, or as a file; step by step. */
import type { BackupRecord, EngineName } from '../../src/contract';
import { pauseFor, timeLimit } from '../abort';
import { toolsOf } from '../dump/checks';
import { imageFindings } from '../dump/image';
import { passedOf } from '../dump/record';
import { requestOf } from '../dump/request';
import { type DumpSource, findRecord, openSource } from '../dump/source';
import { saidBy } from '../dump/tool-version';
import type { Engine, Server, Target } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { recordPath } from '../output/records';
import { opened, restore } from '../pipe/restore';
import { type RestoreRequest, readsIntoServer } from '../tools/tool';
import type { RestoreDumpContext } from './restore-dump-context';
import { restoreDumpFile } from './restore-dump-file';
import { restoreDumpStore } from './restore-dump-store';
import { say } from './say';

/** What was restored, and into what. */
export interface RestoredDump {
  readonly record: BackupRecord;
  /** The server, or the file that one takes when it starts. */
  readonly into: Pick<Server, 'version' | 'flavour'> | { readonly file: string };
}

const WAIT_SECONDS = 300;
const RETRY_MS = 1_000;

/** Restores a dump. It is good only when this returns: every byte was what the record says, and the tool was content with it. */
export async function restoreDump(context: RestoreDumpContext): Promise<RestoredDump> {
  const { config, log } = context;
  const { id } = config.spec.backup;
  try {
    const store = await context.openStore();
    await using found = await findRecord(context, store);
    const { record } = found;
    const within = { ...context, signal: AbortSignal.any([context.signal, found.lost]) };
    const source = await openSource(within, record, store);
    const into = await intoStep(within, source);
    await say(context, 'Normal', 'SuccessfulRestore', `Backup ${recordPath(record)} restored`);
    log.info({ id }, 'dump restored: every byte was what the record says');
    return { record, into };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    await say(context, 'Warning', 'FailedRestore', `Backup ${id} was not restored: ${error.message} (${error.code})`);
    throw error;
  }
}

/** By the engine's own tool into a server, or as a file that one takes when it starts. */
async function intoStep(context: RestoreDumpContext, source: DumpSource): Promise<RestoredDump['into']> {
  const { config, engineNamed } = context;
  const { file } = config.spec;
  const engine = await engineNamed(source.record.engine as EngineName);
  if (file === undefined) return await new DumpRestore(context, source, engine).run();
  await say(context, 'Normal', 'Restoring', `Restoring backup ${recordPath(source.record)}`);
  if (engine.dump?.files === undefined) {
    return { file: await restoreDumpFile(source, engine, file.directory, context) };
  }
  if (config.spec.checkFirst === true) await readStep(source, context);
  return { file: await restoreDumpStore(source, engine, engine.dump.files, file.directory, context) };
}

/** Reads it to its end: what is not as it was written is found out before anybody gets a byte of it. */
async function readStep({ store, object, opening }: DumpSource, { log, signal }: RestoreDumpContext): Promise<void> {
  log.info({ step: 'read' }, 'step begins');
  const content = await store.get(object.key, { signal });
  for await (const _ of opened(content, passedOf(object), opening)) signal.throwIfAborted();
  log.info({ step: 'read' }, 'step done');
}

class DumpRestore {
  readonly #context: RestoreDumpContext;
  readonly #source: DumpSource;
  readonly #engine: Engine;

  constructor(context: RestoreDumpContext, source: DumpSource, engine: Engine) {
    this.#context = context;
    this.#source = source;
    this.#engine = engine;
  }

  async run(): Promise<Server> {
    const { config, readTarget, root, log } = this.#context;
    const { record, object } = this.#source;
    if (!readsIntoServer(toolsOf(this.#engine))) throw unreadByTools(this.#engine);
    refuseOnErrors(await imageFindings(root));
    const wanted = requestOf(config.spec, record);
    const target = await readTarget(this.#engine.name);
    const server = await this.#serverStep(target);
    this.#versionStep(server);
    const readerSays = await this.#readerStep();
    const request = await this.#emptyStep(target, { ...wanted, flavour: server.flavour, readerSays });
    if (config.spec.checkFirst === true) await readStep(this.#source, this.#context);
    log.info({ step: 'restore', location: object.location, bytes: object.bytes }, 'step begins');
    await say(this.#context, 'Normal', 'Restoring', `Restoring backup ${recordPath(record)}`);
    await this.#restoreStep(target, request);
    return server;
  }

  /** It may be applied together with the restore, and take a while to come up. */
  async #serverStep(target: Target): Promise<Server> {
    const { config, clock, log, signal } = this.#context;
    const { host, port } = target.connection;
    const seconds = config.spec.waitSeconds ?? WAIT_SECONDS;
    using limit = timeLimit(
      clock,
      seconds * 1000,
      () => new StillpointError('server-unreachable', `there was no server at ${host}:${port} in ${seconds} s`),
    );
    for (let told = false; ; ) {
      try {
        const session = await this.#engine.open(target, log, signal);
        await session.close();
        return session.server;
      } catch (thrown) {
        const error = asStillpointError(thrown);
        if (error.code !== 'server-unreachable' || limit.signal.aborted) throw error;
        if (!told) log.info({ host, port, code: error.code }, 'the server is waited for');
        told = true;
      }
      await pauseFor(clock, RETRY_MS, signal);
    }
  }

  #versionStep(server: Server): void {
    const unreadable = toolsOf(this.#engine).unreadable?.(this.#source.record.dump?.tool ?? '', server);
    if (unreadable === undefined) return;
    throw new StillpointError('tool-version', unreadable, {
      hint: 'restore into a server of the version of the tool that dumped, or a later one',
    });
  }

  /** What will read the dump, by its own words. */
  async #readerStep(): Promise<string | undefined> {
    const { reader } = toolsOf(this.#engine);
    if (reader === undefined) return undefined;
    const says = await saidBy(reader, this.#context);
    const weakness = reader.weakness(says);
    if (weakness !== undefined) this.#context.log.warn({ tool: says }, weakness);
    return says;
  }

  /** Nothing is mixed with what is there already (safety rule 12). */
  async #emptyStep(target: Target, request: RestoreRequest): Promise<RestoreRequest> {
    const { config, log, signal } = this.#context;
    const tools = toolsOf(this.#engine);
    if (request.database !== undefined) await tools.createDatabase?.(target, request.database, log, signal);
    const destination = await tools.destination?.(target, request, log, signal);
    const holds = destination?.holds ?? ['what it holds, which nobody can tell'];
    const { host, port } = target.connection;
    if (holds.length === 0) return { ...request, destination };
    if (config.spec.intoOccupied === true) {
      log.warn({ holds }, `${host}:${port} holds something already, and is restored into as it was told`);
      return { ...request, destination };
    }
    throw new StillpointError('restore-exists', `the server at ${host}:${port} is not empty: ${holds.join(', ')}`, {
      hint: 'restore into a new server; intoOccupied restores into this one all the same, and fails where both have the same',
    });
  }

  async #restoreStep(target: Target, request: RestoreRequest): Promise<void> {
    const { store, object, opening } = this.#source;
    const command = toolsOf(this.#engine).restore?.(target, request);
    if (command === undefined) throw unreadByTools(this.#engine);
    const content = await store.get(object.key, { signal: this.#context.signal });
    try {
      await restore(command, content, passedOf(object), { ...this.#context, ...opening });
    } catch (thrown) {
      throw halfRestored(asStillpointError(thrown), target);
    }
  }
}

function unreadByTools({ name }: Engine): StillpointError {
  return new StillpointError('config-invalid', `no tool of ${name} reads a dump back into a server`, {
    hint: 'it is restored into the data directory of a new server, before that starts: name that folder',
  });
}

/** From the tool's first byte on it is not known any more what the server holds. */
function halfRestored(error: StillpointError, { connection: { host, port } }: Target): StillpointError {
  if (error.code === 'tool-missing') return error;
  return new StillpointError(error.code, error.message, {
    cause: error,
    exitCode: 7,
    hint: `the server at ${host}:${port} may hold a part of the dump: throw it away, and restore into a new one`,
  });
}
