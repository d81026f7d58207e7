import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import { KubernetesEvents } from '../../../runner/kube/events';
import { KubernetesPlatform } from '../../../runner/kube/platform';
import { jobOfPod } from '../../../runner/kube/run';
import { apply, eventsOn, KINDS, list, read } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect } from './fixture';

let space: TestNamespace;
let client: KubeClient;

const IDLE = { command: ['node', '-e', 'setInterval(() => {}, 1e6)'], image: 'node:24' };
const claimTemplate = (name: string): object => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
});

beforeAll(async () => {
  space = await makeNamespace('platform');
  client = await connect();
  await apply([
    {
      ...KINDS.statefulSet,
      metadata: { name: 'db', namespace: space.name },
      spec: {
        serviceName: 'db',
        selector: { matchLabels: { app: 'db' } },
        template: {
          metadata: { labels: { app: 'db' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            securityContext: { fsGroup: 1000 },
            containers: [
              {
                ...IDLE,
                name: 'server',
                env: [{ name: 'PASSWORD', value: 'hidden-in-env' }],
                volumeMounts: [
                  { name: 'data', mountPath: '/data' },
                  { name: 'wal', mountPath: '/data/wal', subPath: 'wal' },
                ],
              },
            ],
          },
        },
        volumeClaimTemplates: [claimTemplate('data'), claimTemplate('wal')],
      },
    } as object,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'bare', namespace: space.name },
      spec: {
        selector: { matchLabels: { app: 'bare' } },
        template: {
          metadata: { labels: { app: 'bare' } },
          spec: { terminationGracePeriodSeconds: 1, containers: [{ ...IDLE, name: 'server' }] },
        },
      },
    } as object,
  ]);
});

afterAll(() => space[Symbol.asyncDispose]());

const platform = (): KubernetesPlatform =>
  new KubernetesPlatform(client, { namespace: space.name, needs: [], hints: { needed: '', optional: '' } });
const addressOf = (app: string): Promise<{ readonly name: string; readonly uid: string; readonly ip: string }> =>
  eventually(
    `the pod of ${app} runs`,
    async () => {
      const [pod] = await list(KINDS.pod, space.name, `app=${app}`);
      if (pod?.status?.phase !== 'Running' || pod.status.podIP === undefined) return undefined;
      return { name: `${pod.metadata?.name}`, uid: `${pod.metadata?.uid}`, ip: pod.status.podIP };
    },
    { seconds: 120 },
  );

test('volumes are found by claim, by StatefulSet and by label, with what a restore needs', async () => {
  await addressOf('db');
  const selections = [
    { name: 'data', role: 'data', statefulSet: { name: 'db', volumeClaimTemplate: 'data', ordinal: 0 } },
    { name: 'wal', role: 'log', claim: 'wal-db-0' },
  ] as const;
  const [data, wal] = await platform().resolveVolumes(selections);
  const claim = await read(KINDS.claim, 'data-db-0', space.name);
  const volume = await read(KINDS.volume, claim?.spec.volumeName);
  expect(data).toEqual({
    name: 'data',
    role: 'data',
    namespace: space.name,
    claim: 'data-db-0',
    claimUid: claim?.metadata?.uid,
    persistentVolume: claim?.spec.volumeName,
    volumeHandle: volume?.spec.csi.volumeHandle,
    driver: 'disk.test',
    storageClass: 'disk',
    accessModes: ['ReadWriteOnce'],
    capacity: '64Mi',
    volumeMode: 'Filesystem',
    claimLabels: { app: 'db' },
    claimSpec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '64Mi' } },
      storageClassName: 'disk',
      volumeMode: 'Filesystem',
    },
  });
  expect(wal?.claim).toBe('wal-db-0');
  const byLabel = await platform().resolveVolumes([{ name: 'all', role: 'data', matchLabels: { app: 'db' } }]);
  expect(byLabel.map((each) => [each.name, each.claim])).toEqual([
    ['all-0', 'data-db-0'],
    ['all-1', 'wal-db-0'],
  ]);
});

