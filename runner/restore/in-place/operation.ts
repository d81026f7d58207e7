/**
 * A restore in place, as its journal holds it: what is put where, and how far it has come. Pure.
 *
 * The copy is made, prepared and checked beside the database, on volumes of its own. Only then is the database scaled down,
 * and two volumes change their claims. So undoing is the same exchange the other way round.
 */
import type { BackupRecord } from '../../../src/contract';

/** The workload whose volumes are exchanged. */
export interface WorkloadName {
  readonly kind: 'StatefulSet' | 'Deployment';
  readonly name: string;
  readonly uid: string;
}

/** What a claim is made of when it is made again. */
export interface ClaimParts {
  readonly claimSpec: Readonly<Record<string, unknown>>;
  readonly claimLabels: Readonly<Record<string, string>>;
  readonly claimAnnotations: Readonly<Record<string, string>>;
}

/** One claim of the workload, and the two volumes that take turns under its name. */
export interface ExchangedVolume extends ClaimParts {
  /** The backup's name of the volume, as `data`. */
  readonly name: string;
  /** The claim's name: the workload knows no other. */
  readonly claim: string;
  /** Under which names the one of the two is kept that is not under the claim's own. */
  readonly kept: { readonly present: string; readonly restored: string };
  /** The PersistentVolumes: the one that the database had, and the one that is made of the backup. */
  readonly present: string;
  /** Undefined until the copy has been made. */
  readonly restored?: string | undefined;
  /** What the class had said becomes of the volume when its claim goes: it says so again of the one that serves. */
  readonly reclaimPolicy: string;
}

/**
 * How far it has come. Until `staged` the database has not been touched; from `down` on it is away, until `up` has become
 * `done`. `abandoned`: undone before it was touched.
 */
export type OperationPhase = 'staging' | 'checked' | 'staged' | 'down' | 'up' | 'done' | 'abandoned';

/** Whose turn it is to be under the claim's own name. */
export type Direction = 'restore' | 'undo';

/** The journal's document. */
export interface Operation {
  /** When it was begun, as `20261121030000`: what people call it by. */
  readonly id: string;
  readonly namespace: string;
  readonly database: string;
  /** The id of the backup that is restored. */
  readonly backup: string;
  readonly workload: WorkloadName;
  readonly volumes: readonly ExchangedVolume[];
  readonly direction: Direction;
  readonly phase: OperationPhase;
  /** How many replicas there were; written as they are found before they are taken away. */
  readonly replicas: number;
  /** A StatefulSet's own wish to delete claims when it is scaled down: it is put off meanwhile. */
  readonly deletesWhenScaled: boolean;
  /** The backup that was taken of the present state, where one was. */
  readonly saved?: string | undefined;
  readonly downAt?: string | undefined;
  readonly upAt?: string | undefined;
}

/** The volume that goes under the claim's own name. */
export function incoming({ direction }: Operation, volume: ExchangedVolume): string {
  return direction === 'restore' ? (volume.restored ?? '') : volume.present;
}

/** The volume that makes room for it. */
export function outgoing({ direction }: Operation, volume: ExchangedVolume): string {
  return direction === 'restore' ? volume.present : (volume.restored ?? '');
}

/** The claims that the two are kept under: the one that the incoming volume leaves, the one that the outgoing gets. */
export function keptNames(
  { direction }: Operation,
  { kept }: ExchangedVolume,
): { readonly leaves: string; readonly gets: string } {
  return direction === 'restore'
    ? { leaves: kept.restored, gets: kept.present }
    : { leaves: kept.present, gets: kept.restored };
}

/** The names of the claims that keep what is not in use. */
export function keptClaims(claim: string, id: string): ExchangedVolume['kept'] {
  return { present: `${claim}-before-${id}`, restored: `${claim}-restored-${id}` };
}

/** Whether somebody has to go on with it. */
export function isUnfinished({ phase }: Operation): boolean {
  return phase !== 'done' && phase !== 'abandoned';
}

/** Whether the database has been touched. */
export function isAway({ phase }: Operation): boolean {
  return phase === 'down' || phase === 'up';
}

/** An operation with its journal's version, and the record that it restores. */
export interface StoredOperation {
  readonly operation: Operation;
  readonly record: BackupRecord;
  readonly version: string;
}

/** The way back, for messages. */
export function undoCommand({ id, namespace }: Operation): string {
  return `stillpoint restore --in-place --undo ${id} -n ${namespace}`;
}
