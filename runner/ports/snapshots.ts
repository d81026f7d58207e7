/** Snapshots of volumes, and turns at making them. */
import type { BackupId, BackupRecord, Cut } from '../../src/contract';
import type { Marks } from '../snapshot-marks';
import type { Volume } from './platform';
import type { Finding } from './world';

/** Labels and annotations of a snapshot, beyond what the store itself needs. */
export interface CutRequest {
  readonly id: BackupId;
  readonly database: string;
  /** How the names end, where that is not by the id. */
  readonly stamp?: string | undefined;
  readonly volumes: readonly Volume[];
  /** individually: one snapshot each, all asked for at once; together: one group snapshot, at one instant. */
  readonly how: 'individually' | 'together';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Files, relative to the volume, that a store which copies has to copy last. A cut at one instant needs no such thing. */
  readonly copyLast?: readonly string[] | undefined;
}

/** Snapshots of volumes, wherever they are kept. */
export interface SnapshotStore {
  /** Whether each volume's snapshot holds one instant. False: the copy of a volume takes time (a folder). */
  readonly atomic: boolean;
  /** The names that {@link cut} will ask for: they go into the record before anything is asked for. */
  names(request: Pick<CutRequest, 'id' | 'database' | 'stamp' | 'volumes' | 'how'>): readonly string[];
  /** Classes, drivers, bound volumes: all that can be known before anything is touched. */
  check(volumes: readonly Volume[], how: CutRequest['how']): Promise<readonly Finding[]>;
  /**
   * Does what a cut needs and what can be done before: nothing else is asked for while a database is held. What it opens is open
   * until its answer is disposed of. Left out where there is nothing to prepare.
   */
  prepare?(request: Pick<CutRequest, 'id' | 'database' | 'how'>, signal: AbortSignal): Promise<Disposable>;
  /**
   * Asks for all snapshots at once and answers when every cut has been seen. Rejects when one cannot be made any more,
   * and with the signal's reason when that is aborted; what was asked for is then still there: {@link discard} it.
   */
  cut(request: CutRequest, signal: AbortSignal): Promise<readonly Cut[]>;
  /** Waits until all can be restored from; the cuts come back with readyAt, restoreSize and handle filled in. */
  ready(cuts: readonly Cut[], signal: AbortSignal): Promise<readonly Cut[]>;
  /** Writes on a snapshot what is known of it by now. Left out where snapshots carry nothing but what they were made with. */
  mark?(cut: Cut, marks: Marks, signal: AbortSignal): Promise<void>;
  /**
   * Removes the snapshots of a backup that is none. Names what could not be removed yet. Only what carries our owner
   * labels and the given Job's UID is touched (safety rule 9).
   */
  discard(owner: {
    readonly id: BackupId;
    readonly jobUid: string;
    /**
     * Only what this pod of the Job has made. One that was taken for lost and wakes up must not remove what the Job's
     * next pod has made under the same names. All that the Job has made when left out.
     */
    readonly pod?: string | undefined;
    readonly names: readonly string[];
  }): Promise<readonly string[]>;
  /**
   * Looks whether the cuts of a record are there, and cut: what a second pod of a Job does with what the first left.
   */
  find(record: BackupRecord): Promise<readonly Cut[]>;
}

/** A turn at what is slow for the whole cluster. */
export interface Slot {
  /** Gives it back after so many milliseconds: until then the next one would find it tired. */
  release(restMs: number): Promise<void>;
}

/** Turns at the snapshot controller: they are waited for before anything is frozen. */
export interface Slots {
  /** Waits for a turn; undefined where nobody gives any. Throws controller-busy when none comes in time. */
  take(signal: AbortSignal): Promise<Slot | undefined>;
}
