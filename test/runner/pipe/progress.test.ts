import { describe, expect, it } from 'vitest';
import { logProgress, progressFields } from '../../../runner/pipe/progress';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';

describe('progress', () => {
  it.each<[bytes: number, elapsedMs: number, expected: number | undefined, fields: object]>([
    [0, 0, undefined, { bytes: 0, bytesPerSecond: 0 }],
    [5000, 10_000, undefined, { bytes: 5000, bytesPerSecond: 500 }],
    [5000, 10_000, 20_000, { bytes: 5000, bytesPerSecond: 500, percent: 25, secondsLeft: 30 }],
    [0, 10_000, 20_000, { bytes: 0, bytesPerSecond: 0, percent: 0 }],
    [30_000, 10_000, 20_000, { bytes: 30_000, bytesPerSecond: 3000 }],
  ])('%d bytes after %d ms of %s', (bytes, elapsedMs, expected, fields) => {
    expect(progressFields(bytes, elapsedMs, expected)).toEqual(fields);
  });

  it('is told each ten seconds, until the end', () => {
    const [clock, log] = [new FakeClock(), new QuietLog()];
    let bytes = 0;
    {
      using _ = logProgress({ clock, log }, 'dumping by pg_dumpall', () => bytes);
      clock.advance(9_999);
      expect(log.lines).toEqual([]);
      bytes = 100;
      clock.advance(1);
      clock.advance(10_000);
      expect(log.lines.map(({ message, fields }) => [message, fields])).toEqual([
        ['dumping by pg_dumpall', { bytes: 100, bytesPerSecond: 10 }],
        ['dumping by pg_dumpall', { bytes: 100, bytesPerSecond: 5 }],
      ]);
    }
    expect(clock.armed).toBe(0);
  });
});
