import { globSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lookLimit } from '../../runner/endpoint';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('a look at a server that takes too long ends as what it is, and may be tried again', () => {
  const signal = lookLimit(
    { connection: { host: 'orders-db', port: 6379, usernameFile: '/u' } },
    'looking at the server',
  );
  vi.advanceTimersByTime(59_000);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(signal.reason).toMatchObject({
    code: 'server-unreachable',
    retryable: true,
    message: 'looking at the server at orders-db:6379 took more than 60 s',
  });
});

// A signal of the platform aborts with an error that has no code: what it ends would be reported as a fault of ours.
it('no other limit of time ends without a code, but where that is put into words', () => {
  const swallowed = ['runner/engines/mongodb/connection.ts', 'runner/engines/mongodb/server-lock.ts'];
  const found = globSync('runner/**/*.ts').filter((file) =>
    readFileSync(file, 'utf8').includes('AbortSignal.timeout('),
  );
  expect(found.filter((file) => !swallowed.includes(file))).toEqual([]);
});
