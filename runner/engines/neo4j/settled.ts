/**
 * Waits until a server has been running for so long that what it wrote at its start is on the device. Neo4j does not sync
 * small files of its first start (`server_id`): a cut before the kernel has written them back has them empty, and the copy
 * does not start [seen, 5.26: EOFException in ServerIdMarshal].
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../ports';

/** Linux writes back what is older than 30 s, and looks every 5 s [doc: vm.dirty_expire_centisecs]. */
export const SETTLED_MS = 60_000;

/** What is left to wait for a server that has been running for so long. Pure. */
export function leftToWait(uptimeMs: number): number {
  return Math.max(0, SETTLED_MS - uptimeMs);
}

/**
 * Asks again after the wait: a server that was started anew meanwhile is as young as before, and the executor limits the step. One
 * that does not say its age is waited for once, in full.
 */
export async function settled(
  uptimeMs: (signal: AbortSignal) => Promise<number | undefined>,
  log: Log,
  signal: AbortSignal,
  pause: (ms: number, signal: AbortSignal) => Promise<void> = wait,
): Promise<void> {
  for (;;) {
    const uptime = await uptimeMs(signal);
    const left = leftToWait(uptime ?? 0);
    if (left === 0) return;
    const age =
      uptime === undefined ? 'does not say when it was started' : `was started less than ${SETTLED_MS / 1000} s ago`;
    log.info({ waitMs: left }, `the server ${age}, and its first files may not be on the device yet: waiting`);
    await pause(left, signal);
    if (uptime === undefined) return;
  }
}

const wait = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal });
