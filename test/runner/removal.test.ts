/** Safety rule 10 with two who remove backups at once: in every order in which their steps can come, and with one that crashes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { deleteBackups } from '../../runner/commands/delete';
import { protect } from '../../runner/commands/protect';
import { prune } from '../../runner/commands/prune';
import type { Registry, Remover, StoredRecord } from '../../runner/ports';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { DirectoryUses } from '../../runner/registry/directory-uses';
import type { Policy, Retention } from '../../src/contract';
import { gathered } from '../support/gathered';
import { policyOf } from '../support/histories';
import { everyOrder, type Turn } from '../support/interleaving';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

const OLDER = '20260101020000';
const NEWER = '20260102020000';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-removal-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A registry of its own with some good backups, and whose data is gone. */
interface World {
  readonly registry: DirectoryRegistry;
  readonly gone: string[];
  readonly restored: string[];
}

let worlds = 0;

async function makeWorld(ids: readonly string[]): Promise<World> {
  const registry = new DirectoryRegistry(join(folder, `${worlds++}`), new QuietLog());
  for (const id of ids) await registry.create(record({ id }));
  return { registry, gone: [], restored: [] };
}

/** The registry, asked step by step. */
function stepwise(registry: Registry, turn: Turn): Registry {
  return new Proxy(registry, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || !['list', 'get', 'update', 'remove'].includes(String(name))) return member;
      return async (...args: unknown[]) => {
        await turn();
        return await (member as (...all: unknown[]) => Promise<unknown>).apply(target, args);
      };
    },
  });
}

function contextOf({ registry, gone }: World, turn: Turn, holder: string, policies: readonly Policy[] = []) {
  const remover: Remover = {
    remove: async ({ record: { id } }: StoredRecord) => {
      await turn();
      gone.push(id);
      return [];
    },
    removeLeftovers: async () => [],
  };
  return {
    registry: stepwise(registry, turn),
    policies: { list: async () => policies },
    uses: new DirectoryUses(registry),
    remover,
    clock: systemClock,
    log: new QuietLog(),
    holder,
    locksOf: () => ({ acquire: () => expect.unreachable('nothing is being made') }),
    confirm: async () => true,
  };
}

type Process = (turn: Turn) => Promise<void>;

const pruning =
  (world: World, holder: string, retention: Retention): Process =>
  async (turn) => {
    await prune(contextOf(world, turn, holder, [policyOf(retention)]));
  };
const deleting =
  (world: World, holder: string, id: string): Process =>
  async (turn) => {
    for await (const _ of deleteBackups(contextOf(world, turn, holder), [id], { yes: true }));
  };

/** The ids of the backups that are good, with their data. */
async function good({ registry, gone }: World): Promise<readonly string[]> {
  const stored = await registry.list({ phases: ['succeeded'] });
  const ids = stored.map(({ record: { id } }) => id);
  expect(ids.filter((id) => gone.includes(id))).toEqual([]);
  return ids;
}

const PAIRS: readonly [what: string, first: (world: World) => Process, second: (world: World) => Process][] = [
  [
    'a prune that removes the older and a person who deletes the newer',
    (world) => pruning(world, 'prune', { keepLast: 1 }),
    (world) => deleting(world, 'person', NEWER),
  ],
  [
    'a person who deletes the newer and a prune that removes the older',
    (world) => deleting(world, 'person', NEWER),
    (world) => pruning(world, 'prune', { keepLast: 1 }),
  ],
  [
    'two persons, each of whom deletes the other of the last two',
    (world) => deleting(world, 'one', OLDER),
    (world) => deleting(world, 'other', NEWER),
  ],
  [
    'two prunes of the same',
    (world) => pruning(world, 'one', { keepLast: 1 }),
    (world) => pruning(world, 'other', { keepLast: 1 }),
  ],
];

describe.each(PAIRS)('rule 10: %s', (_, first, second) => {
  const make = async (): Promise<{ world: World; processes: Process[] }> => {
    const world = await makeWorld([OLDER, NEWER]);
    return { world, processes: [first(world), second(world)] };
  };

  test('leave a good one, in whatever order their steps come', async () => {
    const orders = await everyOrder(make, async (world) => {
      expect((await good(world)).length).toBeGreaterThanOrEqual(1);
    });
    expect(orders).toBeGreaterThan(20);
  });

  test('leave a good one when the first crashes, and so does whoever prunes after that', async () => {
    for (let steps = 0; steps < 5; steps++) {
      const orders = await everyOrder(
        make,
        async (world) => {
          expect((await good(world)).length).toBeGreaterThanOrEqual(1);
          // The first may find a mark of the one that crashed, and takes it away.
          for (const later of ['later', 'latest']) {
            await pruning(world, later, { keepLast: 1 })(async () => undefined);
          }
          expect(await good(world)).toHaveLength(1);
        },
        { switches: 1, stopFirstAfter: steps },
      );
      expect(orders).toBeGreaterThan(0);
    }
  });
});

test('two prunes at once do what one does, and neither fails', async () => {
  const outcomes = new Set<string>();
  const failures: unknown[] = [];
  await everyOrder(
    async () => {
      const world = await makeWorld([OLDER, NEWER]);
      const told =
        (process: Process): Process =>
        (turn) =>
          process(turn).catch((thrown: unknown) => void failures.push(thrown));
      const one = told(pruning(world, 'one', { keepLast: 1 }));
      return { world, processes: [one, told(pruning(world, 'other', { keepLast: 1 }))] };
    },
    async (world) => void outcomes.add((await good(world)).join(' ')),
  );
  expect(failures).toEqual([]);
  expect([...outcomes]).toEqual([NEWER]);
});

describe('a prune', () => {
  const restoring =
    (world: World): Process =>
    async (turn) => {
      await turn();
      const stored = await world.registry.get('shop', 'orders-db', OLDER);
      if (stored === undefined) return;
      await turn();
      await using use = await new DirectoryUses(world.registry).begin(stored, 'restore copy');
      // Whoever holds the mark finds the data until it lets go.
      await turn();
      expect(world.gone).not.toContain(use.record.id);
      world.restored.push(use.record.id);
    };

  test('and a restore: either the backup is restored whole, or the restore is refused before it begins', async () => {
    const outcomes = new Set<string>();
    await everyOrder(
      async () => {
        const world = await makeWorld([OLDER, NEWER]);
        return { world, processes: [restoring(world), pruning(world, 'prune', { keepLast: 1 })] };
      },
      async (world) => void outcomes.add(world.restored.length === 1 ? 'restored' : 'refused'),
    );
    expect([...outcomes].sort()).toEqual(['refused', 'restored']);
  });

  test('and somebody who protects: what is protected stays', async () => {
    const outcomes = new Set<boolean>();
    await everyOrder(
      async () => {
        const world = await makeWorld([OLDER, NEWER]);
        const protecting: Process = async (turn) => {
          const registry = stepwise(world.registry, turn);
          await gathered(protect({ registry, clock: systemClock, who: 'ann' }, [OLDER], {}));
          world.restored.push('protected');
        };
        return { world, processes: [protecting, pruning(world, 'prune', { keepLast: 1 })] };
      },
      async (world) => {
        const isProtected = world.restored.includes('protected');
        outcomes.add(isProtected);
        if (isProtected) expect(world.gone).toEqual([]);
      },
    );
    expect([...outcomes].sort()).toEqual([false, true]);
  });
});
