import type { DumpRestoreConfig, EngineName } from '../../src/contract';
import type { SourceContext } from '../dump/source';
import type { Engine, Target } from '../engine';
import type { Clock, Events } from '../ports';
import type { ObjectStore } from '../storage/object-store';

/** What a restore from a dump needs of the world. */
export interface RestoreDumpContext extends SourceContext {
  readonly config: DumpRestoreConfig;
  readonly engineNamed: (name: EngineName) => Promise<Engine>;
  readonly readTarget: (engine: EngineName) => Promise<Target>;
  readonly openStore: () => Promise<ObjectStore>;
  readonly events: Events;
  /** Where the image has its files; undefined where the tools are those of the machine that the runner is made for. */
  readonly root: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}
