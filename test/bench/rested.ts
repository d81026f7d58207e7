/** What one bench has left to be removed keeps the snapshot controller busy for minutes, and would be measured by the next. */
import { setTimeout as pause } from 'node:timers/promises';
import { KINDS, list } from '../e2e/harness/cluster';
import { eventually } from '../e2e/harness/wait';
import { SETTLED_MS } from './freeze-samples';

const LIMIT_SECONDS = 1_800;

/** Answers when no snapshot of the whole cluster is being removed, and the controller has rested from that. */
export async function controllerRested(): Promise<void> {
  for (const kind of [KINDS.snapshot, KINDS.snapshotContent]) {
    await eventually(
      `no ${kind.kind} is being removed`,
      async () => (await list(kind)).every(({ metadata }) => metadata?.deletionTimestamp === undefined),
      { seconds: LIMIT_SECONDS },
    );
  }
  await pause(SETTLED_MS);
}
