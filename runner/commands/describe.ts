import { findRecord } from '../find-record';
import { formatRecord, type Output } from '../output/records';
import type { Clock, RecordFilter, Registry } from '../ports';

/** Shows one backup in full. */
export async function describe(
  context: { readonly registry: Registry; readonly clock: Clock },
  name: string,
  options: RecordFilter & { readonly output: Output },
): Promise<string> {
  const { output, ...filter } = options;
  const { record } = await findRecord(context.registry, name, filter);
  return formatRecord(record, output, context.clock.now());
}
