import { expect, it } from 'vitest';
import { untilAborted } from '../../runner/abort';
import { FakeClock } from '../support/fake-clock';

it('waiting for a signal keeps the process: a timer is armed for as long, however long that is', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let over = false;
  const waiting = untilAborted(clock, stop.signal).then(() => {
    over = true;
  });
  for (let day = 0; day < 3; day++) {
    expect([clock.armed, over]).toEqual([1, false]);
    clock.advance(86_400_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stop.abort();
  await waiting;
  expect([clock.armed, over]).toEqual([0, true]);
});
