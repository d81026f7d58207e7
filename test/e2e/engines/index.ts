/** All engines that the contract suite runs on: one line each. */
import type { EngineAdapter, EngineMode } from './adapter';
import { mongo } from './mongo';
import { mariadb, mysql } from './mysql';
import { postgres } from './postgres';
import { redis, valkey } from './redis';

export const ENGINES: readonly EngineAdapter[] = [postgres, mariadb, mysql, redis, valkey, mongo];

const everything = process.env.CONTRACT === 'all';

/** Without flavours that differ from another engine's server in nothing that a runner's death has to do with. */
export const LEADING_ENGINES: readonly EngineAdapter[] = ENGINES.filter((adapter) => everything || adapter !== valkey);

/**
 * The cases that an engine is put to. `npm run soak` (CONTRACT=all) takes all of them; `npm run e2e` takes those in which
 * code of the engine itself has a part for each engine, and the others, which fail before the engine is asked or without
 * it, for the first engine only.
 */
export function casesFor(
  adapter: EngineAdapter,
  all: readonly string[],
  ofTheEngine: readonly string[],
): readonly string[] {
  return everything || adapter === ENGINES[0] ? all : ofTheEngine;
}

/** The first mode that holds something. */
export function holdingMode({ modes }: EngineAdapter): EngineMode {
  return modes.find(({ freezes }) => freezes !== 'nothing') ?? modes[0];
}

/** The modes that are tried on storage which misbehaves: the first one that holds something, or all of them. */
export function storageModesOf(adapter: EngineAdapter): readonly EngineMode[] {
  return everything ? adapter.modes : [holdingMode(adapter)];
}
