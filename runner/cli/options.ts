/** What several commands take: one wording, one meaning, one way to read it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_REGISTRY_NAMESPACE } from '../../src/contract';
import { type Moment, parseDuration, parseMoment } from '../output/duration';
import { OUTPUTS, type Output } from '../output/records';

/** What every command knows of where to look. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly registry: string;
  readonly registryDirectory?: string;
}

export interface OutputOption {
  readonly output: Output;
}

/** Where to look: the options of {@link GlobalOptions}. */
export function withGlobals(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the kubeconfig to use')
    .option('--context <name>', 'the context of the kubeconfig')
    .option('-n, --namespace <namespace>', "the database's namespace; that of the context unless given")
    .option('-A, --all-namespaces', 'look in all namespaces')
    .addOption(
      new Option('--registry <namespace>', 'the namespace that the records are in')
        .default(DEFAULT_REGISTRY_NAMESPACE)
        .env('STILLPOINT_REGISTRY')
        .argParser(namespaceArgument),
    )
    .option('--registry-directory <folder>', 'the folder that the records are in, for backups without a cluster');
}

export function withOutput(command: Command): Command {
  return command.addOption(new Option('-o, --output <format>', 'how to print it').choices(OUTPUTS).default('table'));
}

/** Choosing by labels, where several could be meant. */
export function withSelector(command: Command, what = 'those with these labels'): Command {
  return command.addOption(
    new Option('-l, --selector <labels>', `${what}, as kubectl's -l has it`).argParser(selectorArgument),
  );
}

/** A bucket alone, without the cluster. */
export function fromStore(what = 'the records that lie in this store, without a cluster'): Option {
  return new Option(
    '--from <store>',
    `${what}: s3://bucket/prefix?endpoint=…&region=…, gs://, azure://, swift://, file:///`,
  );
}

/** How long a command may take. */
export function timeout(fallback: string): Option {
  return new Option('--timeout <duration>', 'how long to wait, as 90s, 30m, 1h30m')
    .argParser(durationArgument)
    .default(durationArgument(fallback), fallback);
}

/** For a command that works in a pod: its outcome goes into the termination message. */
export function resultFile(): Option {
  return new Option('--result <file>', 'write the findings there, packed, for whoever watches the pod').hideHelp();
}

/** Examples, after a command's help. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

export function portArgument(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidArgumentError('a port is a number from 1 to 65535.');
}

/** An option that takes the name of something: a flag that follows it is none, and the name was forgotten. */
export function nameOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) => {
    if (text.startsWith('-')) throw new InvalidArgumentError('The name is missing.');
    return text;
  });
}

/** When: an age, or an instant. */
export function momentArgument(text: string): Moment {
  const moment = parseMoment(text);
  if (moment !== undefined) return moment;
  throw new InvalidArgumentError('an age looks as 24h or 30d, an instant as 2026-11-21 or 2026-11-21T02:00:00Z (UTC)');
}

/** Several of some words: `failed,deleting`. */
export function wordsArgument<T extends string>(words: readonly T[]): (text: string) => readonly T[] {
  return (text) =>
    text.split(',').map((word) => {
      const known = words.find((each) => each === word);
      if (known === undefined) throw new InvalidArgumentError(`Allowed choices are ${words.join(', ')}.`);
      return known;
    });
}

/** In milliseconds. */
export function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('a duration looks as 90s, 30m, 1h30m or 2d');
  return ms;
}

/** An empty one, as of a variable that was never set, would mean all; a flag that follows is none. */
function selectorArgument(text: string): string {
  if (text.trim() !== '' && !text.startsWith('-')) return text;
  throw new InvalidArgumentError('The labels are missing, as stillpoint.dev/trigger=manual.');
}

/** An empty one would mean all namespaces to the API. */
function namespaceArgument(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('a namespace has a name');
}
