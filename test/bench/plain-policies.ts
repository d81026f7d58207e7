/**
 * The objects of a policy, written down with cdk8s-plus alone, as somebody would who had no construct for them: what the
 * bench compares with. That they are the same objects is checked there, byte for byte.
 */
import { Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { stringify } from 'yaml';

const SNAPSHOTS = 'snapshot.storage.k8s.io';
const RBAC = 'rbac.authorization.k8s.io';

/** Adds the objects of one policy to a chart of the namespace. */
export function plainPolicy(chart: Construct, namespace: string, database: string, minute: string): void {
  const scope = new Construct(chart, database);
  const name = `${database}-backup`;
  const elsewhere = `stillpoint.${namespace}.${name}`;
  const labels = {
    'app.kubernetes.io/managed-by': 'stillpoint',
    'stillpoint.dev/component': 'backup',
    'stillpoint.dev/database': database,
  };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const own = { name, namespace, labels };
  const inRegistry = { name: elsewhere, namespace: 'stillpoint', labels };
  const inCluster = { name: elsewhere, namespace: Lazy.any({ produce: () => undefined }) as string, labels };
  new k8s.KubeServiceAccount(scope, 'ServiceAccount', { metadata: own, automountServiceAccountToken: false });
  new k8s.KubeRole(scope, 'Role', { metadata: own, rules: databaseRules(database) });
  new k8s.KubeRoleBinding(scope, 'RoleBinding', {
    metadata: own,
    roleRef: { apiGroup: RBAC, kind: 'Role', name },
    subjects,
  });
  new k8s.KubeRole(scope, 'RegistryRole', {
    metadata: inRegistry,
    rules: [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'get', 'list', 'update'] },
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        verbs: ['get', 'list', 'watch', 'update'],
        resourceNames: ['stillpoint-slot-0'],
      },
    ],
  });
  new k8s.KubeRoleBinding(scope, 'RegistryRoleBinding', {
    metadata: inRegistry,
    roleRef: { apiGroup: RBAC, kind: 'Role', name: elsewhere },
    subjects,
  });
  new k8s.KubeClusterRole(scope, 'ClusterRole', { metadata: inCluster, rules: clusterRules() });
  new k8s.KubeClusterRoleBinding(scope, 'ClusterRoleBinding', {
    metadata: inCluster,
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: elsewhere },
    subjects,
  });
  new k8s.KubeConfigMap(scope, 'Config', {
    metadata: own,
    data: { 'backup.yaml': stringify(config(namespace, database, name), { lineWidth: 0 }) },
  });
  cronJob(scope, own, database, minute);
}

function databaseRules(database: string): k8s.PolicyRule[] {
  return [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['persistentvolumeclaims'], resourceNames: [`data-${database}-0`], verbs: ['get'] },
    { apiGroups: ['apps'], resources: ['statefulsets'], verbs: ['get'] },
    { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['get'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] },
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'] },
    {
      apiGroups: [SNAPSHOTS],
      resources: ['volumesnapshots'],
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
    },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: [`stillpoint-${database}`],
      verbs: ['get', 'update'],
    },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get'] },
    { apiGroups: [''], resources: ['events'], verbs: ['create'] },
  ];
}

function clusterRules(): k8s.PolicyRule[] {
  return [
    { apiGroups: [SNAPSHOTS], resources: ['volumesnapshotclasses'], resourceNames: ['retained'], verbs: ['get'] },
    { apiGroups: [SNAPSHOTS], resources: ['volumesnapshotcontents'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get'] },
    { apiGroups: [''], resources: ['namespaces'], resourceNames: ['kube-system', 'stillpoint'], verbs: ['get'] },
  ];
}

function config(namespace: string, database: string, name: string): object {
  return {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'BackupConfig',
    metadata: { name, namespace },
    spec: {
      engine: 'postgres',
      database,
      connection: {
        host: database,
        port: 5432,
        database: 'postgres',
        usernameFile: '/var/run/secrets/stillpoint/credentials/username',
        passwordFile: '/var/run/secrets/stillpoint/credentials/password',
      },
      volumes: [{ name: 'data', role: 'data', claim: `data-${database}-0` }],
      layout: 'auto',
      snapshots: { className: 'retained', slots: 1 },
      budgetSeconds: 30,
      readyTimeoutSeconds: 3213,
      deadlineSeconds: 3600,
      registry: { namespace: 'stillpoint' },
      clusterScope: true,
    },
  };
}

function cronJob(scope: Construct, metadata: k8s.ObjectMeta, database: string, minute: string): void {
  const labels = { ...metadata.labels };
  new k8s.KubeCronJob(scope, 'Resource', {
    metadata,
    spec: {
      schedule: `${minute} 2 * * *`,
      timeZone: 'Etc/UTC',
      suspend: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        metadata: { labels },
        spec: {
          activeDeadlineSeconds: 3600,
          backoffLimit: 2,
          completions: 1,
          parallelism: 1,
          podFailurePolicy: {
            rules: [
              { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
              {
                action: 'FailJob',
                onExitCodes: { containerName: 'runner', operator: 'In', values: [2] },
                onPodConditions: [],
              },
            ],
          },
          template: { metadata: { labels }, spec: podSpec(`${metadata.name}`, database) },
        },
      },
    },
  });
}

function podSpec(name: string, database: string): k8s.PodSpec {
  const item = (key: string): k8s.VolumeProjection => ({
    secret: { name: `${database}-login`, optional: true, items: [{ key, path: key }] },
  });
  return {
    restartPolicy: 'Never',
    serviceAccountName: name,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 150,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'runner',
        image: 'stillpoint:0.1.0',
        imagePullPolicy: 'IfNotPresent',
        args: ['run', '--config', '/etc/stillpoint/backup.yaml'],
        env: [
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
        ],
        resources: {
          requests: { cpu: k8s.Quantity.fromString('100m'), memory: k8s.Quantity.fromString('64Mi') },
          limits: { memory: k8s.Quantity.fromString('256Mi') },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          privileged: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'config', mountPath: '/etc/stillpoint', readOnly: true },
          { name: 'credentials', mountPath: '/var/run/secrets/stillpoint/credentials', readOnly: true },
        ],
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
    ],
    volumes: [
      { name: 'config', configMap: { name } },
      { name: 'credentials', projected: { defaultMode: 0o440, sources: [item('username'), item('password')] } },
    ],
  };
}
