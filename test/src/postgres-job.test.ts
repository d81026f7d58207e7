/** What a policy for PostgreSQL runs: its CronJob, the pod, and a Job outside the schedule. */
import { ApiObject, Duration, Size, Testing } from 'cdk8s';
import { Cpu, ImagePullPolicy, Secret } from 'cdk8s-plus-28';
import { BackupJob, BackupTrigger } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { jobConfig, type Manifest, only, podOf, policy, shop, synth } from './synth';

describe('the CronJob', () => {
  it('is the main child, for escape hatches', () => {
    const chart = shop();
    expect(ApiObject.of(policy(chart)).kind).toBe('CronJob');
  });

  it('starts one backup at a time, up to an hour late, and ends it after an hour', () => {
    const { spec } = only(synth(), 'CronJob');
    expect(spec).toMatchObject({
      schedule: '11 2 * * *',
      timeZone: 'Etc/UTC',
      suspend: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
    });
    expect(spec.jobTemplate.spec).toMatchObject({ activeDeadlineSeconds: 3600, backoffLimit: 2 });
    expect(spec.jobTemplate.spec).not.toHaveProperty('ttlSecondsAfterFinished');
  });

  it('does not repeat what no repetition mends, nor counts what is nobody’s failure', () => {
    expect(only(synth(), 'CronJob').spec.jobTemplate.spec.podFailurePolicy.rules).toEqual([
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      {
        action: 'FailJob',
        onExitCodes: { containerName: 'runner', operator: 'In', values: [2] },
        onPodConditions: [],
      },
    ]);
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].name).toBe('runner');
  });

  it('takes what the policy says otherwise', () => {
    const { spec } = only(
      synth({
        timeZone: 'Asia/Tokyo',
        suspend: true,
        startingDeadline: Duration.minutes(5),
        successfulJobsRetained: 1,
        failedJobsRetained: 9,
        deadline: Duration.hours(3),
      }),
      'CronJob',
    );
    expect(spec).toMatchObject({
      timeZone: 'Asia/Tokyo',
      suspend: true,
      startingDeadlineSeconds: 300,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 9,
    });
    expect(spec.jobTemplate.spec.activeDeadlineSeconds).toBe(10_800);
  });

  it('runs the runner on the mounted job config, and under its own account', () => {
    const pod = podOf(only(synth(), 'CronJob')).spec;
    expect(pod.serviceAccountName).toBe('orders-db-backup');
    expect(pod.containers[0].args).toEqual(['run', '--config', '/etc/stillpoint/backup.yaml']);
    expect(pod.containers[0]).not.toHaveProperty('command');
    expect(pod.containers[0].volumeMounts[0]).toEqual({ name: 'config', mountPath: '/etc/stillpoint', readOnly: true });
    expect(pod.volumes[0]).toEqual({ name: 'config', configMap: { name: 'orders-db-backup' } });
  });
});

describe('the pod', () => {
  it('is within the Pod Security Standard restricted', () => {
    const { spec } = podOf(only(synth(), 'CronJob'));
    expect(spec.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(spec.containers).toHaveLength(1);
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
      expect(spec).not.toHaveProperty(forbidden);
    }
    expect(spec.restartPolicy).toBe('Never');
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(30);
    expect(spec.enableServiceLinks).toBe(false);
  });

  it('has names in its environment and nothing else', () => {
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].env).toEqual([
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    ]);
  });

  it('mounts everything read-only', () => {
    const { containers } = podOf(only(synth(), 'CronJob')).spec;
    for (const mount of containers[0].volumeMounts) expect(mount.readOnly).toBe(true);
  });

  it('asks for little, and is not throttled while it holds a database', () => {
    expect(podOf(only(synth(), 'CronJob')).spec.containers[0].resources).toEqual({
      requests: { cpu: '100m', memory: '64Mi' },
      limits: { memory: '256Mi' },
    });
  });

  it('goes where the policy wants it', () => {
    const chart = shop();
    policy(chart, {
      image: 'mirror.example.com/stillpoint@sha256:0123',
      imagePullPolicy: ImagePullPolicy.ALWAYS,
      imagePullSecrets: [Secret.fromSecretName(chart, 'pull', 'mirror')],
      resources: { cpu: { request: Cpu.millis(100), limit: Cpu.units(1) }, memory: { limit: Size.gibibytes(1) } },
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'backup', operator: 'Exists' }],
      priorityClassName: 'high',
      labels: { team: 'orders' },
      annotations: { 'example.com/owner': 'orders' },
    });
    const manifests = Testing.synth(chart);
    const pod = podOf(only(manifests, 'CronJob'));
    expect(pod.spec).toMatchObject({
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'backup', operator: 'Exists' }],
      priorityClassName: 'high',
      imagePullSecrets: [{ name: 'mirror' }],
    });
    expect(pod.spec.containers[0]).toMatchObject({
      image: 'mirror.example.com/stillpoint@sha256:0123',
      imagePullPolicy: 'Always',
      resources: { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '1Gi' } },
    });
    for (const { metadata } of [...manifests, pod, only(manifests, 'CronJob').spec.jobTemplate]) {
      expect(metadata.labels).toMatchObject({ team: 'orders', 'stillpoint.dev/database': 'orders-db' });
      expect(metadata.annotations).toEqual({ 'example.com/owner': 'orders' });
    }
  });
});

describe('a backup outside the schedule', () => {
  const jobs = (change: Parameters<typeof policy>[1] = {}, trigger?: BackupTrigger): Manifest[] => {
    const chart = shop();
    const backup = policy(chart, change);
    new BackupJob(chart, 'release-42', { backup, ...(trigger === undefined ? {} : { trigger }) });
    return Testing.synth(chart);
  };

  it('is a Job with a config of its own, run as the policy says', () => {
    const manifests = jobs({}, BackupTrigger.PRE_DEPLOYMENT);
    const job = only(manifests, 'Job');
    expect(job.metadata.name).toMatch(/^orders-db-backup-release-42-[0-9a-f]{8}$/);
    expect(job.spec).not.toHaveProperty('ttlSecondsAfterFinished');
    expect(job.spec.template.spec.volumes[0].configMap.name).toBe(job.metadata.name);
    const config = only(manifests, 'ConfigMap', job.metadata.name);
    expect(jobConfig([config]).spec).toMatchObject({ trigger: 'pre-deployment', database: 'orders-db' });
    expect(jobConfig([only(manifests, 'ConfigMap', 'orders-db-backup')]).spec.trigger).toBeUndefined();
    const cronPod = podOf(only(manifests, 'CronJob')).spec;
    expect({ ...job.spec.template.spec, volumes: [] }).toEqual({ ...cronPod, volumes: [] });
  });

  it('is another Job when it says something else, and the same when it does not', () => {
    const name = (manifests: Manifest[]): string => only(manifests, 'Job').metadata.name;
    expect(name(jobs())).toBe(name(jobs()));
    const others = [
      jobs({ image: 'stillpoint:next' }),
      jobs({ host: 'orders-db-rw' }),
      jobs({ budget: Duration.seconds(5) }),
      jobs({}, BackupTrigger.PRE_DEPLOYMENT),
    ];
    expect(new Set([jobs(), ...others].map(name)).size).toBe(5);
  });

  it('must have a name that fits', () => {
    const chart = shop();
    const backup = policy(chart, { name: 'a'.repeat(52) });
    expect(() => new BackupJob(chart, 'release-42', { backup })).toThrow(/with 72 characters, and a Job may have 63/);
  });
});
