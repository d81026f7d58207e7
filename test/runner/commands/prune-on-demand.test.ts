import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { pruneOnDemand } from '../../../runner/commands/prune-on-demand';
import type { Pruner, Remover } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let folder: string;
let registry: DirectoryRegistry;
let calls: string[];
let pruner: Pruner;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-prune-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
  calls = [];
  pruner = { ask: async () => void calls.push('ask'), rest: async () => void calls.push('rest') };
  await registry.create(record({ phase: 'deleting' }));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const world = {
  policies: { list: async () => [] },
  uses: { stale: async () => [] },
  clock: systemClock,
  log: new QuietLog(),
  holder: 'this test',
};
const later = record({ id: '20260101030000', phase: 'deleting' });

it('rests when all is done', async () => {
  const remover: Remover = { remove: async () => [], removeLeftovers: async () => [] };
  await pruneOnDemand({ ...world, registry, remover }, pruner);
  expect(calls).toEqual(['rest']);
  expect(await registry.list({})).toEqual([]);
});

it('asks for another one when there is more to do than it saw: who asked meanwhile was not heard', async () => {
  const remover: Remover = {
    async remove() {
      await registry.create(later);
      return [];
    },
    removeLeftovers: async () => [],
  };
  await pruneOnDemand({ ...world, registry, remover }, pruner);
  expect(calls).toEqual(['rest', 'ask']);
});

it('does not ask for what could not be removed', async () => {
  const remover: Remover = { remove: async () => ['volumesnapshot/stuck'], removeLeftovers: async () => [] };
  await pruneOnDemand({ ...world, registry, remover }, pruner);
  expect(calls).toEqual(['rest']);
});
