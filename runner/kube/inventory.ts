/** What there is of snapshots in a namespace, and of contents that stand for them. */
import { ANNOTATIONS, LABELS, MANAGED_BY } from '../../src/contract';
import type { Inventory, Stored, StoredSnapshots } from '../orphans';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, type VolumeSnapshotContent } from '../snapshots/objects';
import { objectPath } from './belongings';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import type { KubeObject, Resource } from './resource';

export class KubernetesInventory implements Inventory {
  constructor(private readonly client: KubeClient) {}

  async list(namespace: string): Promise<StoredSnapshots> {
    const { items } = await this.client.list(VOLUME_SNAPSHOTS, { namespace });
    return {
      snapshots: items.map((each) => stored(VOLUME_SNAPSHOTS, each)),
      contents: await this.#contents(namespace),
    };
  }

  async #contents(namespace: string): Promise<readonly Stored[] | undefined> {
    try {
      const { items } = await this.client.list(SNAPSHOT_CONTENTS);
      return items.filter(({ spec }) => spec.volumeSnapshotRef.namespace === namespace).map(content);
    } catch (thrown) {
      if (isForbidden(thrown)) return undefined;
      throw thrown;
    }
  }
}

function content(object: VolumeSnapshotContent): Stored {
  const { name = '', uid } = object.spec.volumeSnapshotRef;
  const { snapshotHandle } = object.status ?? {};
  return { ...stored(SNAPSHOT_CONTENTS, object), of: { name, uid }, handle: snapshotHandle };
}

function stored(kind: Resource<KubeObject>, object: KubeObject): Stored {
  const { labels = {}, annotations = {}, uid = '' } = object.metadata;
  const [id, database] = [labels[LABELS.backup], labels[LABELS.database]];
  const ours = labels[LABELS.managedBy] === MANAGED_BY && id !== undefined && database !== undefined;
  return {
    path: objectPath(kind, object),
    uid,
    backup: ours ? { id, database, jobUid: annotations[ANNOTATIONS.jobUid] } : undefined,
  };
}
