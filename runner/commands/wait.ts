import type { BackupRecord, Phase } from '../../src/contract';
import { timeLimit } from '../abort';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Clock, RecordFilter, Registry } from '../ports';

/** What one can wait for. */
export const WAIT_CONDITIONS = ['cut', 'ready', 'succeeded', 'failed', 'deleted'] as const;

/** One of {@link WAIT_CONDITIONS}. */
export type WaitCondition = (typeof WAIT_CONDITIONS)[number];

export interface WaitOptions extends RecordFilter {
  readonly for: WaitCondition;
  readonly timeoutMs: number;
}

/**
 * Waits until a backup is what was asked for, and says so. Throws wait-impossible as soon as it can no longer become
 * that, and wait-timeout.
 */
export async function wait(
  context: { readonly registry: Registry; readonly clock: Clock; readonly signal: AbortSignal },
  name: string,
  options: WaitOptions,
): Promise<string> {
  const { registry, clock } = context;
  // `backup` and then `wait latest`: the one that was just begun is meant, not the last good one.
  const { record } = await findRecord(registry, name, options, 'any');
  using limit = timeLimit(
    clock,
    options.timeoutMs,
    () => new StillpointError('wait-timeout', `backup ${recordPath(record)} was not ${options.for} in time`),
  );
  const signal = AbortSignal.any([limit.signal, context.signal]);
  for await (const stored of registry.follow(record, signal)) {
    if (verdict(stored?.record, options.for, recordPath(record)))
      return `backup ${recordPath(record)} ${options.for}\n`;
  }
  signal.throwIfAborted();
  throw new StillpointError('internal', `the registry stopped following backup ${recordPath(record)}`);
}

const REACHED: Readonly<Record<Exclude<WaitCondition, 'deleted'>, readonly Phase[]>> = {
  cut: ['cut', 'succeeded'],
  // A backup has succeeded when all its snapshots can be restored from.
  ready: ['succeeded'],
  succeeded: ['succeeded'],
  failed: ['failed'],
};

const FINAL: readonly Phase[] = ['succeeded', 'failed', 'deleting'];

/** Whether it has come; throws when it cannot come any more. */
export function verdict(record: BackupRecord | undefined, condition: WaitCondition, path: string): boolean {
  if (condition === 'deleted') return record === undefined;
  if (record === undefined) throw new StillpointError('wait-impossible', `backup ${path} was deleted`);
  if (REACHED[condition].includes(record.phase)) return true;
  if (!FINAL.includes(record.phase)) return false;
  const reason = record.error === undefined ? '' : `: ${record.error.message} (${record.error.code})`;
  throw new StillpointError('wait-impossible', `backup ${path} is ${record.phase}${reason}`);
}
