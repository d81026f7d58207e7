/** What a restore in place tells of itself. */
import type { BackupRecord } from '../../../src/contract';
import type { Inspection } from '../../engine';
import { recordPath } from '../../output/records';
import { type Operation, undoCommand } from './operation';

/** What came of it; `-o json` prints it as it is. */
export interface InPlaceResult {
  readonly operation: Operation;
  readonly backup: string;
  /** What the server on the copy said of itself before it took the place; undefined when an earlier run has looked. */
  readonly inspection?: Inspection | undefined;
  /** How long no pod held the claims, in seconds: from the scale-down until all pods were ready. */
  readonly awaySeconds?: number | undefined;
  readonly undo?: string | undefined;
  /** Nothing was done: it was only to be said. */
  readonly dryRun: boolean;
}

/** What is to be told of an operation that has come to its end. */
export function resultOf(operation: Operation, record: BackupRecord): InPlaceResult {
  const { downAt, upAt } = operation;
  const away = downAt === undefined || upAt === undefined ? undefined : Date.parse(upAt) - Date.parse(downAt);
  return {
    operation,
    backup: recordPath(record),
    awaySeconds: away === undefined ? undefined : Math.round(away / 100) / 10,
    undo: operation.direction === 'restore' && operation.phase === 'done' ? undoCommand(operation) : undefined,
    dryRun: false,
  };
}
