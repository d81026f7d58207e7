/**
 * Whose a backup's folder in a store is. It is put there before anything else, and the store lets one have it: of two clusters with one
 * bucket and the same policies, which dump in the same second, one dumps, and neither removes what is the other's.
 */
import type { BackupRecord } from '../../src/contract';
import { StillpointError } from '../errors';
import type { ObjectStore } from '../storage/object-store';
import { claimOwner, readOwner } from '../storage/texts';

/** Takes the folder for a Job. Throws object-exists when it is another's; that of an earlier pod of the same Job is this one's too. */
export async function takeFolder(
  store: ObjectStore,
  key: string,
  { owner: { jobUid }, clusterUid }: Pick<BackupRecord, 'owner' | 'clusterUid'>,
  signal: AbortSignal,
): Promise<void> {
  const own = { jobUid, ...(clusterUid === undefined ? {} : { clusterUid }) };
  if ((await claimOwner(store, key, own, signal)).jobUid === jobUid) return;
  throw new StillpointError('object-exists', `${key} in ${store.name} says that the folder is another Job's`, {
    hint: 'two clusters that use one bucket need a prefix each',
  });
}

/** The Job whose folder it is; undefined where nobody has taken it, as before there were owners. */
export async function ownerOf(store: ObjectStore, key: string, signal: AbortSignal): Promise<string | undefined> {
  const found = await readOwner(store, key, signal);
  return found === undefined ? undefined : typeof found.jobUid === 'string' ? found.jobUid : '';
}
