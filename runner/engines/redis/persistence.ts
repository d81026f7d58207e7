/** What the server's children are at, out of INFO: the dump, the rewrite of the append-only file. Pure, but for the waiting. */
import { setTimeout as delay } from 'node:timers/promises';
import { StillpointError } from '../../errors';
import type { Info } from './replies';

/** How long children of the server that somebody else has started are waited for. */
const IDLE_LIMIT_MS = 120_000;
/** How long our own dump may take: with a large memory on a slow disk, minutes. The whole step has the executor's limit. */
const POLL_MS = 50;

/** What is at work, in words; undefined when nothing is. */
export function atWork(info: Info): string | undefined {
  if (info.rdb_bgsave_in_progress !== '0') return 'a dump (BGSAVE)';
  if (info.aof_rewrite_in_progress !== '0') return 'a rewrite of the append-only file';
  if (info.aof_rewrite_scheduled !== '0') return 'a scheduled rewrite of the append-only file';
  if (info.module_fork_in_progress === '1') return 'a child of a module';
  return undefined;
}

/** Waits until none of the server's children is at work. Throws freeze-timeout. */
export async function waitUntilIdle(read: () => Promise<Info>, signal: AbortSignal): Promise<Info> {
  for (let waited = 0; ; waited += POLL_MS) {
    const info = await read();
    const work = atWork(info);
    if (work === undefined) return info;
    if (waited >= IDLE_LIMIT_MS) {
      throw new StillpointError('freeze-timeout', `${work} was at work at the server for ${IDLE_LIMIT_MS / 1000} s`, {
        hint: 'it was not begun by this backup: choose another hour, or look what begins it',
      });
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

/** How many dumps a server has made. Before 7.0 it counts what it has forked for; of that, nothing else was at work. */
export function dumpsOf({ rdb_saves: saves, total_forks: forks }: Info): string {
  return saves ?? forks ?? '';
}

/** Waits for the dump that was begun when the server had made so many, and says whether it went well. */
export async function waitForDump(read: () => Promise<Info>, savesBefore: number, signal: AbortSignal): Promise<Info> {
  for (;;) {
    const info = await read();
    if (info.rdb_bgsave_in_progress === '0') {
      if (info.rdb_last_bgsave_status === 'ok' && Number(dumpsOf(info)) > savesBefore) return info;
      throw new StillpointError(
        'freeze-failed',
        `the dump of the server failed (${info.rdb_last_bgsave_status ?? ''})`,
        {
          hint: 'the log of the server says why: often there is no room on its volume, or no memory to fork',
        },
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
}
