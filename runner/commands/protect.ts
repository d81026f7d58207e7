/** Protects backups from being removed, and releases them. */
import { type BackupRecord, isProtected } from '../../src/contract';
import { chooseRecords } from '../choose-records';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Told } from '../output/told';
import type { Clock, RecordFilter, Registry, StoredRecord } from '../ports';

export interface ProtectContext {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Who does it, for the record. */
  readonly who: string;
}

export interface ProtectOptions extends RecordFilter {
  readonly reason?: string | undefined;
}

/**
 * Neither a prune nor a deletion removes them until they are released. One that cannot be protected stops all of them before
 * anything is changed.
 */
export function protect(
  context: ProtectContext,
  names: readonly string[],
  options: ProtectOptions,
): AsyncGenerator<Told> {
  return setProtections(context, names, options, true);
}

/** From now on its policy's retention decides, also of one that was taken before a deployment. */
export function release(
  context: ProtectContext,
  names: readonly string[],
  options: ProtectOptions,
): AsyncGenerator<Told> {
  return setProtections(context, names, options, false);
}

async function* setProtections(
  context: ProtectContext,
  names: readonly string[],
  { reason, ...filter }: ProtectOptions,
  wanted: boolean,
): AsyncGenerator<Told> {
  const chosen = await chooseRecords(context.registry, names, filter);
  if (wanted) for (const { record } of chosen) if (!isAlready(record, wanted)) refuseUnlessGood(record);
  for (const stored of chosen) {
    const path = recordPath(stored.record);
    if (isAlready(stored.record, wanted)) {
      yield { record: stored.record, line: `backup ${path} was ${wanted ? 'protected' : 'not protected'} already\n` };
    } else {
      const record = await setProtection(context, stored, wanted, reason);
      yield { record, line: `backup ${path} ${wanted ? 'protected' : 'released'}\n` };
    }
  }
}

function isAlready(record: BackupRecord, wanted: boolean): boolean {
  return wanted ? record.retention?.protected === true : !isProtected(record);
}

async function setProtection(
  { registry, clock, who }: ProtectContext,
  stored: StoredRecord,
  wanted: boolean,
  reason: string | undefined,
): Promise<BackupRecord> {
  const { record } = stored;
  // A reason and a name of before are about what was done before.
  const { reason: _, ...rest } = record.retention ?? {};
  const retention = {
    ...rest,
    protected: wanted,
    by: who,
    at: clock.now().toISOString(),
    ...(reason === undefined ? {} : { reason }),
  };
  return (await registry.update(stored, { ...record, retention })).record;
}

/** One that is being made is changed by its runner alone, and of one that failed there is nothing to protect. */
function refuseUnlessGood(record: BackupRecord): void {
  if (record.phase === 'succeeded') return;
  throw new StillpointError(
    'protect-refused',
    `backup ${recordPath(record)} cannot be protected: it is ${record.phase}`,
    {
      hint: 'only one that has succeeded can: stillpoint list shows them',
    },
  );
}
