/** Watches snapshots, each together with its content, and tells of every change. */
import type { Selection } from '../kube/client';
import { isForbidden } from '../kube/errors';
import { watchObjects } from '../kube/watch';
import type { SnapshotContext } from './context';
import {
  contentName,
  SNAPSHOT_CONTENTS,
  VOLUME_SNAPSHOTS,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from './objects';

/** What is told. */
export interface SnapshotEvents {
  changed(snapshot: VolumeSnapshot): void;
  gone(snapshot: VolumeSnapshot): void;
  contentChanged(content: VolumeSnapshotContent): void;
  /** A watch has broken for good. */
  failed(error: unknown): void;
}

export class SnapshotObserver {
  readonly #context: SnapshotContext;
  readonly #events: SnapshotEvents;
  readonly #signal: AbortSignal;
  readonly #contents = new Set<string>();
  #contentsReadable = true;

  constructor(context: SnapshotContext, events: SnapshotEvents, signal: AbortSignal) {
    this.#context = context;
    this.#events = events;
    this.#signal = signal;
  }

  /** Watches snapshots in the database's namespace. */
  watchSnapshots(selection: Pick<Selection, 'labels' | 'fields'>): void {
    const { client, namespace, clock } = this.#context;
    watchObjects(
      client,
      VOLUME_SNAPSHOTS,
      { namespace, ...selection },
      { seen: (snapshot) => this.#events.changed(snapshot), gone: (snapshot) => this.#events.gone(snapshot) },
      { signal: this.#signal, clock },
    ).catch((thrown: unknown) => this.#events.failed(thrown));
  }

  /**
   * Watches the content that the controller makes for a snapshot, by its name. Without the right to see contents
   * (it is cluster-wide) the snapshot alone is watched: later, and with a coarser time, but no less true.
   */
  watchContentOf(snapshot: VolumeSnapshot): void {
    const { client, clock, log } = this.#context;
    const uid = snapshot.metadata.uid;
    if (uid === undefined || !this.#contentsReadable || this.#contents.has(uid)) return;
    this.#contents.add(uid);
    watchObjects(
      client,
      SNAPSHOT_CONTENTS,
      { fields: { 'metadata.name': contentName(uid) } },
      { seen: (content) => this.#events.contentChanged(content) },
      { signal: this.#signal, clock },
    ).catch((thrown: unknown) => {
      if (!isForbidden(thrown)) return this.#events.failed(thrown);
      if (this.#contentsReadable) log.debug({}, 'contents may not be watched: the cut is seen on the snapshots alone');
      this.#contentsReadable = false;
    });
  }
}
