import { BACKUP_ID_PATTERN, type BackupRecord } from '../src/contract';
import { StillpointError } from './errors';
import type { RecordFilter, Registry, StoredRecord } from './ports';

/** What `latest` stands for: the newest that succeeded or, for who waits for it to succeed, the newest of any state. */
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
  const matching = (await registry.list(where)).filter(({ record }) => isMeant(record, id, latest));
  const [first, second] = matching;
  if (first === undefined) {
    throw new StillpointError('backup-not-found', `there is no ${describe(id, latest)} ${describeFilter(where)}`, {
      hint: 'stillpoint list -A shows all backups, those that failed with their ids',
    });
  }
  const databases = new Set(matching.map(({ record }) => `${record.namespace}/${record.database}`));
  if (databases.size > 1 || (id !== 'latest' && second !== undefined)) {
    throw new StillpointError(
      'usage-invalid',
      `${name} fits backups of several databases: ${[...databases].join(', ')}`,
      {
        hint: `say which: ${[...databases][0]}/${id}`,
      },
    );
  }
  return first;
}

function parseBackupName(name: string, filter: RecordFilter): RecordFilter & { readonly id: string } {
  const parts = name.split('/');
  const id = parts.pop() ?? '';
  const database = parts.pop() ?? filter.database;
  const namespace = parts.pop() ?? filter.namespace;
  if (parts.length === 0 && (id === 'latest' || new RegExp(BACKUP_ID_PATTERN).test(id))) {
    return { ...filter, namespace, database, id };
  }
  throw new StillpointError('usage-invalid', `${name} is not the name of a backup`, {
    hint: 'a backup is called <id>, latest, <database>/<id> or <namespace>/<database>/<id>; an id looks as 20261121020000',
  });
}

function isMeant(record: BackupRecord, id: string, latest: Latest): boolean {
  if (id !== 'latest') return record.id === id;
  return latest === 'any' || record.phase === 'succeeded';
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
