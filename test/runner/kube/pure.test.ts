import { describe, expect, test } from 'vitest';
import type { Container, ContainerStatus, Job, Pod, Workload } from '../../../runner/kube/objects';
import { missingVerbs } from '../../../runner/kube/rules';
import { runOf } from '../../../runner/kube/run';
import { mountsOf, recordedWorkload, runningIn, serverContainer, startsIn } from '../../../runner/kube/workload';
import type { AccessNeed } from '../../../src/contract';

describe('rights', () => {
  const need: AccessNeed = { scope: 'database', apiGroup: '', resource: 'pods', verbs: ['get', 'list'], why: 'look' };
  const rule = (verbs: string[], more: object = {}) => ({ verbs, apiGroups: [''], resources: ['pods'], ...more });

  test.each<[string, readonly object[], readonly string[], AccessNeed?]>([
    ['nothing is granted', [], ['get', 'list']],
    ['all is granted', [rule(['get', 'list'])], []],
    ['all is granted by stars', [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], []],
    ['one verb each', [rule(['get']), rule(['list'])], []],
    ['another group', [rule(['get', 'list'], { apiGroups: ['apps'] })], ['get', 'list']],
    ['only for one name', [rule(['get', 'list'], { resourceNames: ['a'] })], ['get', 'list']],
    [
      'for the names that are needed',
      [rule(['get', 'list'], { resourceNames: ['a', 'b'] })],
      [],
      { ...need, names: ['a'] },
    ],
    [
      'for some of the names',
      [rule(['get', 'list'], { resourceNames: ['a'] })],
      ['get', 'list'],
      { ...need, names: ['a', 'b'] },
    ],
    ['for all, where names are needed', [rule(['get', 'list'])], [], { ...need, names: ['a'] }],
  ])('%s', (_, rules, missing, needed = need) => {
    expect(missingVerbs(needed, rules as Parameters<typeof missingVerbs>[1])).toEqual(missing);
  });
});

describe('the pod of a server', () => {
  const container = (name: string, mounts: Record<string, string>, more: Partial<Container> = {}): Container => ({
    name,
    image: `${name}:1`,
    volumeMounts: Object.entries(mounts).map(([volume, mountPath]) => ({ name: volume, mountPath })),
    ...more,
  });
  const pod: Pod = {
    metadata: { name: 'db-0', uid: 'p1' },
    spec: {
      containers: [
        container('exporter', { scratch: '/tmp', backup: '/backup' }, { env: [{ name: 'DSN', value: 'pw-in-env' }] }),
        container(
          'postgres',
          { data: '/var/lib/postgresql/data', scratch: '/run' },
          {
            env: [{ name: 'POSTGRES_PASSWORD', value: 'pw-in-env' }],
            command: ['postgres', '--password=pw-in-args'],
            securityContext: { runAsUser: 999 },
          },
        ),
      ],
      volumes: [
        { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } },
        { name: 'backup', persistentVolumeClaim: { claimName: 'backups' } },
        { name: 'scratch', emptyDir: {} },
        { name: 'own', ephemeral: {} },
      ],
      securityContext: { fsGroup: 999 },
    },
  };

  test('has its server in the container that mounts the claims of the policy', () => {
    expect(serverContainer(pod, ['data-db-0'])?.name).toBe('postgres');
    expect(serverContainer(pod, [])?.name).toBe('exporter');
  });

  test('shows what the server sees, and the claims of the others under their names', () => {
    expect(mountsOf(pod, serverContainer(pod, ['data-db-0']))).toEqual([
      { path: '/var/lib/postgresql/data', volume: 'data', claim: 'data-db-0' },
      { path: '/run', volume: 'scratch', claim: undefined },
      { path: 'exporter:/backup', volume: 'backup', claim: 'backups' },
    ]);
  });

  test('says which starts of its containers run', () => {
    const running = { name: 'postgres', containerID: 'containerd://2', state: { running: {} } };
    const ended = {
      name: 'exporter',
      containerID: 'containerd://1',
      state: { waiting: { reason: 'CrashLoopBackOff' } },
    };
    expect(runningIn({ ...pod, status: { containerStatuses: [running, ended] } })).toEqual({
      postgres: 'containerd://2',
    });
    expect(runningIn(pod)).toEqual({});
  });

  test.each<[string, Omit<ContainerStatus, 'name'>, number]>([
    ['the first', { restartCount: 0, state: { running: {} } }, 0],
    ['the first, which is about to be', { restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } }, 0],
    ['the third', { restartCount: 2, state: { running: {} }, lastState: { terminated: { exitCode: 1 } } }, 2],
    ['the second, after an end', { restartCount: 0, state: { terminated: { exitCode: 1 } } }, 1],
    [
      'the fourth, after a pause',
      {
        restartCount: 2,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 1 } },
      },
      3,
    ],
  ])('says which start of a container runs, or is the next: %s', (_, status, start) => {
    expect(startsIn({ ...pod, status: { containerStatuses: [{ name: 'postgres', ...status }] } })).toEqual({
      postgres: start,
    });
  });

  test('is recorded without anything that may be a secret', () => {
    const { metadata, spec } = pod;
    const owner: Workload = {
      metadata: { name: 'db', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'pw-in-annotation' } },
      spec: {
        replicas: 1,
        template: { metadata: { ...metadata, annotations: { note: 'pw-in-annotation' } }, spec },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
      },
    };
    const recorded = recordedWorkload(pod, serverContainer(pod, ['data-db-0']), {
      kind: 'StatefulSet',
      name: 'db',
      object: owner,
    });
    expect(recorded).toMatchObject({
      kind: 'StatefulSet',
      name: 'db',
      pod: 'db-0',
      image: 'postgres:1',
      podSecurity: { fsGroup: 999 },
      containerSecurity: { runAsUser: 999 },
      spec: { replicas: 1, volumeClaimTemplates: [{ metadata: { name: 'data' } }] },
    });
    expect(JSON.stringify(recorded)).not.toMatch(/pw-in/);
  });
});

describe('a run', () => {
  const pod: Pod = { metadata: { name: 'now-abc' }, spec: { containers: [{ name: 'runner', image: 'stillpoint:1' }] } };
  const job = (more: Partial<Job['metadata']> = {}): Job => ({
    metadata: { name: 'now', uid: 'j1', creationTimestamp: '2026-01-02T03:04:05Z', ...more },
    spec: { template: { spec: { containers: [] } } },
  });
  const owned = { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'orders-db', uid: 'c1' }] };

  test('has its id from the time of its Job', () => {
    expect(runOf(pod, job())).toEqual({
      id: '20260102030405',
      owner: { jobUid: 'j1', jobName: 'now', pod: 'now-abc' },
      trigger: 'manual',
      image: 'stillpoint:1',
    });
  });

  test.each([
    ['a Job of the CronJob', owned, undefined, 'scheduled'],
    [
      'a Job that a person made of the CronJob',
      { ...owned, annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' } },
      'scheduled',
      'manual',
    ],
    ['a Job whose config says so', {}, 'pre-deployment', 'pre-deployment'],
    ['a Job of its own', {}, undefined, 'manual'],
  ] as const)('%s', (_, more, configured, trigger) => {
    expect(runOf(pod, job(more), configured).trigger).toBe(trigger);
  });
});
