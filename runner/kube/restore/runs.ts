/** Watches the pods of a restore to their end, and translates what they ended with. */
import type { Inspection, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import { readOutcome } from '../../restore/outcome';
import {
  SNAPSHOT_CONTENTS,
  VOLUME_SNAPSHOTS,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '../../snapshots/objects';
import type { KubeClient } from '../client';
import { type Job, PODS, type Pod } from '../objects';
import { until, type Waiting } from '../until';
import { type Ended, endOf, isDisrupted, stuckOn, waitingFor } from './pod-state';
import { INSPECT_CONTAINER, PREPARE_CONTAINER, SERVER_CONTAINER } from './pods';

/** The last lines of a server's log that go into the error. */
const LOG_LINES = 15;

/**
 * Waits until a VolumeSnapshot and the content that was made for it point at each other, and the storage says that it
 * knows the handle.
 */
export async function untilImported(
  waiting: Waiting,
  made: { readonly snapshot: VolumeSnapshot; readonly content: VolumeSnapshotContent },
  warn: (line: string) => void,
): Promise<void> {
  const { namespace, name } = made.snapshot.metadata;
  const path = `VolumeSnapshot ${namespace}/${name}`;
  let complaint = '';
  const told = new Set<string>();
  const selection = { namespace, fields: { 'metadata.name': name } };
  const look = (seen: VolumeSnapshot): VolumeSnapshot | undefined => {
    const said = seen.status?.error?.message ?? '';
    if (said.includes(UNKNOWN_HANDLE)) throw unknownHandle(path, made.content);
    // The storage is asked again and again, and may mend; whoever waits is told once of each thing that it says.
    if (said !== '' && !told.has(said)) warn(`${path} is not ready: ${said}`);
    told.add(said);
    complaint = said;
    return seen.status?.readyToUse === true ? seen : undefined;
  };
  const ready = await explained(
    waiting,
    until(waiting, VOLUME_SNAPSHOTS, selection, look),
    () => `${path} is not ready${complaint === '' ? '' : `: ${complaint}`}`,
  );
  const contentName = made.content.metadata.name;
  const content = await waiting.client.get(SNAPSHOT_CONTENTS, { name: contentName }, waiting.signal);
  const back = content?.spec.volumeSnapshotRef.uid === ready.metadata.uid;
  if (back && ready.status?.boundVolumeSnapshotContentName === contentName) return;
  throw new StillpointError(
    'restore-failed',
    `${path} and VolumeSnapshotContent ${contentName} do not point at each other`,
    { hint: 'somebody else has made or changed one of them meanwhile' },
  );
}

/** The CSI sidecar's own words for a handle that the storage lists no snapshot under (external-snapshotter, pkg/snapshotter). */
const UNKNOWN_HANDLE = 'can not find snapshot for snapshotID';

function unknownHandle(path: string, { spec }: VolumeSnapshotContent): StillpointError {
  const { driver, source } = spec;
  return new StillpointError(
    'restore-failed',
    `${path} cannot be made: the storage of driver ${driver} has no snapshot ${source.snapshotHandle ?? ''}`,
    {
      hint: 'it was deleted there, or is of another storage than the one that this cluster has: restore another backup',
    },
  );
}

/** Waits until the Job has prepared the files. */
export async function untilPrepared(waiting: Waiting, job: Job): Promise<PreparedFiles> {
  const path = `Job ${job.metadata.namespace}/${job.metadata.name}`;
  let last: Pod | undefined;
  const selection = {
    namespace: job.metadata.namespace,
    labels: { 'batch.kubernetes.io/controller-uid': `${job.metadata.uid}` },
  };
  const look = (pod: Pod): Ended | undefined => {
    last = pod;
    refuseStuck(pod);
    return isDisrupted(pod) ? undefined : endOf(pod, PREPARE_CONTAINER);
  };
  const ended = await explained(
    waiting,
    until(waiting, PODS, selection, look),
    () => `${path} has not ended: ${last === undefined ? 'it has no pod yet' : waitingFor(last)}`,
  );
  return readOutcome<PreparedFiles>(ended.message, `${path} (${ended.reason})`);
}

/** Waits until the server in a pod has been looked at. Throws restore-not-started, with the end of its log. */
export async function untilInspected(waiting: Waiting, pod: Pod): Promise<Inspection> {
  const { namespace, name } = pod.metadata;
  let last = pod;
  const look = (seen: Pod): { readonly inspector?: Ended; readonly server?: Ended } | undefined => {
    last = seen;
    refuseStuck(seen);
    const inspector = endOf(seen, INSPECT_CONTAINER);
    // Once it has been looked at, it does not matter any more whether it still runs.
    if (inspector?.exitCode === 0) return { inspector };
    const server = endOf(seen, SERVER_CONTAINER);
    if (server !== undefined) return { server };
    return inspector === undefined ? undefined : { inspector };
  };
  const selection = { namespace, fields: { 'metadata.name': name } };
  const { inspector, server } = await explained(
    waiting,
    until(waiting, PODS, selection, look),
    () => `pod ${namespace}/${name} has not been looked at: ${waitingFor(last)}`,
  ).catch(async (thrown: unknown) => {
    // The time is up: what the server has logged so far says what it is at.
    throw waiting.signal.aborted ? await notStarted(waiting.client, pod, (thrown as Error).message) : thrown;
  });
  if (server !== undefined) {
    const how = `${server.reason}, exit code ${server.exitCode}`;
    throw await notStarted(waiting.client, pod, `the server on the restored volumes ended (${how})`);
  }
  try {
    return readOutcome<Inspection>(inspector?.message, `container ${INSPECT_CONTAINER} of pod ${namespace}/${name}`);
  } catch (thrown) {
    if (!(thrown instanceof StillpointError) || thrown.code !== 'restore-not-started') throw thrown;
    throw await notStarted(waiting.client, pod, thrown.message);
  }
}

async function notStarted(client: KubeClient, { metadata }: Pod, message: string): Promise<StillpointError> {
  const log = (await client.log(metadata, SERVER_CONTAINER, LOG_LINES).catch(() => '')).trimEnd();
  return new StillpointError('restore-not-started', message, {
    hint: log === '' ? 'its log is empty' : `the end of its log:\n${log}\n`,
  });
}

/** What was waited for; or, when the time is up or a signal came, an error that says what it hung on. */
async function explained<T>({ signal }: Waiting, work: Promise<T>, why: () => string): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    const reason = signal.reason instanceof StillpointError ? signal.reason.message : 'the restore was interrupted';
    throw new StillpointError('restore-failed', `${reason}: ${why()}`, { cause: thrown });
  }
}

function refuseStuck(pod: Pod): void {
  const why = stuckOn(pod);
  if (why === undefined) return;
  throw new StillpointError('restore-failed', `pod ${pod.metadata.namespace}/${pod.metadata.name} hangs: ${why}`);
}
