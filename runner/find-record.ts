/** Which backup a person means. */
import { BACKUP_ID_PATTERN, type BackupRecord, isLost } from '../src/contract';
import { StillpointError } from './errors';
import { newestFirst } from './listing';
import type { RecordFilter, RecordSummary, Registry, StoredRecord } from './ports';

/** What `latest` stands for: the newest that succeeded, and is not known to be gone, or, for who waits for it to succeed, the newest of any state. */
export type Latest = 'succeeded' | 'any';

/**
 * Finds the one record that a person means: an id, `latest`, or either behind `database/` or `namespace/database/`.
 * Throws backup-not-found, or usage-invalid when several fit.
 */
export async function findRecord(
  registry: Registry,
  name: string,
  filter: RecordFilter,
  latest: Latest = 'succeeded',
): Promise<StoredRecord> {
  const { id, ...where } = parseBackupName(name, filter);
  const candidates = await candidatesFor(registry, where, id, latest);
  const [first, ...others] = databasesOf(candidates);
  if (first !== undefined && others.length > 0) throw ambiguous(name, id, [first, ...others]);
  for (const candidate of candidates) {
    const stored = await registry.get(candidate.namespace, candidate.database, candidate.id);
    // Labels say which to look at; what a record is, it says itself.
    if (stored !== undefined && isMeant(stored.record, id, latest)) return stored;
  }
  throw new StillpointError('backup-not-found', `there is no ${describe(id, latest)} ${describeFilter(where)}`, {
    hint: 'stillpoint list -A shows all backups, those that failed with their ids',
  });
}

/** The one backup that a name means without anything being looked up: undefined where it leaves something open. */
export function fullName(name: string, filter: RecordFilter): FullName | undefined {
  const { namespace, database, id } = parseBackupName(name, filter);
  return namespace === undefined || database === undefined || id === 'latest' ? undefined : { namespace, database, id };
}

export type FullName = Pick<RecordSummary, 'namespace' | 'database' | 'id'>;

/** Whether a name is one of a backup, and not of a database. */
export function isBackupName(name: string): boolean {
  return isIdOrLatest(name.split('/').at(-1) ?? '');
}

/** Those that a name fits, the newest first; nothing of them was read but what one chooses by. */
async function candidatesFor(
  registry: Registry,
  where: RecordFilter,
  id: string,
  latest: Latest,
): Promise<readonly RecordSummary[]> {
  const filter: RecordFilter =
    id !== 'latest' ? { ...where, id } : latest === 'any' ? where : { ...where, phases: ['succeeded'] };
  const found: RecordSummary[] = [];
  for await (const page of registry.summaries(filter)) found.push(...page);
  return found.sort(newestFirst);
}

function databasesOf(found: readonly RecordSummary[]): readonly string[] {
  return [...new Set(found.map(({ namespace, database }) => `${namespace}/${database}`))];
}

function ambiguous(name: string, id: string, databases: readonly string[]): StillpointError {
  return new StillpointError('usage-invalid', `${name} fits backups of several databases: ${databases.join(', ')}`, {
    hint: `say which: ${databases[0]}/${id}`,
  });
}

function parseBackupName(name: string, filter: RecordFilter): RecordFilter & { readonly id: string } {
  const parts = name.split('/');
  const id = parts.pop() ?? '';
  const database = parts.pop() ?? filter.database;
  const namespace = parts.pop() ?? filter.namespace;
  if (parts.length === 0 && isIdOrLatest(id)) return { ...filter, namespace, database, id };
  throw new StillpointError('usage-invalid', `${name} is not the name of a backup`, {
    hint: 'a backup is called <id>, latest, <database>/<id> or <namespace>/<database>/<id>; an id looks as 20261121020000',
  });
}

function isIdOrLatest(text: string): boolean {
  return text === 'latest' || new RegExp(BACKUP_ID_PATTERN).test(text);
}

function isMeant(record: BackupRecord, id: string, latest: Latest): boolean {
  if (id !== 'latest') return record.id === id;
  return latest === 'any' || (record.phase === 'succeeded' && !isLost(record));
}

function describe(id: string, latest: Latest): string {
  if (id !== 'latest') return `backup ${id}`;
  return latest === 'any' ? 'backup' : 'backup that has succeeded';
}

function describeFilter({ namespace, database, engine }: RecordFilter): string {
  const parts = [
    ...(database === undefined ? [] : [`of database ${database}`]),
    ...(engine === undefined ? [] : [`of engine ${engine}`]),
    ...(namespace === undefined ? ['in any namespace'] : [`in namespace ${namespace}`]),
  ];
  return parts.join(' ');
}
