import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take minutes, the longest first. By their size, which tells nothing here, some would begin last and be alone. */
const LONGEST = [
  'neo4j',
  'contract-ledger',
  'ocelot',
  'contract-storage',
  'nuodb',
  'restore',
  'killed',
  'contract-refused',
  'clone',
  'hooks',
  'neo4j-dump',
  'in-place',
  'nuodb-modes',
  'dead-man',
  'redis-sentinel',
  'backup',
  'mongo-sharded',
  'dead-guard',
  'removal',
  'copy-volumes',
];

/** Begins with what takes longest, so that a run does not end with one file while the other workers have none. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(basename(moduleId, '.test.ts'));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

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
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/support/own-tmpdir.ts', 'test/e2e/setup.ts'],
    maxWorkers: Number(process.env.E2E_WORKERS ?? 3),
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
