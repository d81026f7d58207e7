/** Volumes that are made at once are waited for before a pod uses them. */
import { isForbidden } from '../errors';
import { CLAIMS, type Claim, STORAGE_CLASSES, type StorageClass } from '../objects';
import type { Waiting } from '../until';
import { wait } from '../wait';

/** A claim that is not bound by then is waited for no longer: what its pod waits for is told of the pod. */
const LIMIT_MS = 20_000;
const PAUSE_MS = 100;

/**
 * Waits for a claim to be bound, unless its class waits for a pod, or may not be read. A scheduler that looks at a pod in the moment
 * in which its claim is bound can miss that, and looks again when five minutes are over (seen of Kubernetes 1.34).
 */
export async function untilBound(waiting: Waiting, claim: Claim): Promise<void> {
  if (!(await isMadeAtOnce(waiting, claim))) return;
  const { client, clock, signal } = waiting;
  const { name, namespace, uid } = claim.metadata;
  const end = clock.monotonic() + LIMIT_MS;
  while (clock.monotonic() < end) {
    const there = await client.get(CLAIMS, { name, namespace }, signal);
    if (there === undefined || there.metadata.uid !== uid || there.status?.phase === 'Bound') return;
    await wait(clock, PAUSE_MS, signal);
  }
}

async function isMadeAtOnce({ client, signal }: Waiting, { spec }: Claim): Promise<boolean> {
  // The API server has put the default class in; with none, nobody makes the volume.
  if (spec.storageClassName === undefined || spec.storageClassName === '') return false;
  const found = await client.get(STORAGE_CLASSES, { name: spec.storageClassName }, signal).catch(unlessForbidden);
  return found !== undefined && found.volumeBindingMode !== 'WaitForFirstConsumer';
}

function unlessForbidden(thrown: unknown): StorageClass | undefined {
  if (isForbidden(thrown)) return undefined;
  throw thrown;
}
