/**
 * Databases that an operator runs: which one it is, by what it writes on a pod and on what owns that, and whether it would
 * fight over what a backup holds. Pure. What is known of each, and where it was looked up, is told in docs/operators.md; none of
 * them was tried.
 */
import type { Plan } from './engine';
import type { Finding, Operator } from './ports';

/** What a pod and its owners show. */
export interface Traces {
  readonly labels: Readonly<Record<string, string>>;
  /** From the pod upwards, each by its API group, without the version. */
  readonly owners: readonly { readonly group: string; readonly kind: string; readonly name: string }[];
}

/** What an operator does while writes are held, and what that means for a backup. */
interface Verdict {
  readonly severity: 'warning' | 'error';
  readonly message: string;
  readonly hint: string;
}

interface KnownOperator {
  readonly name: string;
  readonly title: string;
  /** The API groups of the objects that it makes databases from. */
  readonly groups: readonly string[];
  /** Labels that its pods carry all of; an empty value stands for any. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The label with the name of the object that the database was made from. */
  readonly named?: string;
  /** Left out where nothing is known to fight with a backup that holds writes. */
  readonly whileHeld?: Verdict;
}

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const INSTANCE = 'app.kubernetes.io/instance';

const READINESS_HINT = 'keep the budget below what its probes allow, or back up a member that takes no writes';

/** The more particular ones first: Percona's for PostgreSQL uses the labels of Crunchy's too. */
const OPERATORS: readonly KnownOperator[] = [
  {
    name: 'cloudnative-pg',
    title: 'CloudNativePG',
    groups: ['postgresql.cnpg.io'],
    labels: { 'cnpg.io/cluster': '' },
    named: 'cnpg.io/cluster',
  },
  {
    name: 'percona-postgresql-operator',
    title: 'Percona Operator for PostgreSQL',
    groups: ['pgv2.percona.com', 'upstream.pgv2.percona.com'],
    labels: { [MANAGED_BY]: 'percona-postgresql-operator' },
    named: 'postgres-operator.crunchydata.com/cluster',
  },
  {
    name: 'crunchy-postgres-operator',
    title: 'Crunchy Postgres for Kubernetes',
    groups: ['postgres-operator.crunchydata.com'],
    labels: { 'postgres-operator.crunchydata.com/cluster': '' },
    named: 'postgres-operator.crunchydata.com/cluster',
  },
  {
    name: 'zalando-postgres-operator',
    title: "Zalando's Postgres Operator",
    groups: ['acid.zalan.do'],
    labels: { application: 'spilo', 'cluster-name': '' },
    named: 'cluster-name',
  },
  {
    name: 'percona-xtradb-cluster-operator',
    title: 'Percona Operator for MySQL based on XtraDB Cluster',
    groups: ['pxc.percona.com'],
    labels: { [MANAGED_BY]: 'percona-xtradb-cluster-operator' },
    named: INSTANCE,
    whileHeld: {
      severity: 'error',
      message: 'a member of its Galera cluster that holds its writes back makes all others wait for it (flow control)',
      hint: "use the operator's own backups, which take the member out of flow control first",
    },
  },
  {
    name: 'percona-server-mongodb-operator',
    title: 'Percona Operator for MongoDB',
    groups: ['psmdb.percona.com'],
    labels: { [MANAGED_BY]: 'percona-server-mongodb-operator' },
    named: INSTANCE,
    whileHeld: {
      severity: 'warning',
      message: 'its liveness probe logs in, and a locked server may let nobody in',
      hint: READINESS_HINT,
    },
  },
  {
    name: 'mongodb-community-operator',
    title: 'MongoDB Community Kubernetes Operator',
    groups: ['mongodbcommunity.mongodb.com'],
    whileHeld: {
      severity: 'warning',
      message: 'its agent in the same pod logs in, and may take a locked server that lets nobody in for a dead one',
      hint: READINESS_HINT,
    },
  },
  { name: 'mariadb-operator', title: 'mariadb-operator', groups: ['k8s.mariadb.com'] },
  {
    name: 'kubedb',
    title: 'KubeDB',
    groups: ['kubedb.com'],
    labels: { [MANAGED_BY]: 'kubedb.com' },
    named: INSTANCE,
    whileHeld: {
      severity: 'warning',
      message:
        'its coordinator in the same pod decides on failovers, and may take a server that holds writes for a failed one',
      hint: READINESS_HINT,
    },
  },
  {
    name: 'spotahome-redis-operator',
    title: "Spotahome's redis-operator",
    groups: ['databases.spotahome.com'],
    labels: { 'redisfailovers.databases.spotahome.com/name': '' },
    named: 'redisfailovers.databases.spotahome.com/name',
    whileHeld: {
      severity: 'warning',
      message:
        'it sets what its customConfig names again and again, also what a backup has changed for the time of its freeze',
      hint: 'leave appendfsync, auto-aof-rewrite-percentage and no-appendfsync-on-rewrite out of customConfig',
    },
  },
  {
    name: 'opstree-redis-operator',
    title: "Opstree's redis-operator",
    groups: ['redis.redis.opstreelabs.in'],
    labels: { redis_setup_type: '' },
    named: 'app',
  },
];

/** The operator that a pod belongs to, by its owners or its labels; undefined where none is known. */
export function operatorOf(traces: Traces): Operator | undefined {
  for (const { name, groups, labels, named } of OPERATORS) {
    const owner = traces.owners.find(({ group }) => groups.includes(group));
    if (owner !== undefined) return { name, kind: owner.kind, object: owner.name };
    if (labels === undefined || !isLabelled(labels, traces)) continue;
    const object = named === undefined ? undefined : traces.labels[named];
    return { name, ...(object === undefined ? {} : { object }) };
  }
  return undefined;
}

function isLabelled(labels: Readonly<Record<string, string>>, traces: Traces): boolean {
  return Object.entries(labels).every(([label, wanted]) => {
    const value = traces.labels[label];
    return value !== undefined && (wanted === '' || value === wanted);
  });
}

/** Whether a plan holds what clients or an operator may need. */
export function holdsWrites({ freezes }: Pick<Plan, 'freezes'>): boolean {
  return freezes === 'writes' || freezes === 'everything';
}

/** Whether an operator would fight over what a plan holds. */
export function operatorFindings(
  operator: Operator | undefined,
  plan: Pick<Plan, 'freezes'>,
  place: string,
): readonly Finding[] {
  const known = OPERATORS.find(({ name }) => name === operator?.name);
  if (known === undefined) return [];
  const subject = `${place}, run by ${known.title}`;
  const { whileHeld } = known;
  if (whileHeld === undefined || !holdsWrites(plan)) {
    return [{ severity: 'ok', code: 'ok', subject, message: 'nothing is known to fight over what the backup holds' }];
  }
  const { severity, message, hint } = whileHeld;
  return [
    { severity, code: 'operator-conflict', subject, message: `${place} is run by ${known.title}: ${message}`, hint },
  ];
}
