import { ApiObject, Chart, Testing } from 'cdk8s';
import {
  BackupSchedule,
  GroupSnapshotClass,
  Registry,
  type RegistryProps,
  SnapshotClass,
  SnapshotDeletionPolicy,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { type Manifest, only, podOf } from './synth';

function synth(props: RegistryProps = {}): Manifest[] {
  // In a chart with a namespace: what is cluster-wide must not get it.
  const chart = new Chart(Testing.app(), 'registry', { namespace: 'elsewhere' });
  new Registry(chart, 'registry', props);
  return Testing.synth(chart);
}

describe('the registry', () => {
  it('is a namespace of its own, which no tool may prune', () => {
    const { metadata } = only(synth(), 'Namespace');
    expect(metadata.name).toBe('stillpoint');
    expect(metadata).not.toHaveProperty('namespace');
    expect(metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
    expect(metadata.annotations).toEqual({
      'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false',
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
    });
  });

  it('has a pruner, once an hour, in that namespace', () => {
    const cronJob = only(synth(), 'CronJob');
    expect(cronJob.metadata.namespace).toBe('stillpoint');
    expect(cronJob.spec.schedule).toMatch(/^\d+ \* \* \* \*$/);
    expect(cronJob.spec.concurrencyPolicy).toBe('Forbid');
    const { spec } = podOf(cronJob);
    expect(spec.containers[0].args).toEqual(['prune', '--registry', 'stillpoint']);
    expect(spec.serviceAccountName).toBe('stillpoint-pruner');
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
    expect(spec.containers[0].securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('has a Deployment that prunes when it is scaled to one, and says nothing of how many there are', () => {
    const deployment = only(synth(), 'Deployment');
    expect(deployment.metadata).toMatchObject({ name: 'stillpoint-pruner', namespace: 'stillpoint' });
    expect(deployment.spec).not.toHaveProperty('replicas');
    expect(deployment.spec.strategy).toEqual({ type: 'Recreate' });
    const { metadata, spec } = deployment.spec.template;
    expect(metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
    expect(podOf(only(synth(), 'CronJob')).metadata.labels).not.toMatchObject(deployment.spec.selector.matchLabels);
    expect(spec.containers[0].args).toEqual(['prune', '--registry', 'stillpoint', '--on-demand']);
    expect(spec).toMatchObject({ serviceAccountName: 'stillpoint-pruner', restartPolicy: 'Always' });
  });

  it('can have another name and rhythm', () => {
    const manifests = synth({ namespaceName: 'records', schedule: BackupSchedule.daily({ hour: 5, minute: 0 }) });
    expect(only(manifests, 'Namespace').metadata.name).toBe('records');
    expect(only(manifests, 'CronJob').spec.schedule).toBe('0 5 * * *');
    expect(podOf(only(manifests, 'CronJob')).spec.containers[0].args).toContain('records');
    for (const { kind, metadata } of manifests) {
      const wide = kind === 'Namespace' || /^(Cluster|ValidatingAdmission)/.test(kind);
      expect(metadata.namespace).toBe(wide ? undefined : 'records');
    }
  });
});

describe('the turns at the snapshot controller', () => {
  const names = (props: RegistryProps): string[] =>
    synth({ namespaceName: 'records', ...props })
      .filter(({ kind }) => kind === 'Lease')
      .map(({ metadata, spec }) => `${metadata.namespace}/${metadata.name} ${spec ?? 'without a spec'}`);

  it('are Leases of which nothing but the name comes from Git', () => {
    expect(names({})).toEqual(['records/stillpoint-slot-0 without a spec']);
    expect(names({ snapshotSlots: 2 })).toHaveLength(2);
    expect(names({ snapshotSlots: 0 })).toEqual([]);
  });
});

describe('the guard of the records', () => {
  const manifests = synth({ namespaceName: 'records', labels: { team: 'platform' } });
  const policy = only(manifests, 'ValidatingAdmissionPolicy', 'stillpoint.records.records');

  it('denies, and does so too when it cannot tell', () => {
    const binding = only(manifests, 'ValidatingAdmissionPolicyBinding', 'stillpoint.records.records');
    expect(binding.spec).toEqual({ policyName: policy.metadata.name, validationActions: ['Deny'] });
    expect(policy.spec.failurePolicy).toBe('Fail');
    for (const { metadata } of [policy, binding]) {
      expect(metadata.name).toBe('stillpoint.records.records');
      expect(metadata.labels.team).toBe('platform');
    }
  });

  it("is asked for each write to a ConfigMap in the registry's namespace, and nowhere else", () => {
    expect(policy.spec.matchConstraints).toEqual({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'records' } },
      resourceRules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
      ],
    });
  });

  it('holds service accounts that may not delete there, whatever they call their record', () => {
    const conditions = new Map(policy.spec.matchConditions.map(({ name, expression }: Manifest) => [name, expression]));
    expect([...conditions.keys()]).toEqual(['record', 'service-account', 'no-keeper']);
    for (const part of ['object', 'oldObject']) {
      expect(conditions.get('record')).toContain(
        `${part}.metadata.?labels[?"stillpoint.dev/component"].orValue("") == "record" || ${part}.metadata.name.matches(`,
      );
    }
    expect(conditions.get('no-keeper')).toBe(
      '!authorizer.group("").resource("configmaps").namespace("records").check("delete").allowed()',
    );
  });

  it('can be left out for clusters that do not have it', () => {
    const kinds = synth({ admissionPolicy: false }).map(({ kind }) => kind);
    expect(kinds).toContain('CronJob');
    expect(kinds.filter((kind) => kind.startsWith('ValidatingAdmission'))).toEqual([]);
  });
});

describe('the guard of the Secrets', () => {
  const { spec } = only(synth({ namespaceName: 'records' }), 'ValidatingAdmissionPolicy', 'stillpoint.records.secrets');

  it('holds service accounts that may not delete Secrets there', () => {
    expect(spec.matchConstraints).toEqual({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'records' } },
      resourceRules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['secrets'] },
      ],
    });
    expect(spec.matchConditions.map(({ expression }: Manifest) => expression)).toEqual([
      expect.stringContaining('system:serviceaccount:'),
      '!authorizer.group("").resource("secrets").namespace("records").check("delete").allowed()',
    ]);
  });

  it('lets them make new ones alone, under names of their own namespace, and of one type', () => {
    const [name, type] = spec.validations.map(({ expression }: Manifest) => expression);
    expect(name).toContain('oldObject == null && object.metadata.name.startsWith(variables.own + ".")');
    expect(type).toContain('object.?type.orValue("") == "Opaque"');
  });
});

