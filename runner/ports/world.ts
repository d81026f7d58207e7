/** The process itself: time, log lines, who it is, what it tells people. */
import type { BackupId, BackupRecord } from '../../src/contract';
import type { ErrorCode } from '../errors';

/** Time, passed in so that no code reaches for it. */
export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number;
  /** Calls back after so many milliseconds, unless cancelled. */
  after(ms: number, callback: () => void): { cancel(): void };
}

/** Structured log lines; secrets never go in. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One thing that a check found. `error` stops a backup before it touches anything. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'ok';
  readonly code: ErrorCode | 'ok';
  /** What was looked at, as `claim shop/data-orders-db-0`. */
  readonly subject: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Who this run is: the Job that it belongs to, or a person's command. */
export interface Run {
  readonly id: BackupId;
  readonly owner: BackupRecord['owner'];
  readonly trigger: BackupRecord['trigger'];
  readonly image?: string | undefined;
}

/** Kubernetes Events on what the runner works for; without a cluster, log lines. */
export interface Events {
  emit(type: 'Normal' | 'Warning', reason: EventReason, message: string): Promise<void>;
}

/** The reasons of our Events. */
export type EventReason =
  | 'Starting'
  | 'SuccessfulSnapshot'
  | 'FailedSnapshot'
  | 'GuardActed'
  | 'Restoring'
  | 'SuccessfulRestore'
  | 'FailedRestore';
