/** The files of a server that does not run, made fit to be dumped: completed where a crash has left them, and checked. */
import type { Readable } from 'node:stream';
import { asStillpointError, StillpointError } from '../errors';
import { Child, type ChildOptions } from '../pipe/child';
import type { Log } from '../ports';
import type { StoredDatabase, StoredFacts, StoredFiles } from '../tools/tool';
import { answerOf } from './tool-version';

/** A server writes all that it holds in memory before it ends. */
const STOP_MS = 600_000;

export interface FilesContext extends ChildOptions {
  readonly log: Log;
}

/** What the tool says of the files. Throws tool-failed where there are none, or a server has them open. */
export async function lookAtFiles(
  files: StoredFiles,
  what: StoredDatabase,
  options: ChildOptions,
): Promise<StoredFacts> {
  await files.prepare(what);
  try {
    return files.facts(await answerOf(files.look(what), options));
  } catch (thrown) {
    const { code, message, cause } = asStillpointError(thrown);
    if (code !== 'tool-failed') throw thrown;
    throw new StillpointError(code, `the files in ${what.directory} were not looked at: ${message}`, {
      hint: 'name a copy of the volume, on which no server runs, and the folder of it that is the data directory',
      cause,
    });
  }
}

/** Completes the files where that is needed, and checks them where that is wanted. Returns what they are then. */
export async function readyFiles(
  files: StoredFiles,
  what: StoredDatabase,
  { facts, check }: { readonly facts: StoredFacts; readonly check: boolean },
  context: FilesContext,
): Promise<StoredFacts> {
  const ready = facts.incomplete ? await completed(files, what, context) : facts;
  if (check) {
    context.log.info({ step: 'consistency' }, 'step begins');
    await answerOf(files.check(what), context);
    context.log.info({ step: 'consistency' }, 'step done');
  }
  return ready;
}

/** As a server does it at its start: it is started, and ended when it has. */
async function completed(files: StoredFiles, what: StoredDatabase, context: FilesContext): Promise<StoredFacts> {
  const { log } = context;
  log.info({ step: 'complete', database: what.database }, 'step begins');
  const { command, done } = files.complete(what);
  await Child.during(command, { ...context, graceMs: STOP_MS }, async (child) => {
    child.stdin.end();
    await Promise.race([saysDone(child.stdout, done), endedTooSoon(child, command.program)]);
  });
  const facts = await lookAtFiles(files, what, context);
  log.info({ step: 'complete', ...facts.position }, 'step done');
  if (!facts.incomplete) return facts;
  throw new StillpointError(
    'tool-failed',
    `${command.program} was started on the files in ${what.directory} and ended again, and the database ${what.database} is as incomplete as before`,
    { hint: 'look whether the server starts on a restored copy: stillpoint restore --start' },
  );
}

/** Resolves at the line that says so, and reads on: a server whose output nobody takes would wait. */
function saysDone(output: Readable, done: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let line = '';
  output.on('data', (chunk: Buffer) => {
    const lines = (line + chunk.toString('utf8')).split('\n');
    if (lines.some((each) => each.trimEnd().endsWith(done))) resolve();
    line = (lines.at(-1) ?? '').slice(-1_000);
  });
  return promise;
}

async function endedTooSoon(child: Child, program: string): Promise<never> {
  await child.endedWell();
  throw new StillpointError('tool-failed', `${program} ended before it had completed the files`);
}
