/** The engines that are measured, as far as a bench looks at them. */
import { ENGINES } from '../e2e/engines';
import type { ContractPolicy, EngineAdapter, EngineMode, StartOptions, TestServer } from '../e2e/engines/adapter';
import type { LedgerClient } from '../ledger/writer';
import type { BenchOptions } from './options';
import { wantedOf } from './options';

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
const LEFT_OUT: readonly string[] = ['rdb', 'rdb-of-aof', 'global-split', 'unlocked'];

/** The modes of an engine that are measured. */
export function modesOf({ modes }: BenchEngine): readonly EngineMode[] {
  return modes.filter(({ name }) => !LEFT_OUT.includes(name));
}

/** Those that are wanted. Throws where one is not known. */
export function wantedEngines({ engines }: BenchOptions): readonly BenchEngine[] {
  const names = ENGINES.map(({ name }) => name);
  const unknown = engines.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no engine ${unknown.join(', ')}; there are ${names.join(', ')}`);
  const wanted = wantedOf(engines, names);
  return ENGINES.filter(({ name }) => wanted.includes(name));
}
