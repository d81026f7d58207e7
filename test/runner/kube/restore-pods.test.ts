import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { PreparedFiles } from '../../../runner/engine';
import type { PodSpec } from '../../../runner/kube/objects';
import { differenceFrom, newJournal, preparedEntry, preparedFiles } from '../../../runner/kube/restore/journal';
import { isOwn, ownLabels } from '../../../runner/kube/restore/labels';
import { prepareJob, preparePod, serverPod } from '../../../runner/kube/restore/pods';
import { claimOf, contentOf, snapshotOf } from '../../../runner/kube/restore/volumes';
import { type PlannedVolume, planClaims, type RestorePlan } from '../../../runner/restore/plan';
import { type BackupRecord, fits, RECORD } from '../../../src/contract';
import { recordOfTwoVolumes } from '../../support/records';

type Workload = NonNullable<BackupRecord['workload']>;

const planOf = (workload: Workload = {}, wishes: { sizes?: readonly string[] } = {}): RestorePlan =>
  planClaims(recordOfTwoVolumes({ workload: { image: 'postgres:17', ...workload } }), {
    claims: ['copy'],
    sizes: [],
    namespace: 'staging',
    image: 'stillpoint:1',
    ...wishes,
  });
const prepared: PreparedFiles = { dataPath: '/var/lib/postgresql/data/pgdata', uid: 999, gid: 998, done: [] };
const server = { command: ['postgres', '-D', prepared.dataPath], port: 5432 };
const server17 = (workload: Workload = {}): PodSpec =>
  serverPod(planOf(workload), prepared, server, { inspectSeconds: 60 }).spec;
const firstOf = <T>(items: readonly T[]): T => {
  const [first] = items;
  if (first === undefined) throw new Error('there is none');
  return first;
};
const dataOf = (plan: RestorePlan): PlannedVolume => firstOf(plan.volumes);

describe('the Job that prepares the files', () => {
  test('has no account on the API, and the record in a file', () => {
    const pod = preparePod(planOf());
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      enableServiceLinks: false,
    });
    expect(firstOf(pod.containers).args).toEqual([
      'prepare',
      '--record-file',
      '/etc/stillpoint/restore/record.yaml',
      '--volume',
      'data=/var/lib/postgresql/data',
      '--volume',
      'wal=/wal',
      '--result',
      '/dev/termination-log',
    ]);
    expect(pod.volumes?.[0]).toMatchObject({ configMap: { name: 'copy-restore' } });
  });

  test('has each volume where the server had it', () => {
    const { containers, volumes } = preparePod(planOf());
    expect(firstOf(containers).volumeMounts?.slice(1)).toEqual([
      { name: 'volume-0', mountPath: '/var/lib/postgresql/data' },
      { name: 'volume-1', mountPath: '/wal' },
    ]);
    expect(volumes?.slice(1).map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName)).toEqual([
      'copy-data',
      'copy-wal',
    ]);
  });

  test('is the user of the original where that is known, and then within the standard "restricted"', () => {
    const pod = preparePod(planOf({ podSecurity: { runAsUser: 26, runAsGroup: 26, fsGroup: 27 } }));
    // The group, but no fsGroup: Kubernetes would open the files to it, and PostgreSQL refuses such a directory.
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 26,
      runAsGroup: 26,
      supplementalGroups: [27],
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(firstOf(pod.containers).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('the user of the container counts more than that of the pod', () => {
    const pod = preparePod(planOf({ podSecurity: { runAsUser: 26 }, containerSecurity: { runAsUser: 70 } }));
    expect(pod.securityContext).toMatchObject({ runAsUser: 70, runAsNonRoot: true });
  });

  test.each<[string, Workload]>([
    ['nothing is recorded', {}],
    ['root is recorded, which steps down by itself', { podSecurity: { runAsUser: 0 } }],
  ])('is root with three capabilities where %s', (_, workload) => {
    const pod = preparePod(planOf(workload));
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 });
    expect(firstOf(pod.containers).securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'] },
    });
  });

  test('tells of a failure at once, and is only repeated when the cluster took its pod away', () => {
    expect(prepareJob(planOf()).spec).toMatchObject({
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
    });
  });
});

