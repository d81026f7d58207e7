import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import { pauseMs, Retrying } from '../../../runner/storage/retrying';
import { FakeClock } from '../../support/fake-clock';

const busy = (): StillpointError => new StillpointError('store-unreachable', 'the store answered 503');
const never = new AbortController().signal;

/** Runs work on a clock that goes on a second at a time while it waits. */
async function run<T>(
  work: (tries: number, clock: FakeClock) => T,
  patienceMs: number,
): Promise<{ readonly outcome: T | Error; readonly seconds: number; readonly armed: number }> {
  const clock = new FakeClock();
  let done = false;
  const outcome = new Retrying({ clock, random: () => 0.5, patienceMs })
    .run({ signal: never }, async (_, tries) => work(tries, clock))
    .catch((error: Error) => error)
    .finally(() => {
      done = true;
    });
  for (await turn(); !done; await turn()) clock.advance(1000);
  return { outcome: await outcome, seconds: clock.monotonic() / 1000, armed: clock.armed };
}

describe('a request is tried again', () => {
  it.each([
    [0, 0, 125],
    [0, 0.5, 187.5],
    [1, 0, 250],
    [3, 0.999, 1999],
    [6, 0, 5000],
    [60, 0.999, 9995],
  ])('after try %i, with the random number %d, in %d ms', (tries, random, ms) => {
    expect(pauseMs(tries, random)).toBeCloseTo(ms, 0);
  });

  it('until the store is there again after a minute', async () => {
    const { outcome, armed } = await run((_, clock) => {
      if (clock.monotonic() < 60_000) throw busy();
      return 'there';
    }, 300_000);
    expect(outcome).toBe('there');
    expect(armed).toBe(0);
  });

  it('and no longer than its patience', async () => {
    const { outcome, seconds } = await run(() => {
      throw busy();
    }, 300_000);
    expect(outcome).toMatchObject({ code: 'store-unreachable' });
    expect((outcome as Error).message).toMatch(/^the store answered 503; it was tried \d\d times in 30\d s$/);
    expect(seconds).toBeGreaterThanOrEqual(300);
    expect(seconds).toBeLessThan(303);
  });

  it('not at all where that cannot help', async () => {
    const { outcome } = await run((tries) => {
      if (tries > 0) return 'tried again';
      throw new StillpointError('store-denied', 'the store answered 403');
    }, 300_000);
    expect(outcome).toMatchObject({ code: 'store-denied' });
  });

  it('when it hangs', async () => {
    const clock = new FakeClock();
    const asked = new Retrying({ clock, random: () => 0, patienceMs: 300_000 }).run(
      { signal: never, bytes: 64 * 60_000 },
      async (signal, tries) => {
        if (tries > 0) return 'answered';
        return await new Promise<string>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('what a client says')), { once: true });
        });
      },
    );
    await turn();
    clock.advance(119_000);
    await turn();
    expect(clock.armed).toBe(1);
    clock.advance(1000);
    await turn();
    clock.advance(1000);
    expect(await asked).toBe('answered');
  });

  it('no more when it is told to stop', async () => {
    const stop = new AbortController();
    const clock = new FakeClock();
    const asked = new Retrying({ clock, random: () => 0, patienceMs: 300_000 }).run(
      { signal: stop.signal },
      async () => {
        throw busy();
      },
    );
    await turn();
    stop.abort(new Error('told to stop'));
    await expect(asked).rejects.toThrow('told to stop');
    expect(clock.armed).toBe(0);
  });
});

describe('what an upload has left is taken back', () => {
  const taking = async (cutOff: boolean): Promise<readonly number[]> => {
    const clock = new FakeClock();
    const at: number[] = [];
    const taken = new Retrying({ clock, random: () => 0, patienceMs: 300_000 }).takeBack({ cutOff }, async () => {
      at.push(clock.monotonic());
      throw new StillpointError('store-denied', 'the store answered 403');
    });
    for (let step = 0; step < 40; step++) {
      await turn();
      clock.advance(125);
    }
    await taken;
    expect(clock.armed).toBe(0);
    return at.map((each) => each - (at[0] ?? 0));
  };

  it('once where every part was answered', async () => {
    expect(await taking(false)).toEqual([0]);
  });

  it('three times where parts were cut off on their way, whatever the store says', async () => {
    expect(await taking(true)).toEqual([0, 250, 1250]);
  });
});
