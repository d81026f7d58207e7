/** Good backups of a policy over some time, without waiting for it: real snapshots of a claim, on record with ids of the past. */
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupVolume, PostgresBackup, Registry, type RetentionProps, SnapshotClass } from 'stillpoint';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import type { Log, StoredRecord, Volume } from '../../../runner/ports';
import { KubernetesRegistry } from '../../../runner/registry/kubernetes';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { type BackupRecord, backupId, LABELS } from '../../../src/contract';
import { apply } from '../harness/cluster';
import { NEVER } from '../harness/never';
import { thisRun } from '../harness/this-run';
import { cutRequest, recordOf } from './fixture';

/** Where a history is made. */
export interface HistoryPlace {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly database: string;
  readonly volumes: readonly Volume[];
  readonly log: Log;
}

/** The name of the policy of a database. */
export const policyNameOf = (database: string): string => `${database}-backup`;

/** A policy as a user has it, for a server that is not needed here; what it keeps stands in the registry. */
export async function applyRetention(
  { namespace, database }: Pick<HistoryPlace, 'namespace' | 'database'>,
  retention: RetentionProps,
  timeZone?: string,
): Promise<void> {
  const chart = new Chart(Testing.app(), 'policy', { namespace });
  new PostgresBackup(chart, database, {
    host: database,
    credentials: Secret.fromSecretName(chart, 'login', database),
    volumes: [BackupVolume.fromClaimName('data')],
    snapshotClass: SnapshotClass.fromName(thisRun.registry),
    schedule: NEVER,
    registry: Registry.fromNamespace(thisRun.registry, 0),
    image: thisRun.image,
    retention,
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  await apply(chart.toJson());
}

/** The records of this run, as an account of somebody's sees them. */
export const registryOf = ({ client, log }: Pick<HistoryPlace, 'client' | 'log'>): KubernetesRegistry =>
  new KubernetesRegistry(client, { namespace: thisRun.registry, clock: systemClock, log });

/** A backup that was asked for at an instant, ISO 8601, with a snapshot that the storage really has. */
export async function addBackup(
  place: HistoryPlace,
  at: string,
  more: Partial<BackupRecord> = {},
): Promise<StoredRecord> {
  const { client, namespace, database, volumes, log } = place;
  const id = backupId(new Date(at));
  const request = cutRequest(volumes);
  const asked = {
    ...request,
    id,
    database,
    labels: { ...request.labels, [LABELS.database]: database, [LABELS.backup]: id },
  };
  const store = new KubernetesSnapshots({ client, namespace, className: thisRun.registry, clock: systemClock, log });
  const signal = AbortSignal.timeout(60_000);
  const cuts = await store.ready(await store.cut(asked, signal), signal);
  const record = recordOf(namespace, asked, {
    policy: policyNameOf(database),
    phase: 'succeeded',
    times: { started: new Date(at).toISOString() },
    plannedSnapshots: store.names(asked),
    cuts,
    runnerImage: thisRun.image,
    ...more,
  });
  return await registryOf(place).create(record);
}
