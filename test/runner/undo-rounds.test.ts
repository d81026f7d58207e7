import { expect, it } from 'vitest';
import { undoInRounds } from '../../runner/undo-rounds';

it('lets go what an engine holds before what holds it from outside, all of it, and then tells the first failure', async () => {
  const said: string[] = [];
  const all = (
    [
      ['hook', 'hook'],
      ['lock', undefined],
      ['workload', 'workload'],
      ['setting', undefined],
    ] as const
  ).map(([name, by]) => ({ name, held: by === undefined ? {} : { by } }));
  const undoing = undoInRounds(all, async ({ name }) => {
    await Promise.resolve();
    if (name === 'lock') throw new Error('locked');
    said.push(name);
    return name;
  });
  await expect(undoing).rejects.toThrow('locked');
  expect(said).toEqual(['setting', 'hook', 'workload']);
  expect(await undoInRounds(all.slice(2), async ({ name }) => name)).toEqual(['setting', 'workload']);
});
