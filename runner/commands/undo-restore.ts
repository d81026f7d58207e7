import { StillpointError } from '../errors';
import type { RestoreSite, UndoneRestore } from '../restore/site';

/** Which restore to undo. */
export interface UndoOptions {
  readonly name: string;
  readonly namespace: string;
}

/** Removes what one restore has made, and nothing else. Throws restore-not-found when there is nothing of it. */
export async function undoRestore(site: RestoreSite, { name, namespace }: UndoOptions): Promise<UndoneRestore> {
  const undone = await site.undo(namespace, name);
  if (undone.removed.length > 0) return undone;
  const where = namespace === '' ? '' : ` in namespace ${namespace}`;
  throw new StillpointError('restore-not-found', `there is nothing of a restore ${name}${where}`, {
    hint: 'claims that a restore has made carry its name in the label stillpoint.dev/restore',
  });
}
