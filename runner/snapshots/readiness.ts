/** Waits until cuts can be restored from. */
import type { Cut } from '../../src/contract';
import { StillpointError } from '../errors';
import { isForbidden } from '../kube/errors';
import { watchObjects } from '../kube/watch';
import type { SnapshotContext } from './context';
import { cutLost } from './failures';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, type VolumeSnapshot, type VolumeSnapshotContent } from './objects';
import { knownFacts, snapshotState } from './status';

/** The cut of one snapshot, once it is ready, with all that is known of it by then. */
export async function cutReady(context: SnapshotContext, cut: Cut, signal: AbortSignal): Promise<Cut> {
  const { namespace, clock } = context;
  const snapshot = await untilSnapshot(context, { name: cut.snapshot, uid: cut.uid }, signal, isReady);
  const readyAt = clock.now().toISOString();
  const content = await readContent(context, snapshot.status?.boundVolumeSnapshotContentName, signal);
  const state = snapshotState(snapshot, content, { driver: cut.driver });
  if (state.kind !== 'ready') {
    throw new StillpointError(
      'internal',
      `volume snapshot ${namespace}/${cut.snapshot} was ready, and is not any more`,
    );
  }
  return { ...cut, ...knownFacts({ ...state.facts, cutAt: state.facts.cutAt ?? cut.cutAt }), readyAt };
}

function isReady({ status }: VolumeSnapshot): boolean {
  return status?.readyToUse === true && (status.boundVolumeSnapshotContentName ?? '') !== '';
}

/** Waits until a snapshot is as wanted. Rejects with cut-lost when it is not there (any more). */
async function untilSnapshot(
  context: SnapshotContext,
  wanted: { readonly name: string; readonly uid?: string | undefined },
  signal: AbortSignal,
  fits: (snapshot: VolumeSnapshot) => boolean,
): Promise<VolumeSnapshot> {
  signal.throwIfAborted();
  const { client, namespace, clock, log } = context;
  const outcome = Promise.withResolvers<VolumeSnapshot>();
  const watching = new AbortController();
  const lost = (): void => outcome.reject(cutLost(namespace, wanted.name));
  let seen = false;
  let problem: string | undefined;
  const watcher = {
    seen: (snapshot: VolumeSnapshot) => {
      if (wanted.uid !== undefined && snapshot.metadata.uid !== wanted.uid) return;
      seen = true;
      problem = snapshot.status?.error?.message;
      if (snapshot.metadata.deletionTimestamp !== undefined) lost();
      else if (fits(snapshot)) outcome.resolve(snapshot);
    },
    gone: (snapshot: VolumeSnapshot) => {
      if (wanted.uid === undefined || snapshot.metadata.uid === wanted.uid) lost();
    },
    listed: () => {
      if (!seen) lost();
    },
  };
  watchObjects(client, VOLUME_SNAPSHOTS, { namespace, fields: { 'metadata.name': wanted.name } }, watcher, {
    signal: AbortSignal.any([signal, watching.signal]),
    clock,
  }).then(
    () => outcome.reject(signal.reason),
    (thrown: unknown) => outcome.reject(thrown),
  );
  try {
    return await outcome.promise;
  } catch (thrown) {
    if (problem !== undefined) log.warn({ snapshot: wanted.name }, `the storage says: ${problem}`);
    throw thrown;
  } finally {
    watching.abort();
  }
}

/** Reads a content, where that is allowed. */
export async function readContent(
  { client }: SnapshotContext,
  name: string | undefined,
  signal?: AbortSignal,
): Promise<VolumeSnapshotContent | undefined> {
  if (name === undefined) return undefined;
  try {
    return await client.get(SNAPSHOT_CONTENTS, { name }, signal);
  } catch (thrown) {
    if (isForbidden(thrown)) return undefined;
    throw thrown;
  }
}
