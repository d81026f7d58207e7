/** What could come next on a command line, of the real program. */
import { describe, expect, it } from 'vitest';
import { buildProgram, type Handlers } from '../../../runner/cli';
import { complete, type Known, wordsToComplete } from '../../../runner/cli/completion';
import { ENGINE_NAMES } from '../../../src/contract';

const program = buildProgram('1', {} as Handlers, () => undefined);

/** The answer to a line, whose last word is being typed; and what was asked of the cluster for it. */
async function answer(line: string): Promise<{ readonly lines: readonly string[]; readonly asked: readonly Known[] }> {
  const asked: Known[] = [];
  const handlers = {
    candidates: async (known: Known) => {
      asked.push(known);
      return [{ value: 'orders-db' }, { value: 'other', about: 'of several\nlines' }];
    },
  };
  const text = await complete(program, line.split(' '), handlers);
  return { lines: text.trimEnd().split('\n'), asked };
}

const values = async (line: string): Promise<string> =>
  (await answer(line)).lines.map((each) => each.split('\t')[0]).join(' ');

describe('completion', () => {
  it.each([
    ['li', 'list :4'],
    ['comple', 'completion :4'],
    ['nothing-like-it ', ':4'],
    // What is not for people is not offered to them.
    ['prep', ':4'],
    ['list --eng', '--engine :4'],
    ['ls --eng', '--engine :4'],
    ['-n shop li', 'list :4'],
    ['--all', '--all-namespaces :4'],
    ['nobody li', ':4'],
    ['-A list --eng', '--engine :4'],
    ['doctor --res', ':4'],
    ['list --engine ', `${ENGINE_NAMES.join(' ')} group :4`],
    ['list --engine=my', '--engine=mysql :4'],
    ['list -o j', 'json :4'],
    ['wait --for=su', '--for=succeeded :4'],
    ['completion z', 'zsh :4'],
    ['completion zsh ', ':4'],
    ['backup --config ', ':0'],
    ['import ', ':0'],
    ['backup --wait=', ':4'],
    ['list --kubeconfig=', ':0'],
    // One argument, and no more.
    ['list orders-db ', ':4'],
  ])('of "%s" is %s', async (line, expected) => {
    expect(await values(line)).toBe(expected);
  });

  it.each([
    ['list ', 'database', {}],
    ['list -n shop ', 'database', { namespace: 'shop' }],
    ['-n ', 'namespace', {}],
    ['-A --context ', 'context', { allNamespaces: true }],
    ['-n shop list ', 'database', { namespace: 'shop' }],
    ['list --namespace=shop -A ', 'database', { namespace: 'shop', allNamespaces: true }],
    ['describe ', 'name', {}],
    ['restore --claim copy ', 'backup', { claim: 'copy' }],
    ['delete orders-db/20260101020000 ', 'backup', {}],
    ['doctor --context prod ', 'policy', { context: 'prod' }],
    ['list -n ', 'namespace', {}],
    ['list --context ', 'context', {}],
    ['list --registry ', 'namespace', {}],
  ])('for "%s" asks the cluster for a %s with %j', async (line, kind, options) => {
    expect((await answer(line)).asked).toMatchObject([{ kind, options, current: '' }]);
  });

  it('gives what the cluster knows as cobra does, and only what fits', async () => {
    expect((await answer('list o')).lines).toEqual(['orders-db', 'other\tof several', ':4']);
    expect((await answer('list or')).lines).toEqual(['orders-db', ':4']);
    expect((await answer('list --namespace=or')).lines).toEqual(['--namespace=orders-db', ':4']);
  });

  it('is asked for by a word of its own, or by the name that kubectl calls', () => {
    expect(wordsToComplete(['node', '/bin/stillpoint', '__complete', 'list', ''])).toEqual(['list', '']);
    expect(wordsToComplete(['node', '/bin/kubectl_complete-stillpoint', 'list', ''])).toEqual(['list', '']);
    expect(wordsToComplete(['node', '/bin/stillpoint', 'list', ''])).toBeUndefined();
  });
});
