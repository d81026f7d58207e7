import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { type StatusOptions, status } from '../../../runner/commands/status';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { QuietLog } from '../../support/quiet-log';

let folder: string;
const notes: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-status-'));
  notes.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function ask(more: Partial<StatusOptions>): Promise<void> {
  const registry = new DirectoryRegistry(folder, new QuietLog());
  const context = {
    registry,
    clock: systemClock,
    print: () => undefined,
    note: (text: string) => void notes.push(text),
  };
  return status(context, { output: 'table', ...more } as StatusOptions);
}

it('says on the side that a namespace has no databases', async () => {
  await ask({ namespace: 'shop' });
  expect(notes).toEqual(['No databases found in namespace shop.']);
});

it.each([
  ['shop', 'in namespace shop'],
  [undefined, 'in any namespace'],
])('does not tell monitoring that all is well where there is nothing to be well: %s', async (namespace, where) => {
  await expect(ask({ namespace, maxAgeMs: 1000 })).rejects.toMatchObject({
    code: 'database-not-found',
    message: expect.stringContaining(where),
  });
});
