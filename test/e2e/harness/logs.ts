/** What pods write. */
import { open, readdir, readFile, readlink } from 'node:fs/promises';
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

/** What a pod's container writes, from its first line on. */
export interface LogFollower extends AsyncDisposable {
  /** What it has written so far. */
  lines(): Promise<readonly LogLine[]>;
}

/**
 * Follows the log of a pod's container. The nodes of the test cluster share one folder for logs, and each tidies away what
 * it does not know: so the file is opened while it is there, or where it is open still.
 */
export async function followLog(pod: string, namespace: string): Promise<LogFollower> {
  const { name, uid } = await eventually(`the container of ${pod} has started`, async () => {
    const found = await read(KINDS.pod, pod, namespace);
    const status = found?.status?.containerStatuses?.[0];
    if (status?.state?.running === undefined && status?.state?.terminated === undefined) return undefined;
    return { name: String(status.name), uid: String(found?.metadata?.uid) };
  });
  const path = join('/var/log/pods', `${namespace}_${pod}_${uid}`, name, '0.log');
  const file = await open(path).catch(async (error: unknown) => {
    const written = await openElsewhere(path);
    if (written === undefined) throw error;
    return await open(written);
  });
  return {
    lines: async () => {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size + 1), 0, size, 0);
      return linesOf(withoutPrefixes(buffer.toString('utf8', 0, bytesRead)));
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** The file as the node's container runtime has it, which writes to it also when it has lost its name. */
async function openElsewhere(path: string): Promise<string | undefined> {
  for (const process of await readdir('/proc')) {
    const command = await readFile(`/proc/${process}/comm`, 'utf8').catch(() => '');
    if (command !== 'containerd\n') continue;
    for (const descriptor of await readdir(`/proc/${process}/fd`)) {
      const file = `/proc/${process}/fd/${descriptor}`;
      if ((await readlink(file).catch(() => '')).startsWith(path)) return file;
    }
  }
  return undefined;
}

/** The log of a pod's container from its first line to its last, once it has ended. */
export async function wholeLog(pod: string, namespace: string): Promise<readonly LogLine[]> {
  try {
    await using log = await followLog(pod, namespace);
    await eventually(`${pod} has ended`, async () => await hasEnded(pod, namespace), { seconds: 300 });
    return await log.lines();
  } catch (error) {
    return [{ message: `the log of ${pod} is gone: ${error}` }];
  }
}

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
