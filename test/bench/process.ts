/** Looks at a process from outside, as Linux tells it. */
import { readFileSync } from 'node:fs';

/** The most memory that a process has had so far, in MiB; undefined when it has ended. */
export function peakMiB(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

/** What PostgreSQL's log_line_prefix has to be for {@link firstStatementSince}. */
export const LOG_LINE_PREFIX = '%n %u ';

/** When the first statement of a user came, by the server's log: milliseconds since 1970, as `since` is. */
export function firstStatementSince(log: string, user: string, since: number): number | undefined {
  const lines = log.matchAll(/^(\d+\.\d+) (\S+) LOG: {2}(?:statement|execute [^:]*): /gm);
  for (const [, seconds, name] of lines) {
    const at = Number(seconds) * 1000;
    if (name === user && at >= since) return at;
  }
  return undefined;
}
