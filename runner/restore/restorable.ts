import type { BackupRecord } from '../../src/contract';
import type { Engine } from '../engine';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';

/** Refuses a backup that has not succeeded (safety rule 9). */
export function assertRestorable(record: BackupRecord): void {
  if (record.phase === 'succeeded') return;
  const failed = record.phase === 'failed';
  const why = failed ? `it failed: ${record.error?.message ?? 'no reason was recorded'}` : `it is ${record.phase}`;
  throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} cannot be restored: ${why}`, {
    hint:
      failed || record.phase === 'deleting'
        ? '`stillpoint list` shows the backups that succeeded'
        : `it may still be at work: \`stillpoint wait ${record.id}\``,
  });
}

/** Refuses a dump where volumes are wanted. */
export function assertSnapshots(record: BackupRecord): void {
  if (record.mode !== 'dump') return;
  if (record.copy !== undefined) {
    throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} is a copy of files in a store`, {
      hint: 'the construct SnapshotCopyRestore makes claims of it: docs/copies.md',
    });
  }
  throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} is a dump, and has no snapshots`, {
    hint: 'stillpoint restore … --host <server> reads it into an empty server',
  });
}

/** Refuses to start a server when the record does not say of which image. */
export function assertStartable(
  record: BackupRecord,
  { name, capabilities }: Pick<Engine, 'name' | 'capabilities'>,
): void {
  if (capabilities.hasServer && !capabilities.startsAlone) {
    throw new StillpointError(
      'backup-not-restorable',
      `no server of ${name} comes up by itself on backup ${recordPath(record)}: it joins others`,
      { hint: `restore into claims, and start the database on them as it is started: docs/${name}.md` },
    );
  }
  if (record.workload?.image !== undefined) return;
  throw new StillpointError(
    'backup-not-restorable',
    `no server can be started on backup ${recordPath(record)}: its record does not name the server's image`,
    { hint: 'leave --start out, and start a server of your own on the claims' },
  );
}
