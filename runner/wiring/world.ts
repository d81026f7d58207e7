/** What every wiring starts from. */
import type { BackupRecord, EngineName } from '../../src/contract';
import type { Engine } from '../engine';
import { ENGINES } from '../engines';
import type { Clock, Log } from '../ports';

/** What main hands on: the process's surroundings, and nothing of the command line. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the process is told to stop. */
  readonly signal: AbortSignal;
  readonly version: string;
}

/** The engine of a name; its code is loaded when it is asked for. */
export function engineNamed(name: EngineName): Promise<Engine> {
  return ENGINES[name]();
}

/** The engine of a record. */
export function engineOf({ engine }: Pick<BackupRecord, 'engine'>): Promise<Engine> {
  return engineNamed(engine);
}
