/** What every wiring starts from. */
import { randomUUID } from 'node:crypto';
import {
  type BackupRecord,
  backupId,
  type EngineName,
  GROUP,
  membersOf,
  type SnapshotConfig,
} from '../../src/contract';
import { readTarget } from '../config';
import type { Engine } from '../engine';
import { ENGINES } from '../engines';
import { StillpointError } from '../errors';
import type { MemberSource } from '../member';
import type { Clock, Log, Run } from '../ports';

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

/** The engine of a record: of one member's, where there are several. */
export async function engineOf({ engine, id }: Pick<BackupRecord, 'engine' | 'id'>): Promise<Engine> {
  if (engine !== GROUP) return await engineNamed(engine);
  throw new StillpointError(
    'internal',
    `backup ${id} is of several databases: it has to be looked at member by member`,
  );
}

/** A backup that a person takes in a process of their own: nobody goes on with it. */
export function personalRun({ clock }: Pick<World, 'clock'>): Run {
  return { id: backupId(clock.now()), owner: { jobUid: randomUUID() }, trigger: 'manual' };
}

/** The databases of a policy, each with its engine and what reaches it. */
export async function sourcesOf(config: SnapshotConfig): Promise<readonly MemberSource[]> {
  return await Promise.all(
    membersOf(config).map(async (member) => ({
      ...member,
      engine: await engineNamed(member.config.engine),
      readTarget: () => readTarget(member.config),
    })),
  );
}
