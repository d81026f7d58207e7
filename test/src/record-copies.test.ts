import { basename, dirname } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupStorage, Registry } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Manifest, only } from './synth';

describe('copies of records', () => {
  const manifests = (() => {
    const chart = new Chart(Testing.app(), 'records');
    const credentials = Secret.fromSecretName(chart, 'store', 'record-store');
    const signingKey = Secret.fromSecretName(chart, 'key', 'record-key');
    const storage = BackupStorage.s3({ bucket: 'records', prefix: 'prod', credentials });
    new Registry(chart, 'registry', { namespaceName: 'records', recordCopies: { storage, signingKey } });
    return chart.toJson() as readonly Manifest[];
  })();

  it('are what the pruner is told of, with credentials and a key at places of their own', () => {
    const document = parse(only(manifests, 'ConfigMap', 'stillpoint-pruner').data['stores.yaml']);
    const { storage, signKeyFile } = document.spec.recordCopies;
    expect(document.spec.stores).toEqual([]);
    expect(storage).toMatchObject({ kind: 's3', prefix: 'prod', s3: { bucket: 'records' } });
    const pods = [
      only(manifests, 'CronJob', 'stillpoint-pruner').spec.jobTemplate.spec.template.spec,
      only(manifests, 'Deployment', 'stillpoint-pruner').spec.template.spec,
    ];
    for (const { containers, volumes } of pods) {
      expect(containers[0].args.join(' ')).toContain('--stores /etc/stillpoint/stores.yaml');
      const at = new Map(containers[0].volumeMounts.map(({ name, mountPath }: Manifest) => [mountPath, name]));
      const secretAt = (path: string) =>
        volumes.find(({ name }: Manifest) => name === at.get(path)).projected.sources[0].secret;
      expect(secretAt(storage.credentialsDirectory)).toMatchObject({ name: 'record-store', optional: true });
      expect(secretAt(dirname(signKeyFile))).toEqual({
        name: 'record-key',
        optional: true,
        items: [{ key: 'stillpoint.key', path: basename(signKeyFile) }],
      });
    }
  });

  it('lie where nothing is locked: a backup could not go before its copy', () => {
    const chart = new Chart(Testing.app(), 'records');
    const storage = BackupStorage.s3({ bucket: 'records', lockDays: 30 });
    expect(() => new Registry(chart, 'registry', { recordCopies: { storage } })).toThrow(
      /^the storage of recordCopies in bucket "records" has lockDays: 30, and .* would stay listed as deleting.*: leave lockDays out there; /,
    );
    // Backups themselves may be locked.
    new Registry(chart, 'other', { namespaceName: 'other', storages: [storage] });
  });

  it('take the right to know the namespace of the registry, and no other', () => {
    const rules = only(manifests, 'ClusterRole', 'stillpoint.records.stillpoint-pruner').rules;
    const namespaces = rules.filter(({ resources }: Manifest) => resources.includes('namespaces'));
    expect(namespaces).toEqual([
      { apiGroups: [''], resources: ['namespaces'], resourceNames: ['records'], verbs: ['get'] },
    ]);
    const without = new Chart(Testing.app(), 'without');
    new Registry(without, 'registry');
    expect(JSON.stringify(Testing.synth(without).filter(({ kind }) => kind === 'ClusterRole'))).not.toContain(
      '"namespaces"',
    );
  });
});
