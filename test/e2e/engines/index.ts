/** All engines that the contract suite runs on: one line each. */
import { SOAK } from '../../support/soak';
import type { EngineAdapter, EngineMode, Face } from './adapter';
import { mongo } from './mongo';
import { mariadb, mysql } from './mysql';
import { neo4j } from './neo4j';
import { nuodb } from './nuodb';
import { postgres } from './postgres';
import { redis, valkey } from './redis';

/** All that there are. */
export const ALL_ENGINES: readonly EngineAdapter[] = [postgres, mariadb, mysql, redis, valkey, mongo, nuodb, neo4j];

/** Neo4j takes long to start, and is young for a minute: `npm run soak` has it, and `npm run e2e` a file of its own. */
export const ENGINES: readonly EngineAdapter[] = ALL_ENGINES.filter((adapter) => SOAK || adapter !== neo4j);

/**
 * Without flavours that differ from another engine's server in nothing that a runner's death has to do with, and without NuoDB, of
 * which nuodb.test.ts has the death of runner and guard: `npm run soak` takes them, too. What is not held by its session is not of
 * these tests: neo4j.test.ts has what becomes of a server that was stopped.
 */
export const LEADING_ENGINES: readonly EngineAdapter[] = ENGINES.filter(
  (adapter) => SOAK || (adapter !== valkey && adapter !== nuodb),
).filter((adapter) => isHeldBySession(holdingMode(adapter)));

/** Whether a kind of server has something. */
export function has({ without = [] }: EngineAdapter, face: Face): boolean {
  return !without.includes(face);
}

/** Whether it is its session that holds a server, if anything does. */
export function isHeldBySession({ fromOutside }: EngineMode): boolean {
  return fromOutside !== true;
}

/**
 * The cases that an engine is put to. `npm run soak` (CONTRACT=all) takes all of them; `npm run e2e` takes those in which
 * code of the engine itself has a part for each engine, and the others, which fail before the engine is asked or without
 * it, for the first engine only.
 */
export function casesFor<Case extends string>(
  adapter: EngineAdapter,
  all: readonly Case[],
  ofTheEngine: readonly Case[],
): readonly Case[] {
  return SOAK || adapter === ENGINES[0] ? all : ofTheEngine;
}

/** The first mode that holds something. */
export function holdingMode({ modes }: EngineAdapter): EngineMode {
  return modes.find(({ freezes }) => freezes !== 'nothing') ?? modes[0];
}

/** The modes in which it is tried what becomes of a server whose runner is lost. */
export function modesToLose(adapter: EngineAdapter): readonly EngineMode[] {
  const usual = holdingMode(adapter);
  return adapter.modes.filter((mode) => mode === usual || (SOAK && mode.undoneOtherwise === true));
}

/** The modes that are tried on storage which misbehaves: the first one that holds something, or all of them. */
export function storageModesOf(adapter: EngineAdapter): readonly EngineMode[] {
  const modes = adapter.modes.filter(isHeldBySession);
  return SOAK ? modes : modes.filter((mode) => mode === holdingMode(adapter));
}
