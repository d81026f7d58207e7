/** Removals take turns at the snapshot controller. */
import { beforeEach, describe, expect, it } from 'vitest';
import { StillpointError } from '../../runner/errors';
import type { Remover, Slots, StoredRecord } from '../../runner/ports';
import { RemoverInTurns } from '../../runner/removal-turns';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

const CUT = { volume: 'data', claim: 'data', snapshot: 's', content: 'c', handle: 'h', seenAt: '', createdAt: '' };
const stored = (id: string, cuts = 1): StoredRecord =>
  ({ record: record({ id, cuts: Array.from({ length: cuts }, () => CUT) as never }), version: '1' }) as never;

let clock: FakeClock;
let said: string[];
let take: Slots['take'];
let work: (id: string) => Promise<readonly string[]>;

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets everything happen that needs no time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await soon();
}

function remover(): RemoverInTurns {
  const inner: Remover = {
    remove: async ({ record: { id } }) => {
      said.push(`remove ${id}`);
      const left = await work(id);
      said.push(`removed ${id}`);
      return left;
    },
    removeLeftovers: async () => [],
  };
  const slots: Slots = { take: (signal) => take(signal) };
  return new RemoverInTurns(inner, { slots, clock, log: new QuietLog(), signal: new AbortController().signal });
}

beforeEach(() => {
  clock = new FakeClock();
  said = [];
  work = async () => [];
  take = async () => {
    said.push('take');
    return {
      release: async (restMs) => {
        said.push(`rest ${restMs}`);
        await new Promise<void>((resolve) => void clock.after(restMs, resolve));
        said.push('release');
      },
    };
  };
});

describe('removals in turn', () => {
  it('hold the slot until what goes is gone and the controller has rested, one after the other', async () => {
    const removing = remover();
    const both = Promise.all([removing.remove(stored('a')), removing.remove(stored('b', 2))]);
    await settled();
    expect(said).toEqual(['take', 'remove a', 'removed a', 'rest 1600']);
    clock.advance(1_600);
    await settled();
    expect(said.slice(4)).toEqual(['release', 'take', 'remove b', 'removed b', 'rest 3200']);
    clock.advance(3_200);
    expect(await both).toEqual([[], []]);
    expect(clock.armed).toBe(0);
  });

  it('rest for what is left of it when the removal took its time', async () => {
    const gone = Promise.withResolvers<void>();
    work = async () => gone.promise.then(() => ['VolumeSnapshot x']);
    const removed = remover().remove(stored('a'));
    await settled();
    clock.advance(1_000);
    gone.resolve();
    await settled();
    expect(said.at(-1)).toBe('rest 600');
    clock.advance(600);
    expect(await removed).toEqual(['VolumeSnapshot x']);
  });

  it('give the slot back when the storage hangs, and go on waiting for it', async () => {
    const hanging = Promise.withResolvers<void>();
    work = (id) => (id === 'a' ? hanging.promise.then(() => []) : Promise.resolve([]));
    const removing = remover();
    const first = removing.remove(stored('a'));
    const second = removing.remove(stored('b'));
    await settled();
    clock.advance(10_000);
    await settled();
    clock.advance(0);
    await settled();
    expect(said).toEqual(['take', 'remove a', 'rest 0', 'release', 'take', 'remove b', 'removed b', 'rest 1600']);
    clock.advance(1_600);
    expect(await second).toEqual([]);
    hanging.resolve();
    expect(await first).toEqual([]);
  });

  it('give the slot back after a failure, and not before the controller has rested', async () => {
    work = (id) => (id === 'a' ? Promise.reject(new Error('no')) : Promise.resolve([]));
    const removing = remover();
    const first = expect(removing.remove(stored('a'))).rejects.toThrow('no');
    const second = removing.remove(stored('b'));
    await settled();
    expect(said).toEqual(['take', 'remove a', 'rest 1600']);
    clock.advance(1_600);
    await first;
    await settled();
    clock.advance(1_600);
    await second;
    expect(said.slice(3)).toEqual(['release', 'take', 'remove b', 'removed b', 'rest 1600', 'release']);
  });

  it('go on without one when none comes in time, or nobody gives any, and ask no more', async () => {
    const asked: string[] = [];
    take = async () => {
      asked.push('busy');
      throw new StillpointError('controller-busy', 'others have it');
    };
    const busy = remover();
    expect(await busy.remove(stored('a'))).toEqual([]);
    expect(await busy.remove(stored('b'))).toEqual([]);
    take = async () => {
      asked.push('none');
      return undefined;
    };
    const none = remover();
    expect(await none.remove(stored('c'))).toEqual([]);
    expect(await none.remove(stored('d'))).toEqual([]);
    expect(asked).toEqual(['busy', 'none']);
    expect(said.filter((each) => each.startsWith('removed'))).toHaveLength(4);
  });

  it('remove nothing when waiting for a turn fails otherwise', async () => {
    take = () => Promise.reject(new StillpointError('interrupted', 'told to stop'));
    await expect(remover().remove(stored('a'))).rejects.toMatchObject({ code: 'interrupted' });
    expect(said).toEqual([]);
  });
});
