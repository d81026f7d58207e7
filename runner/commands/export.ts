/** Writes one backup down so that another cluster can import it. */
import type { ExportedBackup } from '../../src/contract';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Clock, RecordFilter, Registry, Uses } from '../ports';
import { assertRestorable, assertSnapshots } from '../restore/restorable';
import { exportedBackup } from '../travel/document';
import { signed } from '../travel/signature';
import type { SnapshotSource } from '../travel/site';

export interface ExportContext {
  readonly registry: Registry;
  /** Where the registry is, for the document. */
  readonly registryName: string | undefined;
  readonly uses: Pick<Uses, 'begin'>;
  readonly source: SnapshotSource;
  readonly clock: Clock;
  readonly runnerVersion: string;
}

export interface ExportOptions extends RecordFilter {
  /** A private key in PEM, and the file that it is from. */
  readonly signKey?: { readonly pem: string; readonly file: string } | undefined;
}

/** One backup as a document: its record, and the names that the storage has for its snapshots. */
export async function exportBackup(
  context: ExportContext,
  name: string,
  { signKey, ...filter }: ExportOptions,
): Promise<ExportedBackup> {
  const { registry, registryName, uses, source, clock, runnerVersion } = context;
  const stored = await findRecord(registry, name, filter);
  assertRestorable(stored.record);
  assertSnapshots(stored.record);
  // What is written down is there until it is written: neither a prune nor a deletion takes it away meanwhile.
  await using use = await uses.begin(stored, 'export');
  const { record } = use;
  if (record.cuts.length === 0) {
    throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} has no snapshots to export`);
  }
  const snapshots = await source.handles(record);
  use.lost.throwIfAborted();
  const document = exportedBackup(record, snapshots, { at: clock.now(), registry: registryName, runnerVersion });
  return signKey === undefined ? document : signed(document, signKey.pem, signKey.file);
}
