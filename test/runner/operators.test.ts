import { describe, expect, test } from 'vitest';
import type { Plan } from '../../runner/engine';
import type { Container, Pod, Workload } from '../../runner/kube/objects';
import { operatorOfPod, probesOf } from '../../runner/kube/workload';
import { operatorFindings, operatorOf, type Traces } from '../../runner/operators';
import type { Probe } from '../../runner/ports';
import { probeFindings } from '../../runner/probes';

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const INSTANCE = 'app.kubernetes.io/instance';

describe('an operator is recognised', () => {
  const labelled = (labels: Traces['labels']): Traces => ({ labels, owners: [] });
  const owned = (group: string, kind: string, labels: Traces['labels'] = {}): Traces => ({
    labels,
    owners: [
      { group: 'apps', kind: 'StatefulSet', name: 'orders-db' },
      { group, kind, name: 'orders' },
    ],
  });
  const crunchy = { 'postgres-operator.crunchydata.com/cluster': 'orders' };

  test.each<[string, Traces, object | undefined]>([
    ['nobody', owned('example.com', 'Whatever', { app: 'orders-db' }), undefined],
    [
      'CloudNativePG by its labels',
      labelled({ 'cnpg.io/cluster': 'orders' }),
      { name: 'cloudnative-pg', object: 'orders' },
    ],
    [
      'CloudNativePG by its owner',
      owned('postgresql.cnpg.io', 'Cluster'),
      { name: 'cloudnative-pg', kind: 'Cluster', object: 'orders' },
    ],
    ['Crunchy', labelled(crunchy), { name: 'crunchy-postgres-operator', object: 'orders' }],
    [
      "Percona's for PostgreSQL, which has Crunchy's labels too",
      owned('postgres-operator.crunchydata.com', 'PostgresCluster', {
        ...crunchy,
        [MANAGED_BY]: 'percona-postgresql-operator',
      }),
      { name: 'percona-postgresql-operator', object: 'orders' },
    ],
    [
      'Zalando',
      labelled({ application: 'spilo', 'cluster-name': 'orders' }),
      { name: 'zalando-postgres-operator', object: 'orders' },
    ],
    ['a Spilo without an operator', labelled({ application: 'spilo' }), undefined],
    [
      'XtraDB Cluster',
      labelled({ [MANAGED_BY]: 'percona-xtradb-cluster-operator', [INSTANCE]: 'orders' }),
      { name: 'percona-xtradb-cluster-operator', object: 'orders' },
    ],
    [
      "Percona's for MongoDB",
      owned('psmdb.percona.com', 'PerconaServerMongoDB'),
      { name: 'percona-server-mongodb-operator', kind: 'PerconaServerMongoDB', object: 'orders' },
    ],
    [
      'MongoDB Community',
      owned('mongodbcommunity.mongodb.com', 'MongoDBCommunity'),
      { name: 'mongodb-community-operator', kind: 'MongoDBCommunity', object: 'orders' },
    ],
    [
      'mariadb-operator',
      owned('k8s.mariadb.com', 'MariaDB'),
      { name: 'mariadb-operator', kind: 'MariaDB', object: 'orders' },
    ],
    [
      'what is called mariadb by its chart',
      labelled({ 'app.kubernetes.io/name': 'mariadb', [MANAGED_BY]: 'Helm' }),
      undefined,
    ],
    ['KubeDB', labelled({ [MANAGED_BY]: 'kubedb.com', [INSTANCE]: 'orders' }), { name: 'kubedb', object: 'orders' }],
    [
      'Spotahome',
      labelled({ 'redisfailovers.databases.spotahome.com/name': 'orders' }),
      { name: 'spotahome-redis-operator', object: 'orders' },
    ],
    [
      'Opstree',
      owned('redis.redis.opstreelabs.in', 'Redis'),
      { name: 'opstree-redis-operator', kind: 'Redis', object: 'orders' },
    ],
  ])('%s', (_, traces, operator) => {
    expect(operatorOf(traces)).toEqual(operator);
  });

  test('by the owner of the StatefulSet that owns its pod', () => {
    const owner = (apiVersion: string, kind: string, name: string) => ({
      ownerReferences: [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid: 'a' },
        { apiVersion, kind, name, uid: 'b', controller: true },
      ],
    });
    const pod: Pod = { metadata: { name: 'db-0', ...owner('apps/v1', 'StatefulSet', 'db') }, spec: { containers: [] } };
    const set: Workload = {
      metadata: { name: 'db', ...owner('k8s.mariadb.com/v1alpha1', 'MariaDB', 'orders') },
      spec: {},
    };
    const found = { name: 'mariadb-operator', kind: 'MariaDB', object: 'orders' };
    expect(operatorOfPod(pod, { kind: 'StatefulSet', name: 'db', object: set })).toEqual(found);
    expect(operatorOfPod(pod, undefined)).toBeUndefined();
  });
});

