/** Records as people and scripts read them. Pure: records in, text out. */
import { stringify } from 'yaml';
import { type BackupRecord, type Copied, type Imported, isProtected, type RecordedObject } from '../../src/contract';
import { age, shortTime } from './duration';
import { bytesText } from './size';
import { fields } from './table';

/** What `-o` may be. */
export const OUTPUTS = ['table', 'wide', 'json', 'yaml', 'name'] as const;

/** One of {@link OUTPUTS}. */
export type Output = (typeof OUTPUTS)[number];

/** One record, for `-o`: an object where a list would be a list. */
export function formatRecord(record: BackupRecord, output: Output, now: Date): string {
  if (output === 'json') return `${JSON.stringify(record, null, 2)}\n`;
  if (output === 'yaml') return stringify(record);
  return output === 'name' ? `${recordPath(record)}\n` : describeRecord(record, now);
}

/** One record, in full. */
export function describeRecord(record: BackupRecord, now: Date): string {
  const sections = [
    fields(identity(record)),
    `Times:\n${fields(times(record, now), '  ')}`,
    section(
      'Volumes',
      record.volumes.map((volume) => `${volume.name} (${volume.role})   claim ${volume.claim}${at(volume.mountPath)}`),
    ),
    section('Snapshots', record.cuts.map(describeCut)),
    section('Objects', (record.objects ?? []).map(describeObject)),
    section('Members', (record.members ?? []).map(describeMember)),
    record.imported === undefined ? '' : `Imported:\n${fields(imported(record.imported), '  ')}`,
    map('Position', record.position),
    record.proof === undefined ? '' : `Proof:\n${fields(proof(record.proof), '  ')}`,
    section('Warnings', record.warnings ?? []),
    section('Left over', record.leftovers ?? []),
    record.error === undefined ? '' : `Error:\n${fields(failure(record.error), '  ')}`,
  ];
  return sections.filter((text) => text !== '').join('');
}

/** `namespace/database/id`: what a record is called on the command line. */
export function recordPath({ namespace, database, id }: Pick<BackupRecord, 'namespace' | 'database' | 'id'>): string {
  return `${namespace}/${database}/${id}`;
}

function identity(record: BackupRecord): [string, string][] {
  return [
    ['Backup', record.id],
    ['Namespace', record.namespace],
    ['Database', record.database],
    ['Engine', `${record.flavour ?? record.engine} ${record.serverVersion ?? ''}`.trim()],
    ['Identity', entries(record.serverIdentity)],
    ['Made from', resourceText(record.resource)],
    ['Policy', record.policy],
    ['Trigger', record.trigger],
    ['Job', `${record.owner.jobName ?? ''} ${record.owner.jobUid}`.trim()],
    ['Status', record.phase],
    ['Layout', record.layout ?? ''],
    ['Kind', kindOf(record)],
    ...(record.mode === 'dump' && record.copy !== undefined
      ? ([
          ['Copy of', `${recordPath(record.copy.of)}${copiedText(record.copy)}`],
          ['Store', record.storeName ?? ''],
        ] as [string, string][])
      : record.mode === 'dump'
        ? ([
            ['Tool', record.dump?.tool ?? ''],
            ['Dumped', dumpedText(record.dump)],
            ['Store', record.storeName ?? ''],
          ] as [string, string][])
        : ([['Held', `${heldText(record)}, of a budget of ${record.budgetSeconds} s`]] as [string, string][])),
    ...(record.downtimeMs === undefined
      ? []
      : [
          ['Downtime', `${shortTime(record.downtimeMs)} from being told to stop to being ready again`] as [
            string,
            string,
          ],
        ]),
    ...(record.spreadMs === undefined
      ? []
      : [['Spread', `${shortTime(record.spreadMs)} from the first cut seen to the last`] as [string, string]]),
    ['Protected', protection(record)],
  ];
}

/** What a backup is: snapshots, what an engine's tool wrote, or files of snapshots in a store. */
export function kindOf({ mode, copy }: Pick<BackupRecord, 'mode' | 'copy'>): string {
  return copy === undefined ? mode : 'copy';
}

function copiedText({ volumes = [] }: Copied): string {
  return volumes
    .map(({ name, entries: count, bytes }) => `; ${name}: ${count} files and folders, ${bytesText(bytes)}`)
    .join('');
}

function resourceText(resource: BackupRecord['resource']): string {
  if (resource === undefined) return '';
  const { kind, name, path, secret } = resource;
  const called = path === undefined ? '' : `, ${path} there`;
  return `${kind} ${name}${called}${secret === undefined ? '' : `, its password in Secret ${secret} of the registry`}`;
}

/** Whether it stays until it is released, and who said so and why. */
function protection(record: BackupRecord): string {
  const { by, at: when, reason } = record.retention ?? {};
  const kept = isProtected(record);
  if (by === undefined) return kept ? 'yes, taken before a deployment' : 'no';
  return `${kept ? 'yes' : 'no, released'}, by ${by}${when === undefined ? '' : ` at ${when}`}${reason === undefined ? '' : `: ${reason}`}`;
}

