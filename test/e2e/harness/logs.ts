/** What pods write. */
import { link, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KINDS, read } from './cluster';
import { eventually } from './wait';

/** One line that the runner wrote. */
export interface LogLine {
  readonly message?: string;
  readonly step?: string;
  readonly code?: string;
  readonly hint?: string;
  readonly [more: string]: unknown;
}

/**
 * The log of a pod's container from its first line to its last, once it has ended. The nodes of the test cluster share
 * one folder for logs, and each tidies away what it does not know: so the file gets a second name while it is there.
 */
export async function wholeLog(pod: string, namespace: string): Promise<readonly LogLine[]> {
  const { name, uid } = await eventually(`the container of ${pod} has started`, async () => {
    const found = await read(KINDS.pod, pod, namespace);
    const status = found?.status?.containerStatuses?.[0];
    if (status?.state?.running === undefined && status?.state?.terminated === undefined) return undefined;
    return { name: String(status.name), uid: String(found?.metadata?.uid) };
  });
  const folder = await mkdtemp(join(KEPT_LOGS, 'stillpoint-e2e-'));
  try {
    await link(join(KEPT_LOGS, 'pods', `${namespace}_${pod}_${uid}`, name, '0.log'), join(folder, 'log'));
    await eventually(`${pod} has ended`, async () => await hasEnded(pod, namespace), { seconds: 300 });
    return linesOf(withoutPrefixes(await readFile(join(folder, 'log'), 'utf8')));
  } catch (error) {
    return [{ message: `the log of ${pod} is gone: ${error}` }];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** On the file system of the logs: a second name cannot be anywhere else. */
const KEPT_LOGS = '/var/log';

/** A pod that is deleted has ended too. */
async function hasEnded(pod: string, namespace: string): Promise<boolean> {
  const found = await read(KINDS.pod, pod, namespace);
  return found === undefined || found.status?.containerStatuses?.[0]?.state?.terminated !== undefined;
}

/** Lines of a container runtime look as `<time> stdout F <line>`; P instead of F says that the line goes on. */
function withoutPrefixes(log: string): string {
  return log
    .split('\n')
    .map((line) => /^\S+ \S+ ([FP]) ?(.*)$/.exec(line))
    .map((parts) => (parts === null ? '' : `${parts[2]}${parts[1] === 'P' ? '' : '\n'}`))
    .join('');
}

/** Lines of JSON; what is none is a message. */
export function linesOf(log: string): readonly LogLine[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as LogLine;
      } catch {
        return { message: line };
      }
    });
}
