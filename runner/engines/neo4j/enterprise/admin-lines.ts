/**
 * The command lines of neo4j-admin for online backups, by version. The Enterprise edition was not to be had: they are what its
 * documentation says, and no server has taken one of them. [doc: Operations Manual 4.4, 5, 2025: Backup and restore; release notes] Pure.
 */
import { StillpointError } from '../../../errors';
import { type AdminVersion, hasArtifacts, isAtLeast, wordOf } from './admin-version';

/** One run of the tool. Nothing secret is in it: backups take no login. */
export interface AdminLine {
  readonly program: 'neo4j-admin';
  readonly args: readonly string[];
}

/** `differential` continues a chain, and fails where there is none; `auto` begins one there. */
export type BackupType = 'full' | 'differential' | 'auto';

export interface BackupRequest {
  /** One database. What several came to could not be told apart by one exit code. */
  readonly database: string;
  /** `host:6362`, each tried in order. */
  readonly from: readonly string[];
  /** A folder. */
  readonly to: string;
  readonly type: BackupType;
  /** An empty folder for files until the command is done. */
  readonly temp?: string | undefined;
}

/** The database of the DBMS itself, which has no metadata of its own to take along. */
export const SYSTEM = 'system';

export function backupLine(version: AdminVersion, request: BackupRequest): AdminLine {
  const { database, from, to, type, temp } = request;
  const name = nameOf(database);
  if (from.length === 0) throw invalid('a backup names no server', 'name one or several, as graph:6362');
  const metadata = name === SYSTEM ? [] : ['--include-metadata=all'];
  if (!hasArtifacts(version)) return mutableBackupLine(version, { ...request, database: name }, metadata);
  return line('database', 'backup', [
    `--from=${from.join(',')}`,
    `--to-path=${to}`,
    `--type=${TYPES[type]}`,
    ...metadata,
    ...tempOf(version, temp),
    name,
  ]);
}

const TYPES: Readonly<Record<BackupType, string>> = { full: 'FULL', differential: 'DIFF', auto: 'AUTO' };

/** A folder of 4.4 would be changed by the next backup into it: each has one of its own, and is a full one. */
function mutableBackupLine(version: AdminVersion, request: BackupRequest, metadata: readonly string[]): AdminLine {
  const { database, from, to, type } = request;
  if (type === 'differential') {
    throw new StillpointError('tool-version', `neo4j-admin ${wordOf(version)} has no differential backups`, {
      hint: 'take full ones: an incremental one of 4.4 changes the backup before it',
    });
  }
  if (from.length > 1) throw invalid(`neo4j-admin ${wordOf(version)} takes one server`, 'name one host:6362');
  return line('backup', [
    `--from=${from[0]}`,
    `--backup-dir=${to}`,
    `--database=${database}`,
    '--fallback-to-full=false',
    // It is checked by a run of its own, whose failure is told from that of the backup.
    '--check-consistency=false',
    ...metadata,
  ]);
}

/** Undefined where there is nothing to be read: 4.4 keeps no such header. */
export function inspectLine(version: AdminVersion, path: string): AdminLine | undefined {
  if (!hasArtifacts(version)) return undefined;
  if (!isAtLeast(version, 5, 25)) return line('database', 'backup', [`--inspect-path=${path}`]);
  // From 2025.07 on it is always shown, and the option is gone. [doc: Inspect the metadata of a backup file]
  const metadata = isAtLeast(version, 2025, 7) ? [] : ['--show-metadata'];
  return line('backup', 'inspect', [path, ...metadata, '--empty']);
}

export interface CheckRequest {
  readonly database: string;
  /** A folder with what is checked, and nothing else of that database. In 4.4 the backup is a folder in it, of the database's name. */
  readonly from: string;
  readonly report: string;
  readonly temp?: string | undefined;
}

/**
 * Checks the one backup of a database that lies in a folder: a full one; before 2025.09 a chain too, of which the newest in the folder was
 * taken. A folder with several has no one answer in all versions.
 */
export function checkLine(version: AdminVersion, { database, from, report, temp }: CheckRequest): AdminLine {
  const name = nameOf(database);
  if (!hasArtifacts(version)) return line('check-consistency', [`--backup=${from}/${name}`, `--report-dir=${report}`]);
  return line('database', 'check', [
    `--from-path=${from}`,
    // Of this one alone, unlike the others, it is not said since when it is there: it is as old as --from-path.
    ...(temp === undefined ? [] : [`--temp-path=${temp}`]),
    `--report-path=${report}`,
    name,
  ]);
}

export interface AggregateRequest {
  /** The last artifact of the chain: of a folder it would be guessed which chain is meant. */
  readonly artifact: string;
  readonly temp?: string | undefined;
}

/** Makes one full artifact of a chain. The chain is kept: the records of its backups name its files. */
export function aggregateLine(version: AdminVersion, { artifact, temp }: AggregateRequest): AdminLine {
  if (!isAtLeast(version, 5, 2)) {
    throw new StillpointError('tool-version', `neo4j-admin ${wordOf(version)} does not aggregate one named chain`, {
      hint: 'take full backups, or an image of 5.2 or later',
    });
  }
  const options = [`--from-path=${artifact}`, '--keep-old-backup=true', ...tempOf(version, temp)];
  return version.major > 5 ? line('backup', 'aggregate', options) : line('database', 'aggregate-backup', options);
}

export interface RestoreRequest {
  readonly artifact: string;
  /** The name that it gets. */
  readonly database: string;
  /** Up to this instant, or up to and without this transaction. */
  readonly until?: Date | number | undefined;
  readonly replace: boolean;
  readonly temp?: string | undefined;
}

export function restoreLine(version: AdminVersion, request: RestoreRequest): AdminLine {
  const { artifact, database, until, replace, temp } = request;
  const name = nameOf(database);
  if (!hasArtifacts(version)) {
    if (until === undefined) {
      return line('restore', [`--from=${artifact}`, `--database=${name}`, ...(replace ? ['--force'] : [])]);
    }
    throw new StillpointError('tool-version', `neo4j-admin ${wordOf(version)} does not restore up to a point`, {
      hint: 'restore the whole backup that was taken before it',
    });
  }
  return line('database', 'restore', [
    `--from-path=${artifact}`,
    ...(replace ? ['--overwrite-destination=true'] : []),
    ...(until === undefined ? [] : [`--restore-until=${untilOf(until)}`]),
    ...tempOf(version, temp),
    name,
  ]);
}

/** As the tool reads it: a transaction, or an instant in UTC without its zone. */
function untilOf(until: Date | number): string {
  return typeof until === 'number' ? String(until) : until.toISOString().slice(0, 19).replace('T', ' ');
}

function tempOf(version: AdminVersion, temp: string | undefined): readonly string[] {
  return temp === undefined || !isAtLeast(version, 5, 24) ? [] : [`--temp-path=${temp}`];
}

/** A physical database: a name that looks like an option, a path or a pattern would be taken for one. */
function nameOf(database: string): string {
  if (/^[a-z][a-z0-9.-]{2,62}$/i.test(database)) return database.toLowerCase();
  throw invalid(`"${database}" is no name of a database`, 'patterns and aliases are resolved before');
}

function line(...words: readonly (string | readonly string[])[]): AdminLine {
  return { program: 'neo4j-admin', args: words.flat() };
}

function invalid(message: string, hint: string): StillpointError {
  return new StillpointError('config-invalid', message, { hint });
}
