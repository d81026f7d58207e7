/** One database in full, as people and scripts read it. Pure. */
import { stringify } from 'yaml';
import {
  type BackupRecord,
  backupIdTime,
  isCopy,
  isDump,
  isSnapshot,
  JOB_DEFAULTS,
  type MemberConfig,
  membersOf,
  type PolicyConfig,
  storePlace,
} from '../../src/contract';
import { type DatabaseState, healthOf, nextOf } from '../overview';
import type { PastEvent, RecordSummary, Schedule } from '../ports';
import { age } from './duration';
import { summaryTable } from './listing';
import { heldText, type Output } from './records';
import { nextText, stateDocument } from './states';
import { type Column, fields, type TableStyle, table } from './table';

/** What is known of a database. */
export interface DatabaseDetails {
  readonly state: DatabaseState;
  readonly policies: readonly PolicyDetails[];
  readonly lastGood: BackupRecord | undefined;
  readonly lastFailed: BackupRecord | undefined;
  /** The newest backups, newest first. */
  readonly newest: readonly RecordSummary[];
  readonly events: readonly PastEvent[];
}

export interface PolicyDetails {
  readonly schedule: Schedule;
  /** Undefined for who may not read it. */
  readonly config: PolicyConfig | undefined;
}

export interface DatabaseStyle extends Pick<TableStyle, 'colours'> {
  readonly output: Output;
  readonly now: Date;
}

/** A database, for `-o`. */
export function formatDatabase(details: DatabaseDetails, { output, now, colours }: DatabaseStyle): string {
  const { state, policies, newest } = details;
  if (output === 'name') return `${state.namespace}/${state.database}\n`;
  const document = {
    ...stateDocument(state, now),
    configs: policies.flatMap(({ config }) => config ?? []),
    newest,
    events: details.events,
  };
  if (output === 'json') return `${JSON.stringify(document, null, 2)}\n`;
  if (output === 'yaml') return stringify(document);
  return [
    fields(identity(details, now)),
    section('Policies', policies.length === 0 ? '' : table(POLICY_COLUMNS(now), policies)),
    section('Volumes', details.lastGood === undefined ? '' : table(VOLUME_COLUMNS, details.lastGood.volumes)),
    section(
      'Backups',
      newest.length === 0 ? '' : summaryTable(newest, { namespaces: false, now, colours }),
      backupsText(details),
    ),
    section('Events', details.events.length === 0 ? '' : table(EVENT_COLUMNS(now), details.events)),
  ].join('');
}

function identity({ state, lastGood, lastFailed, policies }: DatabaseDetails, now: Date): [string, string][] {
  const { namespace, database, engine, failures, failingSince, running } = state;
  const last = lastGood ?? lastFailed;
  const failing: [string, string][] =
    failingSince === undefined
      ? []
      : [['Failing', `${failures} since ${instant(failingSince)} (${age(backupIdTime(failingSince), now)} ago)`]];
  return [
    ['Name', database],
    ['Namespace', namespace],
    ['Engine', `${last?.flavour ?? engine ?? engineOf(policies[0]?.config)} ${last?.serverVersion ?? ''}`.trim()],
    ['Server', server(lastGood, policies)],
    ['Status', healthOf(state, now)],
    ['Last good', lastGood === undefined ? 'never' : goodText(lastGood, now)],
    ['Last failed', lastFailed === undefined ? 'never' : failedText(lastFailed, now)],
    ...failing,
    ...(running === undefined
      ? []
      : [['Running', `${running} (${age(backupIdTime(running), now)})`] as [string, string]]),
  ];
}

function server(lastGood: BackupRecord | undefined, policies: readonly PolicyDetails[]): string {
  const { workload } = lastGood ?? {};
  const hosts = policies.flatMap(({ config }) => (config === undefined ? [] : hostsOf(config)));
  const parts = [
    ...new Set(hosts),
    ...(workload?.pod === undefined ? [] : [`pod ${workload.pod}`]),
    ...(workload?.name === undefined ? [] : [`${workload.kind ?? 'workload'} ${workload.name}`]),
    ...(workload?.image === undefined ? [] : [`image ${workload.image}`]),
  ];
  return parts.join(', ');
}

