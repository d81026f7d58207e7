/** Reads the state of a snapshot out of the API's objects: pure, so that every case is a test. */
import type { Cut } from '../../src/contract';
import { type CutSign, cutSign, driverFacts } from './drivers';
import { BEING_CREATED_ANNOTATION, type VolumeSnapshot, type VolumeSnapshotContent } from './objects';

/** What the objects say of a snapshot that was cut. */
export interface CutFacts {
  readonly content: string | undefined;
  readonly driver: string | undefined;
  readonly driverKnown: boolean;
  readonly handle: string | undefined;
  /** The storage's clock, with as many digits as it gave. */
  readonly cutAt: string | undefined;
  readonly seenBy: CutSign;
  readonly restoreSize: string | undefined;
}

/** How far a snapshot has come. An error is not final: the sidecar goes on trying. */
export type SnapshotState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'cut' | 'ready'; readonly facts: CutFacts };

/** The driver's own name, as far as it is known without the content. */
export interface KnownBefore {
  readonly driver: string | undefined;
}

/**
 * Reads a snapshot's state. The content counts only when it points back at this very snapshot; it tells of the cut
 * before the snapshot does, which the snapshot controller writes at its own slow pace.
 */
export function snapshotState(
  snapshot: VolumeSnapshot,
  seenContent: VolumeSnapshotContent | undefined,
  before: KnownBefore,
): SnapshotState {
  const content = seenContent !== undefined && pointsBack(seenContent, snapshot) ? seenContent : undefined;
  const driver = content?.spec.driver ?? before.driver;
  const sign = cutSign(driver);
  const ready = isReady(snapshot);
  const cut = sign === 'creationTime' ? isCut(snapshot, content) : ready || content?.status?.readyToUse === true;
  if (ready || cut) {
    const bound = snapshot.status?.boundVolumeSnapshotContentName ?? content?.metadata.name;
    const facts = { ...contentFacts(snapshot, content), content: bound };
    return {
      kind: ready ? 'ready' : 'cut',
      facts: { ...facts, driver, driverKnown: driverFacts(driver).known, seenBy: sign },
    };
  }
  const message = content?.status?.error?.message ?? snapshot.status?.error?.message;
  return message === undefined ? { kind: 'pending' } : { kind: 'error', message };
}

/** Reads the state of a content alone, by which the storage was asked without a snapshot. */
export function contentState(content: VolumeSnapshotContent): SnapshotState {
  const { metadata, spec, status } = content;
  const sign = cutSign(spec.driver);
  const ready = status?.readyToUse === true;
  const cut = isSet(status?.snapshotHandle) && status?.creationTime !== undefined;
  if (ready || (cut && sign === 'creationTime')) {
    const restoreSize = status?.restoreSize === undefined ? undefined : `${status.restoreSize}`;
    return {
      kind: ready ? 'ready' : 'cut',
      facts: {
        content: metadata.name,
        driver: spec.driver,
        driverKnown: driverFacts(spec.driver).known,
        handle: status?.snapshotHandle,
        cutAt: status?.creationTime === undefined ? undefined : nanosecondsToTime(status.creationTime),
        seenBy: sign,
        restoreSize,
      },
    };
  }
  const message = status?.error?.message;
  return message === undefined ? { kind: 'pending' } : { kind: 'error', message };
}

/**
 * Whether nothing is in the making: it was cut, or the storage has refused. A snapshot that is deleted while the
 * storage is at it may stay half deleted for the 15 minutes until the sidecar looks at everything again
 * (external-snapshotter 8.6, issue 1388).
 */
export function isSettled(snapshot: VolumeSnapshot, content: VolumeSnapshotContent | undefined): boolean {
  if (content?.metadata.annotations?.[BEING_CREATED_ANNOTATION] !== undefined) return false;
  return snapshotState(snapshot, content, { driver: content?.spec.driver }).kind !== 'pending';
}

function pointsBack({ spec }: VolumeSnapshotContent, { metadata }: VolumeSnapshot): boolean {
  const { uid, name, namespace } = spec.volumeSnapshotRef;
  return uid !== undefined && uid === metadata.uid && name === metadata.name && namespace === metadata.namespace;
}

function isReady({ status }: VolumeSnapshot): boolean {
  return status?.readyToUse === true && isSet(status.boundVolumeSnapshotContentName);
}

function isCut(snapshot: VolumeSnapshot, content: VolumeSnapshotContent | undefined): boolean {
  const { status } = snapshot;
  if (isSet(status?.boundVolumeSnapshotContentName) && isSet(status?.creationTime)) return true;
  return isSet(content?.status?.snapshotHandle) && content?.status?.creationTime !== undefined;
}

function contentFacts(
  snapshot: VolumeSnapshot,
  content: VolumeSnapshotContent | undefined,
): Pick<CutFacts, 'handle' | 'cutAt' | 'restoreSize'> {
  const { status } = content ?? {};
  return {
    handle: status?.snapshotHandle ?? content?.spec.source.snapshotHandle,
    cutAt: status?.creationTime === undefined ? snapshot.status?.creationTime : nanosecondsToTime(status.creationTime),
    restoreSize:
      snapshot.status?.restoreSize ?? (status?.restoreSize === undefined ? undefined : `${status.restoreSize}`),
  };
}

/** An instant out of nanoseconds since 1970, as `2026-11-21T04:05:06.123456789Z`. */
export function nanosecondsToTime(nanoseconds: number | string): string {
  const total = BigInt(nanoseconds);
  const whole = new Date(Number(total / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(total % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** The facts that have a value. */
export function knownFacts(facts: CutFacts): Pick<Cut, 'content' | 'driver' | 'handle' | 'cutAt' | 'restoreSize'> {
  const { content, driver, handle, cutAt, restoreSize } = facts;
  return {
    ...(content === undefined ? {} : { content }),
    ...(driver === undefined ? {} : { driver }),
    ...(handle === undefined ? {} : { handle }),
    ...(cutAt === undefined ? {} : { cutAt }),
    ...(restoreSize === undefined ? {} : { restoreSize }),
  };
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== '';
}
