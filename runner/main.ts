/**
 * Arguments → command → exit code: the only file that exits the process. What the commands need is put together by
 * wiring/; both are imported when a command is chosen, so that none pays for another.
 */
import { CommanderError } from 'commander';
import { buildProgram } from './cli';
import { complete, wordsToComplete } from './cli/completion';
import { commandFirst } from './cli/words';
import { systemClock } from './clock';
import { asStillpointError, type ExitCode, StillpointError } from './errors';
import { LastLines, leaveLastWords } from './last-words';
import { createLog, type LogFormat } from './log';
import { RUNNER_VERSION } from './version';
import { ask } from './wiring/ask';
import type { Terminal } from './wiring/handlers/terminal';
import type { World } from './wiring/world';

/** In a pod the log is read by machines, elsewhere by whoever typed the command. */
const inPod = process.env.KUBERNETES_SERVICE_HOST !== undefined;
const logFormat: LogFormat = inPod ? 'json' : 'text';
const said = new LastLines(process.stderr);

// Whoever reads (head) may have had enough: what is at work, a backup even, is not broken off for that.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
// With nothing left to wait for, node would end in the middle, and say 0: a Job would be complete that is not.
process.exitCode = 1;
const cutShort = (): void => {
  process.stderr.write('error: the program ended before its work did (internal)\n');
};
process.once('exit', cutShort);
process.exitCode = await main();
process.off('exit', cutShort);
// Idle connections to the API server may still be open; what was printed has to be out first.
process.stdout.write('', () => process.exit());

async function main(): Promise<ExitCode> {
  const world = makeWorld();
  const { makeHandlers } = await import('./wiring/handlers');
  const print = (text: string): void => void process.stdout.write(text);
  const terminal: Terminal = {
    print,
    printed: (text) => new Promise((resolve) => void process.stdout.write(text, () => resolve())),
    note: (text) => void process.stderr.write(`${text}\n`),
    // Knows NO_COLOR, FORCE_COLOR and terminals that have none.
    colours: process.stdout.isTTY === true && process.stdout.hasColors(),
    confirm: (question) => ask(question, world.signal),
  };
  const handlers = makeHandlers(world, terminal);
  const program = buildProgram(RUNNER_VERSION, handlers, print);
  try {
    const words = wordsToComplete(process.argv);
    if (words !== undefined) {
      print(await complete(program, words, handlers));
      return 0;
    }
    await program.parseAsync(commandFirst(process.argv.slice(2)), { from: 'user' });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    return await report(asStillpointError(thrown), world);
  }
}

/** Logs go to the standard error, results to the standard output. */
function makeWorld(): World {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop.abort(
        inPod
          ? new StillpointError('interrupted', `the runner was told to stop by ${signal}`, {
              hint: 'what it had begun is undone; the next pod of the Job begins anew',
            })
          : new StillpointError('interrupted', `stopped by ${signal}`),
      );
    });
  }
  return {
    env: process.env,
    clock: systemClock,
    log: createLog(logFormat, said),
    signal: stop.signal,
    version: RUNNER_VERSION,
  };
}

/** The sentence, its code and what to do: as lines for people, as a log line for machines. */
async function report(error: StillpointError, { log }: World): Promise<ExitCode> {
  const { code, message, hint, exitCode } = error;
  if (logFormat === 'text') {
    process.stderr.write(`error: ${message} (${code})\n${hint === undefined ? '' : `  ${hint}\n`}`);
  } else {
    const stack = code === 'internal' && error.cause instanceof Error ? error.cause.stack : undefined;
    const before = said.lines;
    log.error({ code, hint, exitCode, stack }, message);
    await leaveLastWords(error, before);
  }
  return exitCode;
}
