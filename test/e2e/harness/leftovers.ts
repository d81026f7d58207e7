/**
 * What runs that were ended from outside have left in the cluster: databases that go on, snapshots on the storage, rights.
 * A machine that keeps its cluster would fill with it, run by run.
 */
import { hostname } from 'node:os';
import { KINDS, list, patch, read, remove } from './cluster';
import { forgetContents } from './contents';
import { RIGHT_KINDS, RUN_LABEL, removeNamespacesOf } from './namespace';

/** Says on the namespace of a run's registry which process the run is. */
const PROCESS = 'stillpoint-e2e-process';

/** All names of the tests begin so, outside of namespaces too. */
const OURS = 'e2e-';

/** Lets other runs see for as long as this process lives that this one goes on. */
export async function markRun(registry: string): Promise<void> {
  await patch(KINDS.namespace, registry, '', {
    metadata: { annotations: { [PROCESS]: `${hostname()} ${process.pid}` } },
  });
}

/** Removes what runs have left that go on no more. */
export async function removeLeftovers(): Promise<void> {
  for (const run of await runs()) {
    if (await hasEnded(run)) await removeRun(run);
  }
  await removeOrphans();
}

/** Removes all that a run has made, and waits until it is gone. */
export async function removeRun(registry: string): Promise<void> {
  await removeNamespacesOf(registry);
  await removeOrphans();
}

/** Of what is outside of namespaces, removes what is of one that is gone: some of it comes into being while that goes. */
async function removeOrphans(): Promise<void> {
  const there = new Set((await list(KINDS.namespace)).map(({ metadata }) => metadata?.name ?? ''));
  const isGone = (namespace: string): boolean => namespace.startsWith(OURS) && !there.has(namespace);
  for (const kind of [...RIGHT_KINDS, KINDS.snapshotClass, KINDS.groupSnapshotClass]) {
    for (const { metadata } of await list(kind)) {
      const name = metadata?.name ?? '';
      const [, namespace = ''] = /^stillpoint\.([^.]+)\./.exec(name) ?? /^(e2e-registry-\w+)(-slow)?$/.exec(name) ?? [];
      if (isGone(namespace)) await remove(kind, name);
    }
  }
  await forgetContents(isGone);
}

async function runs(): Promise<ReadonlySet<string>> {
  const namespaces = await list(KINDS.namespace);
  const names = namespaces.flatMap(({ metadata }) => [
    ...(metadata?.annotations?.[PROCESS] === undefined ? [] : [metadata.name ?? '']),
    ...(metadata?.labels?.[RUN_LABEL] === undefined ? [] : [metadata.labels[RUN_LABEL]]),
  ]);
  return new Set(names);
}

/** One whose registry is gone can do nothing any more; of another machine's nothing is known. */
async function hasEnded(run: string): Promise<boolean> {
  const namespace = await read(KINDS.namespace, run);
  if (namespace === undefined) return true;
  const [host, pid] = (namespace.metadata?.annotations?.[PROCESS] ?? '').split(' ');
  return host === hostname() && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
