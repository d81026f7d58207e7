/** The contents by which a record's cuts were asked for: what a Job's next pod, and whoever tidies up, goes by. */
import { ANNOTATIONS, type BackupRecord, type Cut, LABELS, MANAGED_BY } from '../../src/contract';
import type { Owner, SnapshotContext } from './context';
import { SNAPSHOT_CONTENTS, type VolumeSnapshotContent } from './objects';
import { contentState } from './status';

/**
 * What a discarded backup leaves: the runner may make contents and not remove them (safety rule 14), so it names them for
 * the pruner. One that the storage has not answered yet is among them: the pruner waits for that.
 */
export async function directLeft(context: SnapshotContext, owner: Owner): Promise<readonly string[]> {
  if (context.direct === undefined) return [];
  const { items } = await ofBackup(context, owner.id);
  return items
    .filter(({ metadata: { annotations }, spec }) => {
      const { namespace, name = '' } = spec.volumeSnapshotRef;
      if (namespace !== context.namespace || !owner.names.includes(name)) return false;
      if (annotations?.[ANNOTATIONS.jobUid] !== owner.jobUid) return false;
      return owner.pod === undefined || annotations[ANNOTATIONS.pod] === owner.pod;
    })
    .map(({ metadata }) => `volumesnapshotcontent/${metadata.name}`);
}

/** The cuts of a record that were made directly, and are there. */
export async function directThere(context: SnapshotContext, { cuts, owner }: BackupRecord): Promise<readonly Cut[]> {
  const direct = cuts.filter(({ directContent }) => directContent !== undefined);
  const found = await Promise.all(
    direct.map(async (cut) => {
      const content = await context.client.get(SNAPSHOT_CONTENTS, { name: cut.directContent ?? '' });
      const ours = content?.metadata.annotations?.[ANNOTATIONS.jobUid] === owner.jobUid;
      return ours && isCut(content, cut) ? [cut] : [];
    }),
  );
  return found.flat();
}

function isCut(content: VolumeSnapshotContent, { directUid, handle }: Cut): boolean {
  const state = contentState(content);
  if (state.kind !== 'cut' && state.kind !== 'ready') return false;
  return content.spec.volumeSnapshotRef.uid === directUid && state.facts.handle === handle;
}

function ofBackup(
  { client, namespace }: SnapshotContext,
  id: string,
): Promise<{ readonly items: readonly VolumeSnapshotContent[] }> {
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.namespace]: namespace, [LABELS.backup]: id };
  return client.list(SNAPSHOT_CONTENTS, { labels });
}