test('a claim that is not there, is said so', async () => {
  await expect(platform().resolveVolumes([{ name: 'data', role: 'data', claim: 'nothing' }])).rejects.toMatchObject({
    code: 'claim-not-found',
    message: `there is no claim ${space.name}/nothing for volume data`,
  });
  await expect(
    platform().resolveVolumes([{ name: 'data', role: 'data', matchLabels: { app: 'nothing' } }]),
  ).rejects.toMatchObject({ code: 'claim-not-found' });
});

test('a server is traced from its address to its pod, its mounts and what made it', async () => {
  const pod = await addressOf('db');
  const found = platform();
  await found.resolveVolumes([{ name: 'data', role: 'data', claim: 'data-db-0' }]);
  const place = await found.placeOf(`${pod.ip}/32`);
  expect(place).toMatchObject({ uid: pod.uid, name: `pod ${space.name}/${pod.name}`, node: expect.any(String) });
  expect(place?.mounts).toEqual(
    expect.arrayContaining([
      { path: '/data', volume: 'data', claim: 'data-db-0' },
      { path: '/data/wal', volume: 'wal', claim: 'wal-db-0', subPath: 'wal' },
    ]),
  );
  expect(place?.workload).toMatchObject({
    kind: 'StatefulSet',
    name: 'db',
    pod: pod.name,
    image: 'node:24',
    podSecurity: { fsGroup: 1000 },
    spec: { serviceName: 'db', volumeClaimTemplates: [{ metadata: { name: 'data' } }, { metadata: { name: 'wal' } }] },
  });
  expect(JSON.stringify(place)).not.toContain('hidden-in-env');
  const before = client.requestCount;
  await found.placeOf(pod.ip);
  expect(client.requestCount - before).toBe(1);
});

test('a server of a Deployment is traced to that; an address that no pod has leads nowhere', async () => {
  const place = await platform().placeOf((await addressOf('bare')).ip);
  expect(place?.workload).toMatchObject({ kind: 'Deployment', name: 'bare' });
  expect(await platform().placeOf('192.0.2.1')).toBeUndefined();
  expect(await platform().placeOf(undefined)).toBeUndefined();
});

test('a server that knows only the name of its host is traced by that, with the address to confirm it at', async () => {
  const pod = await addressOf('db');
  expect(await platform().placeOf(undefined, pod.name)).toMatchObject({ uid: pod.uid, address: pod.ip });
  expect((await platform().placeOf(pod.ip))?.address).toBeUndefined();
  expect(await platform().placeOf(undefined, 'elsewhere-0')).toBeUndefined();
});

test('the cluster is named by the UID of kube-system', async () => {
  expect(await platform().clusterUid()).toBe((await read(KINDS.namespace, 'kube-system'))?.metadata?.uid);
});

test('a run knows its Job, and says on it what happens', async () => {
  const spec = { template: { spec: { restartPolicy: 'Never', containers: [{ ...IDLE, name: 'runner' }] } } };
  await apply([{ ...KINDS.job, metadata: { name: 'now', namespace: space.name }, spec } as object]);
  const pod = await eventually('its pod is there', async () => {
    return (await list(KINDS.pod, space.name, 'batch.kubernetes.io/job-name=now'))[0];
  });
  const job = await read(KINDS.job, 'now', space.name);
  const name = `${pod.metadata?.name}`;
  const run = await jobOfPod(client, { name, namespace: space.name });
  const created = new Date(`${job?.metadata?.creationTimestamp}`).toISOString();
  expect(run).toEqual({
    id: created.replace(/[-:T]/g, '').slice(0, 14),
    owner: { jobUid: job?.metadata?.uid, jobName: 'now', pod: name },
    trigger: 'manual',
    image: 'node:24',
  });
  const events = new KubernetesEvents(client, { namespace: space.name, run, clock: systemClock });
  await events.emit('Normal', 'Starting', 'Backup x running');
  await events.emit('Warning', 'FailedSnapshot', 'y'.repeat(5000));
  const said = await eventsOn(KINDS.job, 'now', space.name);
  expect(said).toContain('Normal Starting: Backup x running');
  expect(said.some((each) => /^Warning FailedSnapshot: y{1000}/.test(each))).toBe(true);
  const [other] = await list(KINDS.pod, space.name, 'app=bare');
  await expect(jobOfPod(client, { name: `${other?.metadata?.name}`, namespace: space.name })).rejects.toMatchObject({
    code: 'usage-invalid',
  });
});
