import { type BackupRecord, PHASES } from '../../src/contract';
import { StillpointError } from '../errors';
import { formatRecords, type Output } from '../output/records';
import type { Clock, RecordFilter, Registry } from '../ports';

export interface ListOptions extends RecordFilter {
  readonly status?: string | undefined;
  readonly output: Output;
}

/** Lists backups, newest first. */
export async function list(
  context: { readonly registry: Registry; readonly clock: Clock },
  options: ListOptions,
): Promise<string> {
  const { status, output, ...filter } = options;
  if (status !== undefined && !(PHASES as readonly string[]).includes(status)) {
    throw new StillpointError('usage-invalid', `${status} is no status of a backup`, {
      hint: `one of ${PHASES.join(', ')}`,
    });
  }
  const stored = await context.registry.list(filter);
  const records = stored
    .map(({ record }) => record)
    .filter(({ phase }: BackupRecord) => status === undefined || phase === status);
  return formatRecords(records, output, context.clock.now());
}
