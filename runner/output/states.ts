/** How databases stand, as people and scripts read it. Pure. */
import { stringify } from 'yaml';
import { backupIdTime } from '../../src/contract';
import { type DatabaseState, type Health, healthOf, nextOf, nextOfAll } from '../overview';
import type { Schedule } from '../ports';
import { age, span } from './duration';
import type { Output } from './records';
import { type Colour, type Column, type TableStyle, table } from './table';

export interface StatesStyle extends TableStyle {
  readonly namespaces: boolean;
  readonly now: Date;
  readonly maxAgeMs?: number | undefined;
}

/** Databases, each in a line. */
export function formatStates(states: readonly DatabaseState[], output: Output, style: StatesStyle): string {
  const { now, maxAgeMs } = style;
  const documents = (): readonly object[] => states.map((state) => stateDocument(state, now, maxAgeMs));
  if (output === 'json') return `${JSON.stringify(documents(), null, 2)}\n`;
  if (output === 'yaml') return stringify(documents());
  if (output === 'name') return states.map(({ namespace, database }) => `${namespace}/${database}\n`).join('');
  if (states.length === 0) return '';
  return table(columns(style, output === 'wide'), states, style);
}

/** A database as scripts read it. */
export function stateDocument(state: DatabaseState, now: Date, maxAgeMs?: number): object {
  const { namespace, database, engine, lastGood, failures, failingSince, running, backups, good, schedules } = state;
  return {
    ...{ namespace, database, engine, status: healthOf(state, now, maxAgeMs), lastGood },
    lastGoodAt: lastGood && backupIdTime(lastGood).toISOString(),
    ...{ failures, failingSince, running, backups, good },
    policies: schedules.map((schedule) => policyDocument(schedule, now)),
  };
}

/** `14h`: how long until the next backup; or why there is none. */
export function nextText(next: ReturnType<typeof nextOfAll>, now: Date): string {
  return next instanceof Date ? span(next.getTime() - now.getTime()) : next;
}

function policyDocument(schedule: Schedule, now: Date): object {
  const { policy: name, expression, timeZone, suspended, lastRun } = schedule;
  const next = nextOf(schedule, now);
  return {
    name,
    schedule: expression,
    timeZone,
    suspended,
    lastRun,
    nextRun: next instanceof Date ? next.toISOString() : undefined,
  };
}

function columns({ namespaces, now, maxAgeMs }: StatesStyle, wide: boolean): readonly Column<DatabaseState>[] {
  const health = (state: DatabaseState): Health => healthOf(state, now, maxAgeMs);
  const all: (Column<DatabaseState> | false)[] = [
    namespaces && { title: 'NAMESPACE', value: ({ namespace }) => namespace },
    { title: 'DATABASE', value: ({ database }) => database },
    { title: 'STATUS', value: health, colour: (state) => COLOURS[health(state)] },
    {
      title: 'LAST GOOD',
      value: ({ lastGood }) => (lastGood === undefined ? 'never' : age(backupIdTime(lastGood), now)),
    },
    { title: 'FAILED SINCE', value: (state) => failedText(state, now) },
    { title: 'NEXT RUN', value: ({ schedules }) => nextText(nextOfAll(schedules, now), now) },
    wide && { title: 'ENGINE', value: ({ engine }) => engine ?? '' },
    wide && { title: 'BACKUPS', value: ({ good, backups }) => `${good}/${backups}` },
    wide && { title: 'LAST BACKUP', value: ({ lastGood }) => lastGood ?? '' },
    wide && { title: 'POLICY', value: ({ schedules }) => schedules.map(({ policy }) => policy).join(',') },
    wide && { title: 'SCHEDULE', value: ({ schedules }) => schedules.map(({ expression }) => expression).join(', ') },
  ];
  return all.filter((column) => column !== false);
}

/** How often since the last good backup, and for how long: `3 in 2d5h`. */
function failedText({ failures, failingSince }: DatabaseState, now: Date): string {
  return failingSince === undefined ? '' : `${failures} in ${age(backupIdTime(failingSince), now)}`;
}

const COLOURS: Readonly<Record<Health, Colour>> = { ok: 'green', failing: 'yellow', late: 'red', missing: 'red' };