describe('the guard of the contents', () => {
  const manifests = synth({ namespaceName: 'records' });
  const policy = only(manifests, 'ValidatingAdmissionPolicy', 'stillpoint.records.contents');

  it('is asked for each content that is made, changed or deleted, and denies too when it cannot tell', () => {
    expect(policy.spec.failurePolicy).toBe('Fail');
    expect(policy.spec.matchConstraints.resourceRules).toEqual([
      {
        apiGroups: ['snapshot.storage.k8s.io'],
        apiVersions: ['*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        resources: ['volumesnapshotcontents'],
      },
    ]);
    expect(only(manifests, 'ValidatingAdmissionPolicyBinding', policy.metadata.name).spec).toEqual({
      policyName: policy.metadata.name,
      validationActions: ['Deny'],
    });
  });

  it('holds service accounts that may make contents and not delete them, and those of imports and clones: not the controllers of the cluster', () => {
    const conditions = new Map(policy.spec.matchConditions.map(({ name, expression }: Manifest) => [name, expression]));
    expect([...conditions.keys()]).toEqual(['service-account', 'no-keeper']);
    const can = (verb: string): string =>
      `authorizer.group("snapshot.storage.k8s.io").resource("volumesnapshotcontents").check("${verb}").allowed()`;
    expect(conditions.get('no-keeper')).toBe(
      `${can('create')} && (!${can('delete')} || request.userInfo.username.split(":")[3].startsWith("stillpoint-held-"))`,
    );
  });
});

describe('the guard of the namespace', () => {
  const NAME = 'stillpoint.records.namespace';
  const made = (props: RegistryProps): Manifest[] =>
    synth({ namespaceName: 'records', ...props }).filter(({ metadata }) => metadata.name === NAME);

  it('is asked when that is deleted, and says no until it is labelled', () => {
    const [policy, binding] = made({});
    expect(policy?.spec).toMatchObject({
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ operations: ['DELETE'], resources: ['namespaces'], resourceNames: ['records'] }],
      },
      validations: [
        {
          expression: 'oldObject.metadata.?labels[?"stillpoint.dev/removable"].orValue("") == "true"',
          reason: 'Forbidden',
        },
      ],
    });
    // The watch of a parameter's kind may stop for good.
    expect(policy?.spec).not.toHaveProperty('paramKind');
    expect(binding?.spec).toEqual({ policyName: NAME, validationActions: ['Deny'] });
  });

  it('can be left out, alone or with the others', () => {
    expect(made({ keepNamespace: false })).toEqual([]);
    expect(made({ admissionPolicy: false })).toEqual([]);
    expect(synth({ keepNamespace: false }).map(({ kind }) => kind)).toContain('ValidatingAdmissionPolicy');
  });
});

describe('snapshot classes', () => {
  const synthClass = (deletionPolicy?: SnapshotDeletionPolicy): Manifest[] => {
    const chart = new Chart(Testing.app(), 'classes', { namespace: 'elsewhere' });
    const props = { driver: 'disk.csi.example.com', ...(deletionPolicy === undefined ? {} : { deletionPolicy }) };
    expect(ApiObject.of(new SnapshotClass(chart, 'kept', props)).name).toBe('kept');
    new GroupSnapshotClass(chart, 'kept-group', { ...props, parameters: { tier: 'cold' } });
    return Testing.synth(chart);
  };

  it('retain unless they are told otherwise', () => {
    const manifests = synthClass();
    expect(only(manifests, 'VolumeSnapshotClass')).toEqual({
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotClass',
      metadata: { name: 'kept' },
      driver: 'disk.csi.example.com',
      deletionPolicy: 'Retain',
    });
    expect(only(manifests, 'VolumeGroupSnapshotClass')).toEqual({
      apiVersion: 'groupsnapshot.storage.k8s.io/v1',
      kind: 'VolumeGroupSnapshotClass',
      metadata: { name: 'kept-group' },
      driver: 'disk.csi.example.com',
      deletionPolicy: 'Retain',
      parameters: { tier: 'cold' },
    });
    expect(synthClass(SnapshotDeletionPolicy.DELETE).map((object) => object.deletionPolicy)).toEqual([
      'Delete',
      'Delete',
    ]);
  });

  it('can be the default of their driver', () => {
    const chart = new Chart(Testing.app(), 'classes');
    new SnapshotClass(chart, 'kept', { driver: 'disk.csi.example.com', isDefault: true, name: 'kept-2' });
    expect(only(Testing.synth(chart), 'VolumeSnapshotClass').metadata).toEqual({
      name: 'kept-2',
      annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' },
    });
  });
});
