/** Who this run is: the pod's Job gives the backup its id, so that a second pod of the Job finds the first one's record. */
import { backupId, INSTALL_CONTAINER, type Trigger } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Run } from '../ports';
import type { KubeClient } from './client';
import { MANUAL_ANNOTATION } from './jobs';
import { JOBS, type Job, PODS, type Pod } from './objects';

/**
 * The run of a pod that a Job made. `configured` is what the job config says started it; people and CronJobs are
 * recognised without.
 */
export async function jobOfPod(
  client: KubeClient,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  configured?: Trigger,
): Promise<Run> {
  const pod = await client.get(PODS, { name, namespace });
  const owner = pod?.metadata.ownerReferences?.find(({ kind }) => kind === 'Job');
  const job = owner === undefined ? undefined : await client.get(JOBS, { name: owner.name, namespace });
  if (pod !== undefined && job !== undefined && job.metadata.uid === owner?.uid) return runOf(pod, job, configured);
  throw new StillpointError('usage-invalid', `pod ${namespace}/${name} belongs to no Job`, {
    hint: 'the id of a backup comes from its Job: run it by the CronJob or Job of the constructs',
  });
}

/** What a Job and its pod make of a run: pure. */
export function runOf(pod: Pod, job: Job, configured?: Trigger): Run {
  const { name, uid = '', creationTimestamp = '' } = job.metadata;
  const { containers, initContainers = [] } = pod.spec;
  // In a pod of the engine's own image the runner's is that of the container which brings it there.
  const image = (initContainers.find((each) => each.name === INSTALL_CONTAINER) ?? containers[0])?.image;
  return {
    id: backupId(new Date(creationTimestamp)),
    owner: { jobUid: uid, jobName: name, pod: pod.metadata.name },
    trigger: triggerOf(job, configured),
    ...(image === undefined ? {} : { image }),
  };
}

/** A Job that a person made from the CronJob carries the CronJob's config, but is not its doing. */
function triggerOf({ metadata }: Job, configured: Trigger | undefined): Trigger {
  if (metadata.annotations?.[MANUAL_ANNOTATION] === 'manual') return 'manual';
  if (configured !== undefined) return configured;
  return metadata.ownerReferences?.some(({ kind }) => kind === 'CronJob') === true ? 'scheduled' : 'manual';
}
