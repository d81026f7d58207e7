/** How the databases stand: the last good backup of each, what fails, and when the next one is due. */
import { StillpointError } from '../errors';
import { span } from '../output/duration';
import type { Output } from '../output/records';
import { formatStates } from '../output/states';
import type { TableStyle } from '../output/table';
import { type DatabaseState, healthOf, Overview } from '../overview';
import type { Clock, RecordFilter, Registry, Schedules } from '../ports';

export interface StatusContext {
  readonly registry: Registry;
  /** Undefined where there are no CronJobs. */
  readonly schedules?: Schedules | undefined;
  readonly clock: Clock;
  readonly print: (text: string) => void;
  readonly note: (text: string) => void;
}

type Where = Pick<RecordFilter, 'namespace' | 'database' | 'selector'>;

export interface StatusOptions extends Where, TableStyle {
  /** How old the last good backup of a database may be. */
  readonly maxAgeMs?: number | undefined;
  readonly output: Output;
}

/** Prints how the databases stand. Throws backup-overdue when one has no backup as young as asked for. */
export async function status(context: StatusContext, options: StatusOptions): Promise<void> {
  const { clock, print, note } = context;
  const { maxAgeMs, output, namespace, database } = options;
  const now = clock.now();
  const states = await statesOf(context, options);
  if (states.length === 0) {
    if (database !== undefined) throw noDatabase(namespace, database);
    // Monitoring that looks at the wrong place is not told that all is well.
    if (maxAgeMs !== undefined) throw nothingThere(namespace);
    const asked = options.selector === undefined ? '' : ' with these labels';
    note(`No databases found${namespace === undefined ? '' : ` in namespace ${namespace}`}${asked}.`);
  }
  print(formatStates(states, output, { ...options, namespaces: namespace === undefined, now }));
  if (maxAgeMs !== undefined) failOnOverdue(states, { now, maxAgeMs, named: database !== undefined });
}

/** The databases that have a policy or a backup; with a selector those of which one has these labels, each as it is in full. */
export async function statesOf(
  { registry, schedules }: Pick<StatusContext, 'registry' | 'schedules'>,
  { selector, ...where }: Where,
): Promise<readonly DatabaseState[]> {
  const all = await everyState({ registry, schedules }, where);
  if (selector === undefined) return all;
  const chosen = await everyState({ registry, schedules }, { ...where, selector });
  const names = new Set(chosen.map(nameOf));
  return all.filter((state) => names.has(nameOf(state)));
}

function nameOf({ namespace, database }: DatabaseState): string {
  return `${namespace}/${database}`;
}

async function everyState(
  { registry, schedules }: Pick<StatusContext, 'registry' | 'schedules'>,
  where: Where,
): Promise<readonly DatabaseState[]> {
  const overview = new Overview();
  const planned = schedules?.list(where);
  planned?.catch(() => undefined);
  for await (const page of registry.summaries(where)) {
    for (const summary of page) overview.add(summary);
  }
  for (const schedule of (await planned) ?? []) overview.addSchedule(schedule);
  return overview.states();
}

function nothingThere(namespace: string | undefined): StillpointError {
  const where = namespace === undefined ? 'any namespace' : `namespace ${namespace}`;
  return new StillpointError('database-not-found', `there is no policy and no backup of any database in ${where}`, {
    hint: 'stillpoint status -A shows all databases; --registry names another registry',
  });
}

export function noDatabase(namespace: string | undefined, database: string): StillpointError {
  const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`;
  return new StillpointError(
    'database-not-found',
    `there is no policy and no backup of a database ${database} ${where}`,
    {
      hint: 'stillpoint status -A shows all databases',
    },
  );
}

/** A database without a policy is not meant to have new backups, unless it was asked for by name. */
function failOnOverdue(
  states: readonly DatabaseState[],
  { now, maxAgeMs, named }: { readonly now: Date; readonly maxAgeMs: number; readonly named: boolean },
): void {
  const meant = named ? states : states.filter(({ schedules }) => schedules.length > 0);
  const overdue = meant.filter((state) => ['late', 'missing'].includes(healthOf(state, now, maxAgeMs)));
  if (overdue.length === 0) return;
  const names = overdue.map(({ namespace, database }) => `${namespace}/${database}`).join(', ');
  throw new StillpointError('backup-overdue', `no good backup younger than ${span(maxAgeMs)}: ${names}`, {
    hint: 'stillpoint describe of the database shows its last results, doctor what stands in the way',
  });
}