/** A freeze has instants where something stood still. */
const OF_A_FREEZE: readonly string[] = ['frozen', 'thawed'];

function times({ times: known, freezes }: BackupRecord, now: Date): [string, string][] {
  const told = Object.entries(known).filter(([name]) => freezes !== 'nothing' || !OF_A_FREEZE.includes(name));
  return told.flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, `${value} (${age(new Date(value), now)} ago)`] as [string, string]] : [],
  );
}

function proof({ statement, holds, before, after }: NonNullable<BackupRecord['proof']>): [string, string][] {
  return [
    ['Holds', holds ? 'yes' : 'no'],
    ['Statement', statement],
    ['Before', `${before.at} ${entries(before.facts)}`],
    ['After', `${after.at} ${entries(after.facts)}`],
  ];
}

function imported({ at: when, by, from, verifiedBy, ownsData, look }: Imported): [string, string][] {
  const { clusterUid, namespace, database, exportedAt } = from;
  const origin = [namespace, database].filter((part) => part !== undefined).join('/');
  // The record beside a dump was never exported.
  const exported = exportedAt === undefined ? '' : `, exported at ${exportedAt}`;
  return [
    ['At', `${when}${by === undefined ? '' : ` by ${by}`}`],
    ['From', origin === '' ? 'a bare handle' : `${origin} in cluster ${clusterUid ?? 'unknown'}${exported}`],
    ['Signature', verifiedBy === undefined ? 'not checked' : `checked with key ${verifiedBy}`],
    ['Data', ownsData ? 'goes when this is deleted' : 'belongs to that cluster, and stays when this is deleted'],
    ['There', isThere(look)],
  ];
}

/** To know that takes a question to the storage, which nobody asks in passing. */
function isThere(look: Imported['look']): string {
  if (look === undefined || look.missing.length === 0) {
    return 'as far as that cluster has not deleted it: stillpoint doctor asks the storage';
  }
  return `no, as stillpoint doctor found at ${look.at}: ${look.missing.join('; ')}`;
}

function failure({ code, message, hint, at: when }: NonNullable<BackupRecord['error']>): [string, string][] {
  return [
    ['Code', code],
    ['Message', message],
    ...(hint === undefined ? [] : [['Hint', hint] as [string, string]]),
    ['At', when],
  ];
}

function describeCut(cut: BackupRecord['cuts'][number]): string {
  const handle = cut.handle === undefined ? '' : `   handle ${cut.handle} (${cut.driver ?? 'unknown driver'})`;
  const ready = cut.readyAt === undefined ? '' : `, ready ${cut.readyAt}`;
  const size = cut.restoreSize === undefined ? '' : `   ${cut.restoreSize}`;
  const seen = `cut seen ${cut.seenAt} by ${cut.seenBy}${cut.driverKnown ? '' : ' (driver not known)'}`;
  return `${cut.snapshot}   volume ${cut.volume}${size}   ${seen}${ready}${handle}`;
}

function describeObject(object: RecordedObject): string {
  const { location, bytes, plainBytes, compression, sha256, encryption, lockedUntil } = object;
  const packed = `${bytesText(bytes)}, by ${compression} of ${bytesText(plainBytes)}`;
  const sealed =
    encryption === undefined ? '' : `   encrypted by ${encryption.format} for ${encryption.recipients.join(', ')}`;
  const locked = lockedUntil === undefined ? '' : `   locked until ${lockedUntil}`;
  return `${location}   ${packed}   sha256 ${sha256}${sealed}${locked}`;
}

/** Of several servers each: what it is, for how long it was held, where its log stood. */
function describeMember(member: NonNullable<BackupRecord['members']>[number]): string {
  const { name, engine, flavour, serverVersion, freezeWindowMs, freezes, position } = member;
  const server = `${flavour ?? engine} ${serverVersion ?? ''}`.trim();
  const text = heldText({ freezes, freezeWindowMs });
  return `${name}   ${server}   held ${text}   ${entries(position)}`.trimEnd();
}

function map(title: string, values: Readonly<Record<string, string>> | undefined): string {
  const known = Object.entries(values ?? {});
  return known.length === 0 ? '' : `${title}:\n${fields(known, '  ')}`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function entries(values: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(values ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function at(path: string | undefined): string {
  return path === undefined ? '' : `   mounted at ${path}`;
}

/** What stood still and for how long: `862 ms (log-recycling)`; where nothing did, that. */
export function heldText({ freezes, freezeWindowMs }: Pick<BackupRecord, 'freezes' | 'freezeWindowMs'>): string {
  if (freezeWindowMs === undefined) return 'none';
  return freezes === 'nothing' || freezes === undefined ? 'nothing' : `${shortTime(freezeWindowMs)} (${freezes})`;
}

function dumpedText({ only, some }: NonNullable<BackupRecord['dump']> = { tool: '' }): string {
  if (some !== undefined) return `${some.join(', ')}; each of an instant of its own`;
  return only ?? 'all databases';
}
