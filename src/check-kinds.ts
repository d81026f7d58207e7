/**
 * What the compiler finds in TypeScript, for those who write JavaScript or run their program without a check of its types: a
 * value of another kind would be left out of the manifests, or end in an error that names no prop.
 */
import type { Construct } from 'constructs';
import type { BackupPolicyProps, ConnectionProps, DatabaseProps, PolicyProps } from './backup-props';
import { invalid } from './invalid';
import type { RetentionProps } from './retention';

/** Whether a value is of the kind, and what to write instead. */
interface Kind {
  readonly is: (value: object) => boolean;
  readonly change: string;
}

const has =
  (member: string, type: 'string' | 'function') =>
  (value: object): boolean =>
    typeof Reflect.get(value, member) === type;

const DURATION: Kind = {
  is: has('toSeconds', 'function'),
  change: 'take a Duration of cdk8s, as Duration.seconds(30)',
};

const OF_POLICIES: Readonly<Record<string, Kind>> = {
  schedule: {
    is: has('expressionFor', 'function'),
    change: 'take a BackupSchedule, as BackupSchedule.daily({ hour: 2 })',
  },
  registry: { is: has('namespaceName', 'string'), change: "take a Registry, or Registry.fromNamespace('…')" },
  deadline: DURATION,
  startingDeadline: DURATION,
};

const OF_SNAPSHOTS: Readonly<Record<string, Kind>> = {
  snapshotClass: { is: () => true, change: "take SnapshotClass.fromName('…')" },
  groupSnapshotClass: {
    is: has('groupSnapshotClassName', 'string'),
    change: "take GroupSnapshotClass.fromName('…')",
  },
  budget: DURATION,
};

const OF_CONNECTIONS: Readonly<Record<string, Kind>> = {
  credentials: {
    is: has('name', 'string'),
    change: "take a Secret of cdk8s-plus-28, as Secret.fromSecretName(chart, 'login', '…')",
  },
};

const OF_DUMPS: Readonly<Record<string, Kind>> = {
  storage: {
    is: has('_toConfig', 'function'),
    change: "take a BackupStorage, as BackupStorage.s3({ bucket: '…' })",
  },
};

const OF_DATABASES: Readonly<Record<string, Kind>> = {
  ...OF_CONNECTIONS,
  volumes: { is: Array.isArray, change: "take a list, as [BackupVolume.fromClaimName('data-orders-db-0')]" },
};

/**
 * Checks the values of a policy. Throws the first problem.
 *
 * @internal
 */
export function checkPolicyKinds(construct: Construct, props: PolicyProps): void {
  checkKinds(construct, props, OF_POLICIES, ['schedule']);
  checkImage(construct, 'image', props.image);
}

/**
 * Checks the values of a policy that takes snapshots. Throws the first problem.
 *
 * @internal
 */
export function checkSnapshotKinds(construct: Construct, props: BackupPolicyProps): void {
  checkKinds(construct, props, OF_SNAPSHOTS);
}

/**
 * Checks the values of whatever takes dumps, or restores them. Throws the first problem.
 *
 * @internal
 */
export function checkDumpKinds(construct: Construct, props: ConnectionProps & { readonly serverImage: string }): void {
  checkDumpStorage(construct, props);
  checkKinds(construct, props, OF_CONNECTIONS, ['credentials']);
  checkServerImage(construct, props);
}

/**
 * Checks that there is an image with the engine's tools. Throws when there is none.
 *
 * @internal
 */
export function checkServerImage(construct: Construct, props: { readonly serverImage: string }): void {
  if (typeof props.serverImage === 'string' && props.serverImage !== '') return;
  throw invalid(
    construct,
    `has the serverImage ${JSON.stringify(props.serverImage)}`,
    "name the engine's own image, whose tools are run, as 'postgres:17'",
  );
}

/**
 * Checks that there is a store. Throws when there is none.
 *
 * @internal
 */
export function checkDumpStorage(construct: Construct, props: object): void {
  checkKinds(construct, props, OF_DUMPS, ['storage']);
}

function checkImage(construct: Construct, prop: string, image: unknown): void {
  if (image === undefined || (typeof image === 'string' && image !== '')) return;
  throw invalid(construct, `has the ${prop} ${JSON.stringify(image)}`, 'name an image, or leave it out');
}

/**
 * Checks the values of a database with a server. Throws the first problem.
 *
 * @internal
 */
export function checkDatabaseKinds(construct: Construct, props: DatabaseProps): void {
  checkKinds(construct, props, OF_DATABASES, ['credentials', 'volumes']);
}

/**
 * Checks the values of a retention. Throws the first problem.
 *
 * @internal
 */
export function checkRetentionKinds(construct: Construct, props: RetentionProps): void {
  checkKinds(construct, props, {
    keepWithin: { ...DURATION, change: 'take a Duration of cdk8s, as Duration.days(30)' },
  });
}

/**
 * Checks that a value is one of an enum. Throws when it is another one.
 *
 * @internal
 */
export function checkEnum(construct: Construct, prop: string, value: string | undefined, allowed: object): void {
  const values = Object.values(allowed);
  if (value === undefined || values.includes(value)) return;
  throw invalid(construct, `has the ${prop} ${JSON.stringify(value)}`, `set ${prop} to one of ${values.join(', ')}`);
}

function checkKinds(
  construct: Construct,
  props: object,
  kinds: Readonly<Record<string, Kind>>,
  required: readonly string[] = [],
): void {
  for (const [prop, { is, change }] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(props, prop);
    if (value === undefined && required.includes(prop)) throw invalid(construct, `has no ${prop}`, change);
    if (value === undefined || (typeof value === 'object' && value !== null && is(value))) continue;
    throw invalid(construct, `has the ${prop} ${JSON.stringify(value)}, which is of another kind`, change);
  }
}
