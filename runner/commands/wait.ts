import { type BackupRecord, backupIdTime, type Phase } from '../../src/contract';
import { timeLimit } from '../abort';
import { chooseRecords, isBySelector } from '../choose-records';
import { asStillpointError, StillpointError } from '../errors';
import { type FullName, fullName } from '../find-record';
import { recordPath } from '../output/records';
import type { Told } from '../output/told';
import type { Clock, RecordFilter, Registry } from '../ports';

/** What one can wait for. */
export const WAIT_CONDITIONS = ['cut', 'ready', 'succeeded', 'failed', 'deleted'] as const;

/** One of {@link WAIT_CONDITIONS}. */
export type WaitCondition = (typeof WAIT_CONDITIONS)[number];

export interface WaitOptions extends RecordFilter {
  readonly for: WaitCondition;
  readonly timeoutMs: number;
}

/** A backup that was begun so long ago has a record, or never will. */
const BEGINS_WITHIN_MS = 3_600_000;

interface WaitContext {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What is waited for: its name, and its record where there is one already. */
interface Awaited {
  readonly meant: FullName;
  readonly record: BackupRecord | undefined;
}

/**
 * Waits until each backup is what was asked for, and says so. Throws wait-impossible as soon as one can no longer become
 * that, and wait-timeout: the time is one for all.
 */
export async function* wait(
  context: WaitContext,
  names: readonly string[],
  options: WaitOptions,
): AsyncGenerator<Told> {
  const awaited = await findStep(context, names, options);
  let seen: Awaited | undefined = awaited[0];
  using limit = timeLimit(context.clock, options.timeoutMs, () => tooLate(seen, options.for));
  for (const each of awaited) {
    seen = each;
    const saw = (record: BackupRecord): void => {
      seen = { meant: each.meant, record };
    };
    yield await one({ ...context, signal: AbortSignal.any([limit.signal, context.signal]) }, each, options.for, saw);
  }
}

async function one(
  { registry, signal }: WaitContext,
  { meant, record }: Awaited,
  condition: WaitCondition,
  saw: (record: BackupRecord) => void,
): Promise<Told> {
  const path = recordPath(meant);
  let last = record;
  for await (const stored of registry.follow(meant, signal)) {
    last = stored?.record ?? last;
    if (last === undefined) continue;
    saw(last);
    if (verdict(stored?.record, condition, path)) return { record: last, line: `backup ${path} ${condition}\n` };
  }
  signal.throwIfAborted();
  throw new StillpointError('internal', `the registry stopped following backup ${path}`);
}

/** latest is here the newest of any state: of one that has begun, not the last good one before it. */
async function findStep(
  { registry, clock }: WaitContext,
  names: readonly string[],
  options: WaitOptions,
): Promise<readonly Awaited[]> {
  if (isBySelector(names, options)) {
    const found = await chooseRecords(registry, names, options);
    // Nothing is not what has been waited for, unless that is what it was to become.
    if (found.length > 0 || options.for === 'deleted') return found.map(({ record }) => ({ meant: record, record }));
    throw new StillpointError('backup-not-found', `there is no backup with the labels ${options.selector}`, {
      hint: 'stillpoint list -A shows all backups',
    });
  }
  const awaited: Awaited[] = [];
  for (const name of names) {
    try {
      for (const { record } of await chooseRecords(registry, [name], options, 'any')) {
        awaited.push({ meant: record, record });
      }
    } catch (thrown) {
      awaited.push(begunJustNow(name, options, clock, asStillpointError(thrown)));
    }
  }
  return awaited;
}

/** One that was begun just now is on record only when its pod runs: whoever has its name from `stillpoint backup` waits for that. */
function begunJustNow(name: string, options: WaitOptions, clock: Clock, missing: StillpointError): Awaited {
  const meant = missing.code === 'backup-not-found' ? fullName(name, options) : undefined;
  if (meant === undefined || options.for === 'deleted') throw missing;
  const age = clock.now().getTime() - backupIdTime(meant.id).getTime();
  if (Math.abs(age) > BEGINS_WITHIN_MS) throw missing;
  return { meant, record: undefined };
}

function tooLate(awaited: Awaited | undefined, condition: WaitCondition): StillpointError {
  const path = awaited === undefined ? '' : recordPath(awaited.meant);
  if (awaited?.record !== undefined)
    return new StillpointError('wait-timeout', `backup ${path} was not ${condition} in time`);
  return new StillpointError('wait-timeout', `backup ${path} was not on record in time: its pod never came so far`, {
    hint: 'kubectl describe its Job and its pod: they say why',
  });
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
