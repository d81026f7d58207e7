import { dirname } from 'node:path';
import type { Clock, Log, Remover, StoredRecord } from '../ports';
import { DirectorySnapshotStore } from '../snapshots/directory';

/** Removes the copies of a backup from the folder that its record names. */
export class LocalRemover implements Remover {
  constructor(private readonly world: { readonly clock: Clock; readonly log: Log }) {}

  async remove({ record }: StoredRecord): Promise<readonly string[]> {
    const left: string[] = [];
    for (const { snapshot, handle } of record.cuts) {
      if (handle === undefined) continue;
      // <root>/<snapshot>/files
      const store = new DirectorySnapshotStore(dirname(dirname(handle)), this.world);
      left.push(...(await store.discard({ id: record.id, jobUid: record.owner.jobUid, names: [snapshot] })));
    }
    return left;
  }

  /** A folder that could not be removed is named without its store, which the record of a failed backup does not know. */
  async removeLeftovers({ record }: StoredRecord): Promise<readonly string[]> {
    return record.leftovers ?? [];
  }
}
