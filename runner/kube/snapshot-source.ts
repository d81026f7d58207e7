/** What the storage calls the snapshots of a backup: as recorded or, where the record does not say, as the cluster has it. */
import type { BackupRecord, Cut, ExportedSnapshot } from '../../src/contract';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS } from '../snapshots/objects';
import type { SnapshotSource } from '../travel/site';
import type { KubeClient } from './client';

export class KubernetesSnapshotSource implements SnapshotSource {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async handles(record: BackupRecord): Promise<readonly ExportedSnapshot[]> {
    return await Promise.all(
      record.cuts.map(async (cut) => {
        const { driver, handle } = await this.#handle(record, cut);
        const mode = record.volumes.find(({ name }) => name === cut.volume)?.volumeMode;
        return {
          volume: cut.volume,
          driver,
          handle,
          ...(cut.restoreSize === undefined ? {} : { restoreSize: cut.restoreSize }),
          ...(mode === 'Filesystem' || mode === 'Block' ? { volumeMode: mode } : {}),
        };
      }),
    );
  }

  async #handle(record: BackupRecord, cut: Cut): Promise<{ readonly driver: string; readonly handle: string }> {
    const { driver, handle, snapshot, uid } = cut;
    if (driver !== undefined && handle !== undefined) return { driver, handle };
    const found = await this.#client.get(VOLUME_SNAPSHOTS, { name: snapshot, namespace: record.namespace });
    const name = found?.metadata.uid === uid ? found?.status?.boundVolumeSnapshotContentName : undefined;
    const content = name === undefined ? undefined : await this.#client.get(SNAPSHOT_CONTENTS, { name });
    const known = content?.status?.snapshotHandle;
    if (content !== undefined && known !== undefined) return { driver: content.spec.driver, handle: known };
    throw new StillpointError(
      'backup-not-restorable',
      `backup ${recordPath(record)} cannot be exported: its record does not hold the storage's own name of volume ${cut.volume}, and VolumeSnapshot ${record.namespace}/${snapshot} is gone`,
      { hint: 'the handle is recorded where the account of the backup may read VolumeSnapshotContents (clusterScope)' },
    );
  }
}
