/** What could come next on a command line. Pure: the program's own commands and options are all that is asked. */
import type { Command, Option } from 'commander';
import { commandFirst, WHERE } from '../words';

/** One that could come next. */
export interface Candidate {
  readonly value: string;
  readonly about?: string | undefined;
}

/** What only the cluster knows. */
export const KINDS = ['backup', 'database', 'policy', 'name', 'namespace', 'context'] as const;

/** One of {@link KINDS}: arguments and the values of options are called so. */
export type Kind = (typeof KINDS)[number];

/** What is wanted for the word that is being typed. */
export type Wanted =
  | { readonly what: 'these'; readonly candidates: readonly Candidate[] }
  | { readonly what: 'files' }
  | {
      readonly what: 'known';
      readonly kind: Kind;
      /** What comes before the word that is looked for, as `--namespace=`. */
      readonly prefix: string;
      /** What there is of it. */
      readonly current: string;
      /** The options that are given already, by their names in the program. */
      readonly options: Readonly<Record<string, string | true>>;
    };

/** What could stand in place of the last of some words, which may be empty. */
export function wantedFor(root: Command, words: readonly string[]): Wanted {
  const current = words.at(-1) ?? '';
  const given = commandFirst(words.slice(0, -1));
  const command = root.commands.find((each) => each.name() === given[0] || each.aliases().includes(given[0] ?? ''));
  if (command === undefined) {
    const before = read(WHERE, given);
    return ofFlags(WHERE, before, current) ?? (before.positions > 0 ? NOTHING : these(commandsOf(root), current));
  }
  const typed = read(command, given.slice(1));
  return ofFlags(command, typed, current) ?? ofArguments(command, typed, current);
}

/** Undefined when it is neither a flag that is being typed nor the value of one. */
function ofFlags(command: Command, { options, open }: Typed, current: string): Wanted | undefined {
  if (open !== undefined) return valuesOf(open, '', current, options);
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  const inline = flag === undefined ? undefined : optionNamed(command, flag);
  if (inline !== undefined) return valuesOf(inline, `${flag}=`, value ?? '', options);
  return current.startsWith('-') ? these(flagsOf(command), current) : undefined;
}

function ofArguments(command: Command, { options, positions }: Typed, current: string): Wanted {
  const argument = command.registeredArguments[positions] ?? command.registeredArguments.find((each) => each.variadic);
  if (argument === undefined) return NOTHING;
  if (argument.argChoices !== undefined)
    return these(
      argument.argChoices.map((choice) => ({ value: choice })),
      current,
    );
  if (FILES.includes(argument.name())) return { what: 'files' };
  return known(argument.name(), { prefix: '', current, options });
}

/** Arguments and values that the shell itself completes. */
const FILES: readonly string[] = ['file', 'folder'];

const NOTHING: Wanted = { what: 'these', candidates: [] };

interface Typed {
  readonly options: Record<string, string | true>;
  readonly positions: number;
  readonly open: Option | undefined;
}

/** What was typed so far: options with their values, how many words besides, and an option that still waits for its value. */
function read(command: Command, words: readonly string[]): Typed {
  const options: Record<string, string | true> = {};
  let positions = 0;
  let open: Option | undefined;
  for (const word of words) {
    if (open !== undefined) {
      options[open.attributeName()] = word;
      open = undefined;
      continue;
    }
    const [flag = '', ...rest] = word.split('=');
    const option = word.startsWith('-') ? optionNamed(command, flag) : undefined;
    if (option === undefined) positions += word.startsWith('-') ? 0 : 1;
    else if (!takesValue(option)) options[option.attributeName()] = true;
    else if (rest.length > 0) options[option.attributeName()] = rest.join('=');
    else open = option;
  }
  return { options, positions, open };
}

function valuesOf(option: Option, prefix: string, current: string, options: Record<string, string | true>): Wanted {
  if (!takesValue(option)) return NOTHING;
  if (option.argChoices !== undefined) {
    return these(
      option.argChoices.map((choice) => ({ value: `${prefix}${choice}` })),
      `${prefix}${current}`,
    );
  }
  const [, called = ''] = /[<[]([^>\].]+)/.exec(option.flags) ?? [];
  if (FILES.includes(called)) return { what: 'files' };
  // `--context <name>` is a context.
  return known(called === 'name' ? (option.long ?? '').slice(2) : called, { prefix, current, options });
}

function known(called: string, more: Omit<Extract<Wanted, { what: 'known' }>, 'what' | 'kind'>): Wanted {
  const kind = KINDS.find((each) => each === called);
  return kind === undefined ? NOTHING : { what: 'known', kind, ...more };
}

function these(candidates: readonly Candidate[], current: string): Wanted {
  return { what: 'these', candidates: candidates.filter(({ value }) => value.startsWith(current)) };
}

function commandsOf(root: Command): readonly Candidate[] {
  return root
    .createHelp()
    .visibleCommands(root)
    .map((each) => ({ value: each.name(), about: each.description() }));
}

function flagsOf(command: Command): readonly Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description }) => (long == null ? [] : [{ value: long, about: description }]));
}

function optionNamed(command: Command, flag: string): Option | undefined {
  return command.options.find(({ long, short }) => long === flag || short === flag);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}
