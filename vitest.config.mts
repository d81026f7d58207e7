import { defineConfig } from 'vitest/config';

/** Everything that runs on a machine with Node alone: unit, synth and the contract suites on an embedded PostgreSQL. */
export default defineConfig({
  resolve: { alias: { stillpoint: new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    // As for the tests on a cluster.
    retry: process.env.CI === undefined ? 0 : 1,
    // CI counts the tests by a report of its own.
    ...(process.env.TEST_REPORT === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: process.env.TEST_REPORT } }),
    globalSetup: ['test/support/own-tmpdir.ts'],
    include: ['test/{contract,src,runner,integration}/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // How long something is waited for that comes at once on an idle machine.
    expect: { poll: { timeout: 30_000 } },
  },
});
