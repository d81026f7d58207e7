import { expect, it } from 'vitest';
import type { Slots } from '../../runner/ports';
import { BackupTurn, restMs } from '../../runner/slot';
import { QuietLog } from '../support/quiet-log';

const never = new AbortController().signal;

it.each([
  [0, 0],
  [1, 1600],
  [5, 8000],
])('after %i snapshots the controller rests for %i ms', (snapshots, ms) => {
  expect(restMs(snapshots)).toBe(ms);
});

it('is over when what was taken is given back, after the rest of its snapshots', async () => {
  const events: string[] = [];
  const given = Promise.withResolvers<void>();
  const slots: Slots = {
    take: async () => ({
      release: async (ms) => {
        events.push(`release after ${ms}`);
        await given.promise;
        events.push('released');
      },
    }),
  };
  const turn = new BackupTurn(slots, new QuietLog());
  await turn.begin(never);
  turn.end(2);
  turn.end(2);
  const over = turn.over().then(() => events.push('over'));
  given.resolve();
  await over;
  expect(events).toEqual(['release after 3200', 'released', 'over']);
});

it('does not fail a backup when it cannot be given back', async () => {
  const slots: Slots = { take: async () => ({ release: () => Promise.reject(new Error('gone')) }) };
  const log = new QuietLog();
  const turn = new BackupTurn(slots, log);
  await turn.begin(never);
  turn.end(1);
  await turn.over();
  expect(JSON.stringify(log)).toContain('not given back');
});

it('is none where no slots are given', async () => {
  const turn = new BackupTurn(undefined, new QuietLog());
  await turn.begin(never);
  turn.end(1);
  await turn.over();
});
