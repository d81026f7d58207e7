/** What the command line refuses before anything is asked of a cluster. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { buildProgram, type Handlers } from '../../../runner/cli';
import type { ListCommandOptions } from '../../../runner/cli/records';
import { commandFirst } from '../../../runner/cli/words';
import { RECORDED_ENGINES } from '../../../src/contract';

afterEach(() => void vi.unstubAllEnvs());

/** Parses a line; answers with the options that `list` was called with. */
async function parsed(...words: readonly string[]): Promise<ListCommandOptions | undefined> {
  let seen: ListCommandOptions | undefined;
  const list: Handlers['list'] = async (_, options) => {
    seen = options;
    return '';
  };
  const program = buildProgram('1', { list } as Handlers, () => undefined);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(commandFirst(words), { from: 'user' });
  return seen;
}

describe('the registry', () => {
  test('is the one that the option, the variable or nobody names', async () => {
    expect((await parsed('list'))?.registry).toBe('stillpoint');
    vi.stubEnv('STILLPOINT_REGISTRY', 'ours');
    expect((await parsed('list'))?.registry).toBe('ours');
    expect((await parsed('list', '--registry', 'theirs'))?.registry).toBe('theirs');
  });

  test('without a name is refused: the API would take it for all namespaces', async () => {
    await expect(parsed('list', '--registry', '')).rejects.toThrow(/a namespace has a name/);
    vi.stubEnv('STILLPOINT_REGISTRY', '');
    await expect(parsed('list')).rejects.toThrow(/a namespace has a name/);
  });
});

test.each([
  [['-n', 'shop', 'list'], { namespace: 'shop' }],
  [['--namespace=shop', '--context', 'prod', 'list'], { namespace: 'shop', context: 'prod' }],
  [['-A', 'list', '-o', 'json'], { allNamespaces: true, output: 'json' }],
  [['-A', '--registry', 'ours', 'list', '--no-headers'], { allNamespaces: true, registry: 'ours', headers: false }],
  // The last one counts, as with kubectl.
  [['-n', 'shop', 'list', '-n', 'bank'], { namespace: 'bank' }],
])('%j looks where the flags before the command say', async (words, options) => {
  expect(await parsed(...words)).toMatchObject(options);
});

test.each([
  [['-o', 'json', 'list'], /unknown option '-o'/],
  [['-n', 'shop', 'lost'], /unknown command 'lost'/],
  [['--namespace', 'list'], /unknown option '--namespace'/],
  // Commands that ask no cluster look nowhere.
  [['-n', 'shop', 'completion', 'bash'], /unknown option '-n'/],
])('%j is refused by its first wrong word', async (words, message) => {
  await expect(parsed(...words)).rejects.toThrow(message);
});

test('an engine that there is not is refused, with those that there are', async () => {
  await expect(parsed('list', '--engine', 'oracle')).rejects.toThrow(
    `Allowed choices are ${RECORDED_ENGINES.join(', ')}`,
  );
});

test.each([
  ['restore', '--undo', '-n', 'shop'],
  ['restore', '--in-place', '--undo', '--yes'],
  ['clone', '--undo', '-n', 'shop'],
])('%s %s before another flag has no name, and is not taken to have that one', async (...words) => {
  await expect(parsed(...words)).rejects.toThrow(/The name is missing/);
});
