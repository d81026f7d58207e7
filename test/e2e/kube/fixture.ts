/** What the tests of the single ports share: a client, claims, classes, and a look at the storage itself. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../runner/clock';
import { connectKube, type KubeClient } from '../../../runner/kube/client';
import type { CutRequest, Log, Volume } from '../../../runner/ports';
import { ANNOTATIONS, type BackupRecord, COMPONENTS, LABELS, MANAGED_BY } from '../../../src/contract';
import { apply, KINDS, list, patch, read, remove } from '../harness/cluster';
import { uniqueName } from '../harness/namespace';
import { eventually } from '../harness/wait';

/** Keeps what was logged, to be looked at. */
export interface KeptLog extends Log {
  readonly lines: readonly string[];
}

export function keptLog(): KeptLog {
  const lines: string[] = [];
  const keep = (_fields: object, message: string): void => {
    lines.push(message);
  };
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

/** The runner's own client, as a person with the kubeconfig has it. */
export function connect(): Promise<KubeClient> {
  return connectKube({ env: process.env }, systemClock);
}

/** Makes bound claims, and resolves to them as volumes of a plan. */
export async function makeVolumes(
  namespace: string,
  names: readonly string[],
  labels: Readonly<Record<string, string>> = {},
): Promise<readonly Volume[]> {
  await apply(
    names.map((name) => ({
      ...KINDS.claim,
      metadata: { name, namespace, labels },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
    })),
  );
  return Promise.all(
    names.map(async (name) => {
      const volumeName: string = await eventually(`claim ${name} is bound`, async () => {
        const claim = await read(KINDS.claim, name, namespace);
        return claim?.status?.phase === 'Bound' ? claim.spec.volumeName : undefined;
      });
      const volume = await read(KINDS.volume, volumeName);
      return {
        name,
        role: 'data',
        claim: name,
        namespace,
        persistentVolume: volumeName,
        volumeHandle: volume?.spec.csi.volumeHandle,
        driver: volume?.spec.csi.driver,
        claimLabels: labels,
      };
    }),
  );
}

/** A class of the test storage that keeps what its snapshots hold. */
export async function makeRetainClass(
  kind: 'VolumeSnapshotClass' | 'VolumeGroupSnapshotClass',
  parameters: Readonly<Record<string, string>> = {},
): Promise<AsyncDisposable & { readonly name: string }> {
  const group = kind === 'VolumeSnapshotClass' ? 'snapshot.storage.k8s.io/v1' : 'groupsnapshot.storage.k8s.io/v1';
  const name = uniqueName('e2e-retain');
  const type = { apiVersion: group, kind };
  await apply([{ ...type, metadata: { name }, driver: 'disk.test', deletionPolicy: 'Retain', parameters } as object]);
  return { name, [Symbol.asyncDispose]: () => remove(type, name) };
}

let seconds = Date.UTC(2026, 0, 1) / 1000;

/** A request for the cuts of some volumes, with an id that no other test has. */
export function cutRequest(
  volumes: readonly Volume[],
  how: CutRequest['how'] = 'individually',
): CutRequest & {
  readonly jobUid: string;
} {
  const id = new Date(seconds++ * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const jobUid = uniqueName('job');
  return {
    id,
    database: 'orders-db',
    volumes,
    how,
    jobUid,
    labels: {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.component]: COMPONENTS.snapshot,
      [LABELS.database]: 'orders-db',
      [LABELS.backup]: id,
    },
    annotations: { [ANNOTATIONS.jobUid]: jobUid },
  };
}

/** A record as far as the ports look at it. */
export function recordOf(
  namespace: string,
  request: CutRequest & { readonly jobUid: string },
  more: Partial<BackupRecord> = {},
): BackupRecord {
  return {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'Backup',
    id: request.id,
    namespace,
    database: request.database,
    engine: 'postgres',
    policy: request.database,
    trigger: 'manual',
    mode: 'snapshot',
    owner: { jobUid: request.jobUid },
    phase: 'failed',
    times: { started: '2026-01-01T00:00:00.000Z' },
    budgetSeconds: 30,
    volumes: request.volumes,
    cuts: [],
    runnerVersion: '0.0.0',
    ...more,
  };
}

/** The handles of the snapshots that the storage itself has. */
export async function snapshotsOnStorage(): Promise<ReadonlySet<string>> {
  const root = process.env.CLUSTER_ROOT ?? '/var/lib/test-cluster';
  const files = await readdir(join(root, 'disk', 'snapshots'));
  return new Set(files.filter((file) => file.endsWith('.img')).map((file) => file.replace(/\.img$/, '')));
}

/** Lets the records of a namespace go: their finalizer would hold it for ever. */
export async function forgetRecords(namespace: string): Promise<void> {
  for (const { metadata } of await list(KINDS.configMap, namespace)) {
    if ((metadata?.finalizers ?? []).length === 0) continue;
    await patch(KINDS.configMap, `${metadata?.name}`, namespace, { metadata: { finalizers: null } });
  }
}
