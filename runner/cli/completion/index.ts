/** Completion on the command line: `completion`, and what the shells and kubectl ask on each tab. */
import { basename } from 'node:path';
import { Argument, type Command } from 'commander';
import type { Program } from '../family';
import { examples } from '../options';
import { DIRECTIVES, SCRIPTS, SHELLS, type Shell } from './scripts';
import { type Candidate, type Wanted, wantedFor } from './wanted';

export type { Candidate, Kind } from './wanted';

/** What is asked of the cluster. */
export type Known = Extract<Wanted, { readonly what: 'known' }>;

export interface CompletionHandlers {
  /** What there is of a kind; nothing where the cluster does not say so at once. Never rejects. */
  candidates(wanted: Known): Promise<readonly Candidate[]>;
}

/** The word with which shells ask. It is no command, so that no option of ours is read among the words. */
const ASK = '__complete';

/** By this name kubectl asks, where `kubectl stillpoint` is to be completed. */
const KUBECTL_ASKS = 'kubectl_complete-stillpoint';

export function addCompletionCommands({ command, handle }: Program): void {
  command('completion', 'Print what a shell needs to complete commands, databases and backups')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `\nFor kubectl stillpoint, ${KUBECTL_ASKS} has to be on the PATH beside kubectl-stillpoint; npm puts both there.\n${examples(
        [
          'source <(stillpoint completion bash)',
          'source <(stillpoint completion zsh)',
          'stillpoint completion fish | source',
        ],
      )}`,
    )
    .action(handle(async (shell: Shell) => SCRIPTS[shell]));
}

/** The words to complete, when that is what the process was started for. */
export function wordsToComplete(argv: readonly string[]): readonly string[] | undefined {
  const [, file = '', first, ...rest] = argv;
  if (basename(file) === KUBECTL_ASKS) return argv.slice(2);
  return first === ASK ? rest : undefined;
}

/** The answer to a shell. */
export async function complete(root: Command, words: readonly string[], handlers: CompletionHandlers): Promise<string> {
  const wanted = wantedFor(root, words);
  if (wanted.what === 'files') return `${DIRECTIVES.files}\n`;
  const found = wanted.what === 'these' ? wanted.candidates : await knownFor(wanted, words.at(-1) ?? '', handlers);
  const lines = found.map(({ value, about }) => (about === undefined ? value : `${value}\t${firstLine(about)}`));
  return [...lines, DIRECTIVES.nothingElse].map((line) => `${line}\n`).join('');
}

async function knownFor(wanted: Known, current: string, handlers: CompletionHandlers): Promise<readonly Candidate[]> {
  return (await handlers.candidates(wanted))
    .map(({ value, about }) => ({ value: `${wanted.prefix}${value}`, about }))
    .filter(({ value }) => value.startsWith(current));
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
