import { defineConfig } from 'vitest/config';

/**
 * The tests on a real cluster: KUBECONFIG says which. Each file has namespaces of its own; E2E_WORKERS files run at once,
 * since most of their time they wait for freezes, cuts and pods.
 */
export default defineConfig({
  resolve: { alias: { stillpoint: new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    // Other work on the machine may stretch a second into ten: in CI a test may try again, once.
    retry: process.env.CI === undefined ? 0 : 1,
    // CI counts the tests by a report of its own.
    ...(process.env.TEST_REPORT === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: process.env.TEST_REPORT } }),
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/support/own-tmpdir.ts', 'test/e2e/setup.ts'],
    maxWorkers: Number(process.env.E2E_WORKERS ?? 3),
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
