/** What a policy is made into whose freeze outlives its session: that engines have it is said in their own tests. */
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { BackupJob, BackupSchedule, BackupVolume, SnapshotClass } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import type { DatabaseBackupProps } from '../../src/backup-props';
import { LABELS } from '../../src/contract';
import { DatabaseBackup } from '../../src/database-backup';
import type { EngineDefinition } from '../../src/job-config';
import { jobConfig, type Manifest, only, podOf, shop } from './synth';

class Guarded extends DatabaseBackup {
  protected override _engine(): EngineDefinition {
    return { engine: 'postgres', defaultPort: 1, layout: 'auto', options: {}, guarded: true };
  }
}

const props = (scope: Construct): DatabaseBackupProps => ({
  host: 'sessions',
  credentials: Secret.fromSecretName(scope, 'login', 'sessions-login'),
  volumes: [BackupVolume.fromClaimName('data-sessions-0')],
  snapshotClass: SnapshotClass.fromName('retained'),
  schedule: BackupSchedule.daily({ hour: 2 }),
});

function guarded(chart: Chart, changes: Partial<DatabaseBackupProps> = {}): DatabaseBackup {
  return new Guarded(chart, 'sessions', { ...props(chart), ...changes });
}

function synth(): Manifest[] {
  const chart = shop();
  guarded(chart);
  return Testing.synth(chart);
}

describe('a policy with a guard', () => {
  it('makes Jobs of two pods, which the runner alone can make succeed, and each is tried again for itself', () => {
    const { spec } = only(synth(), 'CronJob').spec.jobTemplate;
    expect(spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimitPerIndex: 2,
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
    });
    expect(spec.backoffLimit).toBeUndefined();
  });

  it('prefers another node for the guard than the runner has', () => {
    const manifests = synth();
    const pod = podOf(only(manifests, 'CronJob'));
    const [{ podAffinityTerm }] = pod.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(podAffinityTerm.topologyKey).toBe('kubernetes.io/hostname');
    expect(pod.metadata.labels).toMatchObject(podAffinityTerm.labelSelector.matchLabels);
    expect(podAffinityTerm.labelSelector.matchLabels[LABELS.database]).toBe('sessions');
  });

  it('tells the runner so, and gives its account the Lease where they meet, and that one alone', () => {
    const manifests = synth();
    expect(jobConfig(manifests).spec.guarded).toBe(true);
    const { rules } = only(manifests, 'Role', 'sessions-backup');
    const leases = rules.filter(({ resources }: Manifest) => resources.includes('leases'));
    expect(leases).toContainEqual({
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['get', 'list', 'watch', 'update'],
      resourceNames: ['stillpoint-sessions.guard'],
    });
    expect(rules.some(({ resources, verbs }: Manifest) => resources.includes('pods') && verbs.includes('create'))).toBe(
      false,
    );
  });

  it('has a name that leaves room for the index of a pod', () => {
    expect(() => guarded(shop(), { name: 'a'.repeat(50) })).not.toThrow();
    expect(() => guarded(shop(), { name: 'a'.repeat(51) })).toThrow(
      /51 characters, and one whose Jobs have a guard may have 50/,
    );
  });

  it('is taken outside its schedule by a Job of the same kind, whose name leaves that room too', () => {
    const chart = shop();
    const backup = guarded(chart);
    new BackupJob(chart, 'now', { backup });
    const { spec } = only(Testing.synth(chart), 'Job');
    expect(spec).toMatchObject({ completions: 2, successPolicy: { rules: [{ succeededIndexes: '0' }] } });
    const long = guarded(new Chart(chart, 'long', { namespace: 'shop' }), { name: 'a'.repeat(50) });
    expect(() => new BackupJob(chart, 'ab', { backup: long })).toThrow(
      /62 characters, and a Job with a guard may have 61/,
    );
    expect(() => new BackupJob(chart, 'a', { backup: long })).not.toThrow();
  });
});
