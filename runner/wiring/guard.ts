/** The guard of a backup's Job: the same pod as the runner's, with another index. */
import type { SnapshotConfig } from '../../src/contract';
import type { GlobalOptions } from '../cli/options';
import { guard } from '../commands/guard';
import { StillpointError } from '../errors';
import { KubernetesEvents } from '../kube/events';
import { KubernetesGuardPost } from '../kube/guard-post';
import { jobOfPod } from '../kube/run';
import { connect, kubernetesOutside } from './kubernetes';
import { sourcesOf, type World } from './world';

/** Guards the backup of the Job that this pod belongs to, until that needs no guard any more. */
export async function runGuard(config: SnapshotConfig, options: GlobalOptions, world: World): Promise<void> {
  const { clock, log, signal, env } = world;
  const { POD_NAME: pod, POD_NAMESPACE: namespace = config.metadata.namespace } = env;
  if (pod === undefined || namespace === undefined) {
    throw new StillpointError('usage-invalid', 'a guard is a pod of a Job, and POD_NAME names none');
  }
  const client = await connect(options, world);
  const run = await jobOfPod(client, { name: pod, namespace });
  const { jobUid: uid, jobName: name = '' } = run.owner;
  const { database } = config.spec;
  const post = new KubernetesGuardPost(client, { namespace, database, job: { name, uid }, pod, clock, log, signal });
  await guard({
    sources: await sourcesOf(config),
    post,
    outside: kubernetesOutside(client, namespace, world),
    events: new KubernetesEvents(client, { namespace, run, clock }),
    clock,
    log,
    signal,
  });
}
