/**
 * How others decide when to let a database go, each in its plainest form and each with what most of them lack: the lock is
 * held on one session (locks.ts), from before the snapshot is asked for until the way says so. Minimal scripts of this bench,
 * not the tools themselves.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Anything, create, KINDS, read } from '../e2e/harness/cluster';
import { uniqueName } from '../e2e/harness/namespace';
import type { HeldLock } from './locks';

/** A way of deciding when the lock may go, once a snapshot is asked for. */
export interface OtherWay {
  readonly name: string;
  readonly until: (snapshot: string, namespace: string) => Promise<void>;
}

export const OTHER_WAYS: readonly OtherWay[] = [
  // As scripts for CronJobs have it: shared with many tutorials, here on one session.
  { name: 'sleep 10', until: () => pause(10_000) },
  { name: 'a look every second for creationTime', until: looking(({ status }) => status?.creationTime !== undefined) },
  { name: 'a look every second for readyToUse', until: looking(({ status }) => status?.readyToUse === true) },
];

function looking(done: (snapshot: Anything) => boolean): OtherWay['until'] {
  return async (name, namespace) => {
    for (;;) {
      const snapshot = await read(KINDS.snapshot, name, namespace);
      if (snapshot !== undefined && done(snapshot)) return;
      await pause(1_000);
    }
  };
}

/** Takes a snapshot in one of the ways. Answers with the instants at which the lock was had and let go. */
export async function snapshotIn(
  way: OtherWay,
  lock: () => Promise<HeldLock>,
  of: { readonly namespace: string; readonly claim: string; readonly className: string },
): Promise<{ readonly frozen: number; readonly thawed: number }> {
  const name = uniqueName('other');
  const held = await lock();
  const frozen = Date.now();
  try {
    await create({
      ...KINDS.snapshot,
      metadata: { name, namespace: of.namespace },
      spec: { volumeSnapshotClassName: of.className, source: { persistentVolumeClaimName: of.claim } },
    } as Anything);
    await way.until(name, of.namespace);
  } finally {
    await held.release();
  }
  return { frozen, thawed: Date.now() };
}
