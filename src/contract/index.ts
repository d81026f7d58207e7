/** What the constructs and the runner share. Pure: it imports nothing outside this folder. */

export * from './access';
export * from './access-of-others';
export * from './engines';
export * from './exported';
export * from './job-config';
export * from './labels';
export * from './names';
export * from './next-run';
export * from './periods';
export * from './policy';
export * from './record';
export * from './retention';
export * from './retention-plan';
export type { Infer, JsonSchema, Schema } from './schema';
export * from './store-config';
export * from './validate';
export * from './version';
