import type { TestProject } from 'vitest/node';
import { prepareRun } from './harness/prepare';
import { thisRun } from './harness/this-run';

declare module 'vitest' {
  interface ProvidedContext {
    readonly image: string;
    readonly registry: string;
  }
}

/** Prepares the cluster for all test files together. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const run = await prepareRun();
  project.provide('image', thisRun.image);
  project.provide('registry', thisRun.registry);
  return async () => await run[Symbol.asyncDispose]();
}
