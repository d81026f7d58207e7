/** Where a restore in place happens: the port that its commands see. */
import type { BackupRecord } from '../../../src/contract';
import type { PreparedFiles } from '../../engine';
import type { Finding } from '../../ports';
import type { RestorePlan } from '../plan';
import type { Action, Seen } from './machine';
import type { ClaimParts, Operation, StoredOperation, WorkloadName } from './operation';

/** A claim of the workload that the backup has a volume of. */
export interface TargetVolume extends ClaimParts {
  readonly name: string;
  readonly claim: string;
  readonly volume: string;
  readonly reclaimPolicy: string;
  /** A Kubernetes quantity. */
  readonly size: string | undefined;
  readonly storageClass: string | undefined;
}

/** The workload, as it is before anything is touched. */
export interface Target {
  readonly workload: WorkloadName;
  readonly replicas: number;
  readonly ready: number;
  readonly image: string | undefined;
  readonly deletesWhenScaled: boolean;
  /** How long its pods may take to end. */
  readonly graceSeconds: number;
  readonly volumes: readonly TargetVolume[];
  /** Claims of its pods that are in no volume of the backup: they stay as they are. */
  readonly otherClaims: readonly string[];
  /** What may set replicas or claims meanwhile, and who else holds the claims. */
  readonly findings: readonly Finding[];
}

/** A namespace of a cluster. */
export interface InPlaceSite {
  /** Throws workload-not-found, claim-not-found and in-place-unsuitable. */
  look(record: BackupRecord, signal: AbortSignal): Promise<Target>;
  /** The restore in place of a workload that has not come to its end. */
  unfinished(namespace: string, workload: string): Promise<StoredOperation | undefined>;
  /** Throws restore-not-found. */
  find(namespace: string, id: string): Promise<StoredOperation>;
  /** Writes a new journal: the first thing that is made. */
  begin(operation: Operation, record: BackupRecord): Promise<StoredOperation>;
  /** Throws record-conflict when somebody else has gone on with it. */
  write(stored: StoredOperation, operation: Operation): Promise<StoredOperation>;
  /** The volumes that the claims of a plan are bound to, by the backup's names of them. */
  boundVolumes(plan: RestorePlan, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Has the engine undo, on the copy, what kept it out of the original's world. */
  attach(plan: RestorePlan, signal: AbortSignal): Promise<PreparedFiles>;
  see(operation: Operation, signal: AbortSignal): Promise<Seen>;
  act(operation: Operation, action: Exclude<Action, { readonly do: 'wait' }>, signal: AbortSignal): Promise<void>;
  /** Lets a moment pass before the next look. */
  pause(signal: AbortSignal): Promise<void>;
}
