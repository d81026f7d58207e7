/** Claims that are filled from a copy, and the Job that does so, made of the policy that has taken it. */
import { stringify } from 'yaml';
import { type BackupRecord, type CopyConfig, isCopy, LABELS, MOUNTS } from '../../src/contract';
import {
  type CopyRestoreWishes,
  copyRestoreConfigBy,
  copyRestorePodBy,
  FILL_CONTAINER,
  planCopyClaims,
} from '../copy/by-policy';
import type { PolicyPod } from '../dump/by-policy';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock } from '../ports';
import type { RestorePlan } from '../restore/plan';
import type { KubeClient } from './client';
import type { DumpRestoreJob } from './dump-restores';
import { isAlreadyThere } from './errors';
import { configOfJob } from './jobs';
import { CLAIMS, type Claim, CONFIG_MAPS, CRON_JOBS, type CronJob, JOBS, type Pod, type PodSpec } from './objects';
import { restoreSelector } from './restore/labels';
import { type Ended, endOf } from './restore/pod-state';

/** A restore that was started. */
export interface CopyRestoreJob extends DumpRestoreJob {
  readonly plan: RestorePlan;
}

/** Starts it in the namespace of the policy. Throws policy-not-found where that is gone, restore-exists where a claim is there. */
export async function startCopyRestore(
  client: KubeClient,
  { record, source }: { readonly record: BackupRecord; readonly source: BackupRecord },
  wishes: CopyRestoreWishes,
  clock: Clock,
): Promise<CopyRestoreJob> {
  const { namespace } = record;
  const { cronJob, config } = await policyOf(client, record);
  const plan = planCopyClaims(record, source, wishes);
  const name = `${cronJob.metadata.name}-${Math.floor(clock.now().getTime() / 1000)}`;
  const { identity } = wishes;
  const instruction = copyRestoreConfigBy(config, record, plan.volumes, { name, namespace, identity });
  const labels = { ...restoreSelector(plan.name), [LABELS.database]: record.database, [LABELS.backup]: record.id };
  for (const claim of claimsOf(plan, labels)) await createClaim(client, claim);
  const { jobTemplate } = cronJob.spec;
  const { template } = jobTemplate.spec;
  const pod = copyRestorePodBy(template.spec as unknown as PolicyPod, config, plan.volumes, { config: name, identity });
  const created = await client.create(JOBS, {
    metadata: { name, namespace, labels },
    spec: {
      ...jobTemplate.spec,
      // What a restore has begun and not ended no repetition mends: claims that hold a part are refused.
      backoffLimit: 0,
      template: { ...template, metadata: { ...template.metadata, labels }, spec: pod as unknown as PodSpec },
    },
  });
  const uid = created.metadata.uid ?? '';
  // After the Job, so that it goes with it: the pod waits for it.
  await client.create(CONFIG_MAPS, {
    metadata: { name, namespace, labels, ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }] },
    data: { [MOUNTS.configFile]: stringify(instruction, { lineWidth: 0, aliasDuplicateObjects: false }) },
  });
  return { name, namespace, uid, plan };
}

/** How the pod of such a Job has ended: by the container that fills, where that has failed. Pure. */
export function endOfCopyRestore(pod: Pod, container: string): Ended | undefined {
  const filled = pod.status?.initContainerStatuses?.find(({ name }) => name === FILL_CONTAINER)?.state?.terminated;
  if (filled === undefined || filled.exitCode === 0) return endOf(pod, container);
  return { exitCode: filled.exitCode, reason: filled.reason ?? 'Error', message: filled.message };
}

async function policyOf(
  client: KubeClient,
  record: BackupRecord,
): Promise<{ readonly cronJob: CronJob; readonly config: CopyConfig }> {
  const { namespace, policy } = record;
  const cronJob = await client.get(CRON_JOBS, { namespace, name: policy });
  const config =
    cronJob === undefined ? undefined : await configOfJob(client, namespace, cronJob.spec.jobTemplate.spec);
  if (cronJob !== undefined && config !== undefined && isCopy(config)) return { cronJob, config };
  throw new StillpointError(
    'policy-not-found',
    `the policy ${namespace}/${policy} of copy ${recordPath(record)} is gone, and the store's credentials are known by it`,
    { hint: 'restore it by the construct (docs/copies.md), or apply the policy again' },
  );
}

function claimsOf(
  { namespace, volumes }: RestorePlan,
  labels: Readonly<Record<string, string>>,
): readonly New<Claim>[] {
  return volumes.map(({ claim, name, accessModes, storageClass, size }) => ({
    metadata: { name: claim, namespace, labels: { ...labels, [LABELS.volume]: name } },
    spec: {
      accessModes,
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      ...(size === undefined ? {} : { resources: { requests: { storage: size } } }),
    },
  }));
}

type New<T> = Omit<T, 'apiVersion' | 'kind'>;

async function createClaim(client: KubeClient, claim: New<Claim>): Promise<void> {
  try {
    await client.create(CLAIMS, claim);
  } catch (thrown) {
    if (!isAlreadyThere(thrown)) throw thrown;
    const { namespace, name } = claim.metadata;
    throw new StillpointError('restore-exists', `claim ${namespace}/${name} is there already, and is not overwritten`, {
      hint: 'take another name with --claim',
      cause: thrown,
    });
  }
}