describe('an operator and what a backup holds', () => {
  test.each<[string, Plan['freezes'], string]>([
    ['cloudnative-pg', 'log-recycling', 'ok'],
    ['mariadb-operator', 'writes', 'ok'],
    ['percona-server-mongodb-operator', 'nothing', 'ok'],
    ['percona-server-mongodb-operator', 'writes', 'warning operator-conflict'],
    ['mongodb-community-operator', 'writes', 'warning operator-conflict'],
    ['spotahome-redis-operator', 'writes', 'warning operator-conflict'],
    ['percona-xtradb-cluster-operator', 'table-definitions', 'ok'],
    ['percona-xtradb-cluster-operator', 'writes', 'error operator-conflict'],
  ])('%s, %s: %s', (name, freezes, verdict) => {
    const [finding, ...more] = operatorFindings({ name }, { freezes }, 'pod shop/db-0');
    expect(more).toEqual([]);
    expect(finding?.severity === 'ok' ? 'ok' : `${finding?.severity} ${finding?.code}`).toBe(verdict);
    expect(finding?.message).toMatch(/\w/);
  });

  test('of nobody there is nothing to say', () => {
    expect(operatorFindings(undefined, { freezes: 'writes' }, 'pod shop/db-0')).toEqual([]);
    expect(operatorFindings({ name: 'of a later version' }, { freezes: 'writes' }, 'pod shop/db-0')).toEqual([]);
  });
});

describe('a probe', () => {
  const container = (probes: Partial<Container>): Container => ({ name: 'server', ...probes });

  test.each<[string, Partial<Container>, readonly Partial<Probe>[]]>([
    ['none', {}, []],
    [
      'with the defaults of Kubernetes',
      { livenessProbe: { exec: {} } },
      [{ kind: 'liveness', how: 'exec', seconds: 21 }],
    ],
    [
      'as the API server shows it',
      { readinessProbe: { httpGet: {}, periodSeconds: 3, timeoutSeconds: 2, failureThreshold: 8 } },
      [{ kind: 'readiness', how: 'httpGet', seconds: 23 }],
    ],
    [
      'that fails at once',
      { livenessProbe: { grpc: {}, failureThreshold: 1 } },
      [{ kind: 'liveness', how: 'grpc', seconds: 1 }],
    ],
    [
      'both',
      {
        livenessProbe: { tcpSocket: {}, periodSeconds: 5 },
        readinessProbe: { exec: {}, periodSeconds: 1, failureThreshold: 2 },
      },
      [
        { kind: 'liveness', how: 'tcpSocket', seconds: 11 },
        { kind: 'readiness', how: 'exec', seconds: 2 },
      ],
    ],
    ['of a kind that is not known', { livenessProbe: { periodSeconds: 5 } }, []],
  ])('is read: %s', (_, probes, expected) => {
    expect(probesOf(container(probes))).toEqual(expected.map((probe) => ({ container: 'server', ...probe })));
  });

  const probe = (how: Probe['how'], seconds: number): Probe => ({
    kind: 'liveness',
    container: 'server',
    how,
    seconds,
  });

  test.each<[string, Probe, Plan['freezes'], number, boolean]>([
    ['gives up before the budget has run out', probe('exec', 21), 'writes', 30, true],
    ['is as patient as the budget', probe('exec', 30), 'writes', 30, false],
    ['only opens a connection', probe('tcpSocket', 3), 'writes', 30, false],
    ['cannot be held up by what holds no writes', probe('exec', 21), 'table-definitions', 30, false],
  ])('%s', (_, of, freezes, budget, warned) => {
    const findings = probeFindings([of], { freezes }, budget, 'pod shop/db-0');
    expect(findings.map(({ severity, code }) => `${severity} ${code}`)).toEqual(
      warned ? ['warning probe-impatient'] : [],
    );
    if (warned) expect(findings[0]?.hint).toContain('21 s or less');
  });
});
