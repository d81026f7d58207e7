/** The Lease of a policy's database: what is done under it ends when it is lost, and gives it back in every case. */
import { asStillpointError } from '../errors';
import type { Lease, Locks, Log, Run } from '../ports';

interface Holder {
  readonly locks: Locks;
  readonly run: Run;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Does something for the Job of a run, with a signal that aborts too when the Lease is lost. Throws what acquiring it does. */
export async function underLease<Context extends Holder, Result>(
  context: Context,
  name: string,
  work: (held: Context) => Promise<Result>,
  /** What comes when it was given back, however the work has ended. */
  afterwards: () => Promise<void> = async () => undefined,
): Promise<Result> {
  const { locks, run, log, signal } = context;
  const lease: Lease = await locks.acquire(name, run.owner.jobUid);
  try {
    return await work({ ...context, signal: AbortSignal.any([signal, lease.lost]) });
  } finally {
    await lease
      .release()
      .catch((error: unknown) => log.warn({ error: asStillpointError(error).message }, 'lease kept'));
    await afterwards();
  }
}
