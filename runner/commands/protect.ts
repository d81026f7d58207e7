/** Protects a backup from being removed, and releases it. */
import { type BackupRecord, isProtected } from '../../src/contract';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Clock, RecordFilter, Registry } from '../ports';

export interface ProtectContext {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Who does it, for the record. */
  readonly who: string;
}

export interface ProtectOptions extends RecordFilter {
  readonly reason?: string | undefined;
}

/** Neither a prune nor a deletion removes it until it is released. */
export function protect(context: ProtectContext, name: string, options: ProtectOptions): Promise<string> {
  return setProtection(context, name, options, true);
}

/** From now on its policy's retention decides, also of one that was taken before a deployment. */
export function release(context: ProtectContext, name: string, options: ProtectOptions): Promise<string> {
  return setProtection(context, name, options, false);
}

async function setProtection(
  { registry, clock, who }: ProtectContext,
  name: string,
  { reason, ...filter }: ProtectOptions,
  wanted: boolean,
): Promise<string> {
  const stored = await findRecord(registry, name, filter);
  const { record } = stored;
  const path = recordPath(record);
  const already = wanted ? record.retention?.protected === true : !isProtected(record);
  if (already) return `backup ${path} was ${wanted ? 'protected' : 'not protected'} already\n`;
  if (wanted) refuseUnlessGood(record);
  // A reason and a name of before are about what was done before.
  const { reason: _, ...rest } = record.retention ?? {};
  const retention = {
    ...rest,
    protected: wanted,
    by: who,
    at: clock.now().toISOString(),
    ...(reason === undefined ? {} : { reason }),
  };
  await registry.update(stored, { ...record, retention });
  return `backup ${path} ${wanted ? 'protected' : 'released'}\n`;
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
