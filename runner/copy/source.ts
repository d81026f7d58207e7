/** Which backup is copied: the newest good one of the database, unless there is a copy of it. */
import type { BackupRecord } from '../../src/contract';
import type { Registry, StoredRecord } from '../ports';

export interface CopySourceContext {
  readonly registry: Pick<Registry, 'summaries' | 'list' | 'get'>;
  readonly namespace: string;
  /** The database whose backups are copied. */
  readonly of: string;
  /** The database under which the copies are listed. */
  readonly copies: string;
}

/** What there is to copy, and the newest copy before. */
export interface CopySource {
  /** Undefined where the newest good backup has been copied, or there is none. */
  readonly stored: StoredRecord | undefined;
  /** The newest good backup, whether or not it was copied. */
  readonly newest: string | undefined;
  readonly last: BackupRecord | undefined;
}

/** Looks for it. Older backups that were never copied are not caught up on. */
export async function findCopySource({ registry, namespace, of, copies }: CopySourceContext): Promise<CopySource> {
  const done = await registry.list({ namespace, database: copies, phases: ['succeeded'] });
  const last = done[0]?.record;
  let newest: string | undefined;
  for await (const page of registry.summaries({ namespace, database: of, phases: ['succeeded'] })) {
    for (const { id, missing } of page) if (missing !== true && (newest === undefined || id > newest)) newest = id;
  }
  const copied = done.some(({ record: { copy } }) => copy?.of.database === of && copy.of.id === newest);
  if (newest === undefined || copied) return { stored: undefined, newest, last };
  return { stored: await registry.get(namespace, of, newest), newest, last };
}
