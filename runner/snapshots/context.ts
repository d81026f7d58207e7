import type { KubeClient } from '../kube/client';
import type { Clock, Log } from '../ports';
import type { DirectCuts } from './direct';
import type { EarlyWatch } from './early-watch';
import type { VolumeSnapshot, VolumeSnapshotContent } from './objects';

/** What the parts of the Kubernetes snapshot store share. */
export interface SnapshotContext {
  readonly client: KubeClient;
  /** The database's namespace. */
  readonly namespace: string;
  /** The VolumeSnapshotClass; the cluster's default for the driver when left out. */
  readonly className?: string | undefined;
  readonly groupClassName?: string | undefined;
  /** How single snapshots are cut without the snapshot controller; undefined leaves them to it. */
  readonly direct?: DirectCuts | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Requests that make a snapshot and have had no answer yet. Whoever removes snapshots waits for them first: one that
   * is answered after the removal would leave a snapshot behind, and a cut after the thaw.
   */
  readonly unanswered: Set<Promise<unknown>>;
  /** The watch for the cuts of a backup, where it was opened before they are asked for. */
  readonly early: EarlyWatches;
  /** The UIDs of the snapshots that were made, by name: their contents are found even when they themselves are gone. */
  readonly created: Map<string, string>;
}

/** At most one of the two is open: a store cuts all volumes of a backup in one way. */
export interface EarlyWatches {
  snapshots?: EarlyWatch<VolumeSnapshot>;
  contents?: EarlyWatch<VolumeSnapshotContent>;
}

/** Lets {@link SnapshotContext.unanswered} know of a request until it is answered, whatever the answer. */
export function keptUntilAnswered<T>({ unanswered }: SnapshotContext, request: Promise<T>): Promise<T> {
  const answered = request.then(
    () => undefined,
    () => undefined,
  );
  unanswered.add(answered);
  void answered.then(() => unanswered.delete(answered));
  return request;
}

/** Whose snapshots are to be removed. */
export interface Owner {
  readonly id: string;
  readonly jobUid: string;
  /** Only what this pod of the Job has made; all of the Job's when left out. */
  readonly pod?: string | undefined;
  readonly names: readonly string[];
}
