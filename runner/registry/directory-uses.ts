/** Marks of use in a folder of records: a file beside the record for each user, which counts as long as its process lives. */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StillpointError } from '../errors';
import { holderOf, takeLockFile } from '../local/lock-file';
import type { Registry, StoredRecord, Use, UseMark, Uses } from '../ports';

const INFIX = '.use-';

/** Makes the file of one user. Answers with what removes it. */
export async function markInUse(path: string, what: string): Promise<() => Promise<void>> {
  const taken = await takeLockFile(`${path}${INFIX}${randomUUID()}`, what);
  if ('release' in taken) return taken.release;
  throw new StillpointError('internal', `${path} has a mark of this name already`);
}

/** The users of a record whose processes live; `names` are those of the folder's files, where they are known. */
export async function usesOf(path: string, names?: readonly string[]): Promise<readonly UseMark[]> {
  const prefix = `${basename(path)}${INFIX}`;
  const files = (names ?? (await readdir(dirname(path)).catch(() => []))).filter((name) => name.startsWith(prefix));
  const found = await Promise.all(
    files.map(async (name) => {
      const what = await holderOf(join(dirname(path), name));
      return what === undefined ? [] : [{ token: name.slice(prefix.length), what, written: what }];
    }),
  );
  return found.flat();
}

/** The registry of a folder, as far as it is asked here. */
export interface MarkedRegistry extends Pick<Registry, 'get'> {
  use(before: StoredRecord, what: string): Promise<() => Promise<void>>;
}

/** Marks of use in the folder of a registry. */
export class DirectoryUses implements Uses {
  constructor(private readonly registry: MarkedRegistry) {}

  async begin(stored: StoredRecord, what: string): Promise<Use> {
    const { namespace, database, id } = stored.record;
    const now = await this.registry.get(namespace, database, id);
    if (now?.record.phase !== 'succeeded') {
      const is = now === undefined ? 'is gone' : `is ${now.record.phase}`;
      throw new StillpointError(
        'backup-not-restorable',
        `backup ${namespace}/${database}/${id} cannot be used: it ${is}`,
      );
    }
    const end = await this.registry.use(now, what);
    return { record: now.record, lost: new AbortController().signal, [Symbol.asyncDispose]: end };
  }

  /** A process that is gone is known to be at once: its marks are not among those of the record. */
  async stale(): Promise<readonly UseMark[]> {
    return [];
  }
}