describe('the pod of the throw-away server', () => {
  test('is the owner of the files, within the standard "restricted"', () => {
    const pod = server17({ podSecurity: { fsGroup: 27, supplementalGroups: [5], seLinuxOptions: { level: 's0:c1' } } });
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 999,
      runAsGroup: 998,
      supplementalGroups: [27, 5],
      seLinuxOptions: { level: 's0:c1' },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const { securityContext } of pod.containers) {
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    }
  });

  test('the runner beside it sees the socket and the record, and none of the data', () => {
    const [database, inspector] = server17().containers;
    expect(database).toMatchObject({ name: 'server', image: 'postgres:17', command: server.command });
    expect(database?.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual([
      '/run/stillpoint',
      '/var/lib/postgresql/data',
      '/wal',
    ]);
    expect(inspector).toMatchObject({ name: 'inspect', image: 'stillpoint:1' });
    expect(inspector?.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual([
      '/etc/stillpoint/restore',
      '/run/stillpoint',
    ]);
    expect(inspector?.args).toContain('60s');
  });

  test('runs where the original could, with what it had, and pulls its image as it did', () => {
    const resources = { requests: { memory: '4Gi' } };
    const spec = {
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'databases', operator: 'Exists' }],
      imagePullSecrets: [{ name: 'login' }],
      serviceAccountName: 'orders',
      containers: [
        { name: 'exporter', image: 'exporter:1' },
        { name: 'db', image: 'postgres:17', resources },
      ],
    };
    const pod = server17({ spec: { template: { spec } } });
    const { nodeSelector, tolerations, imagePullSecrets } = spec;
    expect(pod).toMatchObject({ nodeSelector, tolerations, imagePullSecrets });
    expect(pod).not.toHaveProperty('serviceAccountName');
    expect(firstOf(pod.containers).resources).toEqual(resources);
  });
});

describe('the volumes', () => {
  test('a claim is filled by dataSourceRef, and carries none of the labels of the original', () => {
    const plan = planOf();
    const { metadata, spec } = claimOf(plan, dataOf(plan), 'orders-db-data-20261121020417');
    expect(metadata).toEqual({
      name: 'copy-data',
      namespace: 'staging',
      labels: { ...ownLabels(plan), 'stillpoint.dev/volume': 'data' },
    });
    expect(spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fast',
      resources: { requests: { storage: '10Gi' } },
      dataSourceRef: {
        apiGroup: 'snapshot.storage.k8s.io',
        kind: 'VolumeSnapshot',
        name: 'orders-db-data-20261121020417',
      },
    });
  });

  test('a content retains what is the backup’s, and it and its snapshot point at each other', () => {
    const plan = planOf();
    const content = contentOf(plan, dataOf(plan), { driver: 'ebs.csi.aws.com', handle: 'snap-1' });
    const snapshot = snapshotOf(plan, dataOf(plan));
    expect(content.spec).toEqual({
      deletionPolicy: 'Retain',
      driver: 'ebs.csi.aws.com',
      source: { snapshotHandle: 'snap-1' },
      sourceVolumeMode: 'Filesystem',
      volumeSnapshotRef: { namespace: 'staging', name: 'copy-data' },
    });
    expect(snapshot.metadata).toMatchObject(content.spec.volumeSnapshotRef);
    expect(snapshot.spec).toEqual({ source: { volumeSnapshotContentName: content.metadata.name } });
    expect(content.metadata.name).toBe('stillpoint.staging.copy.data');
  });
});

describe('the journal', () => {
  test('hands on the whole record', () => {
    const plan = planOf();
    const record: unknown = parse(newJournal(plan).data?.['record.yaml'] ?? '');
    expect(fits(RECORD, record)).toBe(true);
    expect(record).toEqual(plan.record);
  });

  test('knows the same restore, and says how another one differs', () => {
    const journal = newJournal(planOf());
    expect(isOwn(journal, planOf())).toBe(true);
    expect(differenceFrom(journal, planOf())).toBeUndefined();
    expect(differenceFrom(journal, planOf({}, { sizes: ['20Gi'] }))).toBe('with other claims, sizes or classes');
    const ofAnother = { ...planOf(), record: { ...planOf().record, id: '20261122020417' } };
    expect(isOwn(journal, ofAnother)).toBe(false);
    expect(differenceFrom(journal, ofAnother)).toBe('of backup shop/orders-db/20261121020417');
  });

  test('keeps what was prepared', () => {
    const journal = newJournal(planOf());
    expect(preparedFiles(journal)).toBeUndefined();
    expect(preparedFiles({ ...journal, data: { ...journal.data, ...preparedEntry(prepared).data } })).toEqual(prepared);
  });
});
