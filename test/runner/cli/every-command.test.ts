/** The same flags everywhere, kubectl's for kubectl's things, and help with examples that work: every command is walked. */
import type { Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram, type Handlers } from '../../../runner/cli';
import { commandFirst, WHERE } from '../../../runner/cli/words';
import { OUTPUTS } from '../../../runner/output/records';
import { EXPORT_FORMATS } from '../../../runner/travel/document';

/** What was called, by an example. */
const called: string[] = [];
const handlers = new Proxy({} as Handlers, {
  get: (_, name) => async () => {
    called.push(String(name));
    return '';
  },
});
const program = buildProgram('1', handlers, () => undefined);
const commands = program
  .createHelp()
  .visibleCommands(program)
  .filter((command) => command.name() !== 'help');
for (const command of [program, ...program.commands]) {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
}
const named = commands.map((command) => [command.name(), command] as const);

/** They ask no cluster and no registry. */
const NOWHERE = ['completion', 'keygen', 'switch'];

/** What their output is, where it is none that could be printed in several ways. */
const NO_OUTPUT: Readonly<Record<string, string>> = {
  run: 'nothing is printed: what the pods of a policy do stands in the log and the record',
  completion: 'a script',
  keygen: 'two files',
};

/** What -o may be, where it is not what it may be elsewhere. */
const OTHER_OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  // The document itself is what is printed: another program reads it.
  export: EXPORT_FORMATS,
};

const option = (command: Command, long: string): Option | undefined =>
  command.options.find((each) => each.long === long);

test('all commands of the program are walked', () => {
  expect(commands.map((command) => command.name()).sort()).toEqual(
    'backup check clone completion delete describe doctor export heal import keygen list protect prune release restore run status switch wait'.split(
      ' ',
    ),
  );
});

describe.each(named)('%s', (name, command) => {
  test('is told in the same way where to look', () => {
    const told = WHERE.options.map(({ flags, description }) => ({ flags, description }));
    const own = command.options.map(({ flags, description }) => ({ flags, description }));
    if (NOWHERE.includes(name))
      expect(own.filter(({ flags }) => told.some((each) => each.flags === flags))).toEqual([]);
    else expect(own).toEqual(expect.arrayContaining(told));
  });

  test('prints what comes of it as it is asked to', () => {
    const output = option(command, '--output');
    if (name in NO_OUTPUT) expect(output).toBeUndefined();
    else {
      expect(output?.short).toBe('-o');
      expect(output?.argChoices).toEqual(OTHER_OUTPUTS[name] ?? OUTPUTS);
    }
  });

  test('chooses by labels where several backups or databases can be meant', () => {
    const several = command.registeredArguments.some((each) => each.variadic && each.name() === 'backup');
    const shows = ['list', 'status'].includes(name);
    expect(option(command, '--selector')?.short).toBe(several || shows ? '-l' : undefined);
  });

  test('takes the name of what it is about first, as others do', () => {
    const [first, ...others] = command.registeredArguments;
    expect(others).toEqual([]);
    if (first !== undefined) {
      expect(['backup', 'database', 'name', 'policy', 'file', 'shell', 'alias']).toContain(first.name());
    }
  });

  test('has examples in its help, each of which it takes', async () => {
    const lines = examplesOf(command);
    expect(lines).not.toEqual([]);
    called.length = 0;
    let own = 0;
    for (const words of lines.flatMap(callsIn)) {
      await program.parseAsync(commandFirst(words), { from: 'user' });
      if (words[0] === name) own++;
    }
    expect(own).toBeGreaterThan(0);
    if (name !== 'completion') expect(called).toContain(name);
  });
});

test('a flag is the same flag in every command that has it', () => {
  const seen = new Map<string, Set<string>>();
  for (const { short, long, flags } of commands.flatMap((command) => command.options)) {
    // Where a command makes one volume alone, --size is one; the thing is the same.
    const key = long ?? '';
    seen.set(
      key,
      (seen.get(key) ?? new Set()).add(`${short ?? ''} ${/[<[].*/.exec(flags)?.[0].replace('...', '') ?? ''}`),
    );
  }
  expect([...seen].filter(([, ways]) => ways.size > 1)).toEqual([]);
  const shorts = new Map<string, Set<string>>();
  for (const { short, long } of commands.flatMap((command) => command.options)) {
    if (short !== undefined) shorts.set(short, (shorts.get(short) ?? new Set()).add(long ?? ''));
  }
  expect([...shorts].filter(([, longs]) => longs.size > 1)).toEqual([]);
});

test.each([
  ['delete', '-l', ''],
  ['delete', '-l', '--yes'],
  ['list', '--selector= '],
  ['wait', '-l', ' '],
])('%s %s %j means nobody: a variable that is empty does not choose all', async (...words) => {
  await expect(program.parseAsync(words, { from: 'user' })).rejects.toThrow(/The labels are missing/);
});

/** The lines below `Examples:`, which come last. */
function examplesOf(command: Command): readonly string[] {
  let text = '';
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  const [, examples = ''] = text.split('\nExamples:\n');
  return examples
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim());
}

/** What of a line of a shell runs stillpoint, as words. */
function callsIn(line: string): readonly (readonly string[])[] {
  return line
    .replace(/^source <\((.*)\)$/, '$1')
    .split(' | ')
    .flatMap((part) => {
      const [, call] = /(?:^|\s)stillpoint (.*)$/.exec(part) ?? [];
      if (call === undefined) return [];
      return [[...call.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')];
    });
}
