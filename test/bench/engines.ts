/** The engines that are measured, as far as a bench looks at them. */
import { ALL_ENGINES } from '../e2e/engines';
import type { ContractPolicy, EngineAdapter, EngineMode, StartOptions, TestServer } from '../e2e/engines/adapter';
import type { LedgerClient } from '../ledger/writer';
import { LOCKS } from './locks';
import type { BenchOptions } from './options';

/** A running server. */
export interface BenchServer extends Pick<TestServer, 'namespace' | 'claims' | 'policy' | 'target'> {
  connect(): Promise<LedgerClient>;
}

/** A kind of server. */
export interface BenchEngine extends Pick<EngineAdapter, 'title' | 'name' | 'modes'> {
  start(options: StartOptions): Promise<BenchServer>;
}

export type { ContractPolicy, EngineMode };

/** Modes that hold nothing while they are cut, or hold it as another one does. */
const LEFT_OUT: readonly string[] = ['rdb', 'rdb-of-aof', 'global-split', 'unlocked', 'hotsnap-one'];

/** The modes of an engine that are measured. */
export function modesOf({ modes }: BenchEngine): readonly EngineMode[] {
  return modes.filter(({ name }) => !LEFT_OUT.includes(name));
}

/** Whether there is another way to hold it, to measure beside ours. */
export function hasOtherWays({ name }: Pick<BenchEngine, 'name'>): boolean {
  return LOCKS[name] !== undefined;
}

/**
 * Those that are wanted; of no names those that scripts hold, too. Neo4j, which takes a minute for each stop, and the stand-in for
 * NuoDB, whose clients wait for its atoms, are measured where they are named. Throws where one is not known.
 */
export function wantedEngines({ engines }: BenchOptions): readonly BenchEngine[] {
  const names = ALL_ENGINES.map(({ name }) => name);
  const unknown = engines.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no engine ${unknown.join(', ')}; there are ${names.join(', ')}`);
  return ALL_ENGINES.filter((engine) => (engines.length === 0 ? hasOtherWays(engine) : engines.includes(engine.name)));
}
