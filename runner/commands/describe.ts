/** Shows one backup, or one database, in full. */
import type { BackupRecord } from '../../src/contract';
import { StillpointError } from '../errors';
import { findRecord, isBackupName } from '../find-record';
import { newestFirst } from '../listing';
import { type DatabaseDetails, formatDatabase } from '../output/database';
import { formatRecord, type Output } from '../output/records';
import type { TableStyle } from '../output/table';
import type { Clock, RecordFilter, RecordSummary, Registry, Schedules } from '../ports';
import { noDatabase, statesOf } from './status';

export interface DescribeContext {
  readonly registry: Registry;
  /** Undefined where there are no CronJobs. */
  readonly schedules?: Schedules | undefined;
  readonly clock: Clock;
}

export interface DescribeOptions extends RecordFilter, Pick<TableStyle, 'colours'> {
  readonly output: Output;
}

/** How many backups of a database are shown with it. */
const BACKUPS_SHOWN = 10;

/** A backup where the name is one of a backup, else the database of that name. */
export async function describe(context: DescribeContext, name: string, options: DescribeOptions): Promise<string> {
  const { output, ...filter } = options;
  const now = context.clock.now();
  if (!isBackupName(name)) return formatDatabase(await detailsOf(context, name, filter), { ...options, now });
  const { record } = await findRecord(context.registry, name, filter);
  return formatRecord(record, output, now);
}

/** Everything about the database `<database>` or `<namespace>/<database>`. */
async function detailsOf(context: DescribeContext, name: string, filter: RecordFilter): Promise<DatabaseDetails> {
  const { registry, schedules } = context;
  const [database = '', namespace = filter.namespace, ...rest] = name.split('/').reverse();
  const states = rest.length > 0 ? [] : await statesOf(context, { namespace, database });
  const [state, other] = states;
  if (state === undefined) throw noDatabase(namespace, database);
  if (other !== undefined) {
    throw new StillpointError(
      'usage-invalid',
      `there is a database ${database} in several namespaces: ${states.map((each) => each.namespace).join(', ')}`,
      {
        hint: `say which: ${state.namespace}/${database}`,
      },
    );
  }
  const of = { namespace: state.namespace, database };
  const read = async (id: string | undefined): Promise<BackupRecord | undefined> =>
    id === undefined ? undefined : (await registry.get(of.namespace, database, id))?.record;
  return {
    state,
    policies: await Promise.all(
      state.schedules.map(async (schedule) => ({ schedule, config: await schedules?.configOf(schedule) })),
    ),
    lastGood: await read(state.lastGood),
    lastFailed: await read(state.lastFailed),
    newest: await newestOf(registry, of),
    events: (await Promise.all(state.schedules.map((schedule) => schedules?.events(schedule) ?? []))).flat(),
  };
}

async function newestOf(registry: Registry, filter: RecordFilter): Promise<readonly RecordSummary[]> {
  let newest: RecordSummary[] = [];
  for await (const page of registry.summaries(filter)) {
    newest = [...newest, ...page].sort(newestFirst).slice(0, BACKUPS_SHOWN);
  }
  return newest;
}
