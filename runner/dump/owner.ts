/**
 * Whose a backup's folder in a store is. It is put there before anything else, and the store lets one have it: of two clusters with one
 * bucket and the same policies, which dump in the same second, one dumps, and neither removes what is the other's.
 */
import { parse, stringify } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import type { ObjectStore } from '../storage/object-store';
import { putYaml } from '../storage/put-yaml';

/** More is no owner. */
const LONGEST_BYTES = 64 * 1024;

type Owned = Pick<BackupRecord, 'owner' | 'clusterUid'>;

/** Takes the folder for a Job. Throws object-exists when it is another's; that of an earlier pod of the same Job is this one's too. */
export async function takeFolder(
  store: ObjectStore,
  key: string,
  { owner, clusterUid }: Owned,
  signal: AbortSignal,
): Promise<void> {
  const text = stringify({ jobUid: owner.jobUid, ...(clusterUid === undefined ? {} : { clusterUid }) });
  try {
    await putYaml(store, key, text, { signal });
  } catch (thrown) {
    if (asStillpointError(thrown).code !== 'object-exists') throw thrown;
    if ((await ownerOf(store, key, signal)) === owner.jobUid) return;
    throw new StillpointError('object-exists', `${key} in ${store.name} says that the folder is another Job's`, {
      hint: 'two clusters that use one bucket need a prefix each',
    });
  }
}

/** The Job whose folder it is; undefined where nobody has taken it, as before there were owners. */
export async function ownerOf(store: ObjectStore, key: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const chunks: Uint8Array[] = [];
    const range = { start: 0, end: LONGEST_BYTES };
    for await (const chunk of await store.get(key, { signal, range })) chunks.push(chunk);
    const { jobUid } = (parse(Buffer.concat(chunks).toString('utf8')) ?? {}) as { readonly jobUid?: unknown };
    return typeof jobUid === 'string' ? jobUid : '';
  } catch (thrown) {
    if (asStillpointError(thrown).code === 'object-not-found') return undefined;
    throw thrown;
  }
}
