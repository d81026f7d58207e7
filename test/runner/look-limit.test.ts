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
  const { signal } = lookLimit(
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

it('a look that is over leaves no timer behind, and ends nothing later', () => {
  const connection = { host: 'orders-db', port: 6379, usernameFile: '/u' };
  const looked = ((): AbortSignal => {
    using limit = lookLimit({ connection }, 'looking at the server');
    expect(vi.getTimerCount()).toBe(1);
    return limit.signal;
  })();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(120_000);
  expect(looked.aborted).toBe(false);
});

// What returns a limit and disposes of none keeps the process waiting for it.
it('every look disposes of its limit', () => {
  const uses = globSync('runner/engines/**/*.ts').flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('lookLimit(')),
  );
  expect(uses.length).toBeGreaterThan(5);
  expect(uses.filter((line) => !line.trim().startsWith('using limit = '))).toEqual([]);
});

// A signal of the platform aborts with an error that has no code: what it ends would be reported as a fault of ours.
it('no other limit of time ends without a code, but where that is put into words', () => {
  const swallowed = ['runner/engines/mongodb/connection.ts', 'runner/engines/mongodb/server-lock.ts'];
  const found = globSync('runner/**/*.ts').filter((file) =>
    readFileSync(file, 'utf8').includes('AbortSignal.timeout('),
  );
  expect(found.filter((file) => !swallowed.includes(file))).toEqual([]);
});
