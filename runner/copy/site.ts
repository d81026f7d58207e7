/** Where the files of snapshots are read: by a worker of its own, which has them mounted and nothing else. */
import type { RestorePlan } from '../restore/plan';
import type { CopyAnswer, CopyOrder } from './order';

/** One policy's worker, and what is made for it. */
export interface CopySite {
  /** Ends the worker and removes all that was made for it, whoever has made it. Returns when all of it is gone. */
  clear(signal: AbortSignal): Promise<void>;
  /** Makes the volumes, has the worker read them, and answers with what it has stored. */
  run(plan: RestorePlan, order: CopyOrder, signal: AbortSignal): Promise<CopyAnswer>;
}
