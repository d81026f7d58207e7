/** Waits for an import's objects: bound to each other, of the right driver, and known to the storage. */
import type { Cut } from '../../../src/contract';
import { StillpointError } from '../../errors';
import {
  SNAPSHOT_CONTENTS,
  VOLUME_SNAPSHOTS,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '../../snapshots/objects';
import { contentState, knownFacts } from '../../snapshots/status';
import type { PlannedImport } from '../../travel/plan';
import { until, type Waiting } from '../until';

/** The storage may have a bad moment; what it goes on complaining of for so long is its answer. */
export const COMPLAINT_MS = 15_000;

export interface ImportedObjects {
  readonly content: VolumeSnapshotContent;
  readonly snapshot: VolumeSnapshot;
}

/** The objects as they are when all is well. Throws import-failed. */
export async function importedSnapshot(
  { client, clock, signal }: Waiting,
  planned: PlannedImport,
  made: ImportedObjects,
  warn: (line: string) => void,
): Promise<ImportedObjects> {
  const { namespace, name } = made.snapshot.metadata;
  const path = `VolumeSnapshot ${namespace}/${name}`;
  const selection = { namespace, fields: { 'metadata.name': name } };
  const refused = new AbortController();
  let complaint: { readonly text: string; readonly timer: { cancel(): void } } | undefined;
  const look = (seen: VolumeSnapshot): VolumeSnapshot | undefined => {
    const text = seen.status?.error?.message;
    if (text !== undefined && complaint === undefined) {
      warn(`${path} is not ready: ${text}`);
      complaint = { text, timer: clock.after(COMPLAINT_MS, () => refused.abort()) };
    }
    return seen.status?.readyToUse === true ? seen : undefined;
  };
  const waiting = { client, clock, signal: AbortSignal.any([signal, refused.signal]) };
  const snapshot = await until(waiting, VOLUME_SNAPSHOTS, selection, look)
    .catch((thrown: unknown) => {
      if (!waiting.signal.aborted) throw thrown;
      const storage = complaint === undefined ? 'the storage has not answered' : `the storage says: ${complaint.text}`;
      throw new StillpointError(
        'import-failed',
        `snapshot ${planned.handle} of driver ${planned.driver} could not be imported: ${storage}`,
        { hint: 'look whether the handle is right, and whether this cluster has the same driver on the same storage' },
      );
    })
    .finally(() => complaint?.timer.cancel());
  const content = await client.get(SNAPSHOT_CONTENTS, { name: made.content.metadata.name }, signal);
  return assertBound(path, planned, { snapshot, content });
}

/** What the storage says of the imported snapshot, beside what the file says of the cut. */
export function importedCut(
  planned: PlannedImport,
  { snapshot, content }: ImportedObjects,
): { readonly cut: Cut; readonly warnings: readonly string[] } {
  // Drivers that cannot be asked for one snapshot count as ready at once, with the zero of Go's time.
  const answered = BigInt(content.status?.creationTime ?? 0) > 0n;
  const state = contentState(answered ? content : withoutTime(content));
  const facts = 'facts' in state ? knownFacts(state.facts) : {};
  const known = answered && !isNothing(snapshot.status?.restoreSize) ? snapshot.status?.restoreSize : undefined;
  const restoreSize = known ?? planned.cut.restoreSize;
  const { restoreSize: _, ...rest } = { ...planned.cut, ...facts };
  return {
    cut: {
      ...rest,
      ...(snapshot.metadata.uid === undefined ? {} : { uid: snapshot.metadata.uid }),
      ...(restoreSize === undefined ? {} : { restoreSize }),
    },
    warnings: answered
      ? []
      : [
          `driver ${planned.driver} cannot be asked for one snapshot: whether it has ${planned.handle} shows only when it is restored`,
        ],
  };
}

function assertBound(
  path: string,
  { driver, handle, content: name }: PlannedImport,
  { snapshot, content }: { readonly snapshot: VolumeSnapshot; readonly content: VolumeSnapshotContent | undefined },
): ImportedObjects {
  const there = content?.spec.volumeSnapshotRef.uid === snapshot.metadata.uid;
  if (content === undefined || !there || snapshot.status?.boundVolumeSnapshotContentName !== name) {
    throw new StillpointError('import-failed', `${path} and VolumeSnapshotContent ${name} do not point at each other`, {
      hint: 'somebody else has made or changed one of them meanwhile',
    });
  }
  if (content.spec.driver === driver && (content.status?.snapshotHandle ?? handle) === handle) {
    return { snapshot, content };
  }
  throw new StillpointError(
    'import-failed',
    `VolumeSnapshotContent ${name} holds ${content.status?.snapshotHandle} of driver ${content.spec.driver}, and ${handle} of ${driver} was to be imported`,
  );
}

function withoutTime({ status, ...content }: VolumeSnapshotContent): VolumeSnapshotContent {
  const { creationTime: _, ...rest } = status ?? {};
  return { ...content, status: rest };
}

function isNothing(size: string | undefined): boolean {
  return size === undefined || size === '0';
}
