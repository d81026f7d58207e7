/** How databases stand, by what their records and policies say. */
import { describe, expect, it } from 'vitest';
import { healthOf, nextOfAll, Overview } from '../../runner/overview';
import type { Schedule } from '../../runner/ports';
import type { Phase } from '../../src/contract';
import { record } from '../support/record';

const now = new Date('2026-01-10T12:00:00Z');
const HOUR = 3_600_000;

const schedule = (changes: Partial<Schedule> = {}): Schedule => ({
  ...{ namespace: 'shop', policy: 'orders-db-backup', database: 'orders-db' },
  ...{ expression: '0 2 * * *', timeZone: 'Etc/UTC', suspended: false },
  ...changes,
});

/** A database with one backup a day up to the 10th of January, oldest first. */
function stateOf(...phases: readonly Phase[]): ReturnType<Overview['states']>[number] {
  const overview = new Overview();
  overview.addSchedule(schedule());
  for (const [index, phase] of phases.entries()) {
    const day = `${11 - phases.length + index}`.padStart(2, '0');
    overview.add(record({ id: `202601${day}020000`, phase }));
  }
  const [state] = overview.states();
  if (state === undefined) throw new Error('there is none');
  return state;
}

describe('a database', () => {
  it.each<[string, readonly Phase[], number | undefined, string]>([
    ['with a good backup', ['succeeded'], undefined, 'ok'],
    ['without any', [], undefined, 'missing'],
    ['that never succeeded', ['failed', 'failed'], undefined, 'missing'],
    ['whose last one failed', ['succeeded', 'failed'], undefined, 'failing'],
    ['that came right again', ['failed', 'succeeded'], undefined, 'ok'],
    ['whose last one is being made', ['succeeded', 'freezing'], undefined, 'ok'],
    // The last good one is of the ninth at two: 34 hours.
    ['that is old enough', ['succeeded', 'failed'], 35 * HOUR, 'failing'],
    ['that is too old', ['succeeded', 'failed'], 33 * HOUR, 'late'],
    // Whoever deletes it has no good one any more.
    ['whose good one is being deleted', ['deleting'], undefined, 'missing'],
  ])('%s (%j) within %s ms is %s', (_, phases, maxAgeMs, expected) => {
    expect(healthOf(stateOf(...phases), now, maxAgeMs)).toBe(expected);
  });

  it('fails since the first failure after the last good one', () => {
    expect(stateOf('failed', 'succeeded', 'failed', 'failed')).toMatchObject({
      ...{ lastGood: '20260108020000', lastFailed: '20260110020000', failures: 2, failingSince: '20260109020000' },
      ...{ backups: 4, good: 1 },
    });
    expect(stateOf('failed', 'succeeded')).toMatchObject({ failures: 0, failingSince: undefined });
  });

  it('has no good backup in one whose snapshot is known to be gone', () => {
    const overview = new Overview();
    overview.add({ ...record({ id: '20260109020000' }), missing: true });
    const [state] = overview.states();
    expect(state).toMatchObject({ backups: 1, good: 0, lastGood: undefined });
    expect(state && healthOf(state, now)).toBe('missing');
  });

  it('is there once, with all its policies, also without any backup', () => {
    const overview = new Overview();
    overview.add(record({ id: '20260101020000' }));
    for (const policy of ['hourly', 'daily']) overview.addSchedule(schedule({ policy }));
    overview.addSchedule(schedule({ namespace: 'bank', database: 'zebra' }));
    expect(
      overview.states().map(({ namespace, database, schedules }) => [namespace, database, schedules.length]),
    ).toEqual([
      ['bank', 'zebra', 1],
      ['shop', 'orders-db', 2],
    ]);
  });

  it.each<[string, readonly Partial<Schedule>[], unknown]>([
    ['without a policy', [], 'no policy'],
    ['with one', [{}], new Date('2026-01-11T02:00:00Z')],
    ['with two', [{}, { expression: '0 * * * *' }], new Date('2026-01-10T13:00:00Z')],
    ['with one that is suspended', [{ suspended: true }], 'suspended'],
    ['with one of two suspended', [{ suspended: true }, {}], new Date('2026-01-11T02:00:00Z')],
    ['with one that never comes', [{ expression: '0 0 31 2 *' }], 'never'],
    ['with one that only the cluster understands', [{ expression: '@every 1h' }], 'unknown'],
  ])('%s is backed up next', (_, policies, expected) => {
    expect(nextOfAll(policies.map(schedule), now)).toEqual(expected);
  });
});