function serversOf(config: PolicyConfig): readonly Pick<MemberConfig, 'engine' | 'connection'>[] {
  if (isCopy(config)) return [{ engine: config.spec.engine }];
  return isDump(config) ? [config.spec] : membersOf(config).map((member) => member.config);
}

function hostsOf(config: PolicyConfig): readonly string[] {
  return serversOf(config).flatMap(({ connection }) =>
    connection === undefined ? [] : [`host ${connection.host}:${connection.port}`],
  );
}

function engineOf(config: PolicyConfig | undefined): string {
  const engines = config === undefined ? [] : serversOf(config).map(({ engine }) => engine);
  return [...new Set(engines)].join(', ');
}

function goodText(record: BackupRecord, now: Date): string {
  return `${record.id} (${age(backupIdTime(record.id), now)} ago), held: ${heldText(record)}`;
}

function failedText({ id, error }: BackupRecord, now: Date): string {
  const why = error === undefined ? '' : `: ${error.message} (${error.code})`;
  return `${id} (${age(backupIdTime(id), now)} ago)${why}`;
}

function backupsText({ state: { backups, good }, newest }: DatabaseDetails): string {
  if (backups === 0) return '<none>';
  const shown = newest.length < backups ? `; the newest ${newest.length}:` : '';
  return `${backups}, of which ${good} good${shown}`;
}

const POLICY_COLUMNS = (now: Date): readonly Column<PolicyDetails>[] => [
  { title: 'NAME', value: ({ schedule }) => schedule.policy },
  { title: 'SCHEDULE', value: ({ schedule }) => schedule.expression },
  { title: 'TIME ZONE', value: ({ schedule }) => schedule.timeZone },
  {
    title: 'LAST RUN',
    value: ({ schedule: { lastRun } }) => (lastRun === undefined ? 'never' : age(new Date(lastRun), now)),
  },
  { title: 'NEXT RUN', value: ({ schedule }) => nextText(nextOf(schedule, now), now) },
  {
    title: 'BUDGET',
    value: ({ config }) =>
      config !== undefined && isSnapshot(config) ? `${config.spec.budgetSeconds ?? JOB_DEFAULTS.budgetSeconds}s` : '',
  },
  { title: 'CLASS', value: ({ config }) => (config === undefined ? '' : placeOf(config)) },
];

/** What its backups are made with: a class, or a store. */
function placeOf(config: PolicyConfig): string {
  if (!isSnapshot(config)) return storePlace(config.spec.storage);
  const { groupClassName, className = '' } = config.spec.snapshots;
  return groupClassName ?? className;
}

type RecordedVolume = BackupRecord['volumes'][number];

const VOLUME_COLUMNS: readonly Column<RecordedVolume>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'ROLE', value: ({ role }) => role },
  { title: 'CLAIM', value: ({ claim }) => claim },
  { title: 'CAPACITY', value: ({ capacity }) => capacity ?? '' },
  { title: 'CLASS', value: ({ storageClass }) => storageClass ?? '' },
  { title: 'MOUNTED AT', value: ({ mountPath }) => mountPath ?? '' },
];

const EVENT_COLUMNS = (now: Date): readonly Column<PastEvent>[] => [
  { title: 'LAST SEEN', value: ({ at }) => age(new Date(at), now) },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'REASON', value: ({ reason }) => reason },
  { title: 'OBJECT', value: ({ object }) => object },
  { title: 'MESSAGE', value: ({ message }) => message },
];

function instant(id: string): string {
  return `${backupIdTime(id).toISOString().slice(0, 19)}Z`;
}

/** A heading, with what there is to say about it, and an indented table under it. */
function section(title: string, text: string, about = text === '' ? '<none>' : ''): string {
  const indented = text === '' ? '' : text.replace(/^(?=.)/gm, '  ');
  return `${title}:${about === '' ? '' : `   ${about}`}\n${indented}`;
}
