/**
 * What the compiler finds in TypeScript, for those who write JavaScript or run their program without a check of its types: a
 * value of another kind would be left out of the manifests, or end in an error that names no prop.
 */
import type { Construct } from 'constructs';
import type { BackupPolicyProps, DatabaseProps } from './backup-props';
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
  snapshotClass: { is: () => true, change: "take SnapshotClass.fromName('…')" },
  groupSnapshotClass: {
    is: has('groupSnapshotClassName', 'string'),
    change: "take GroupSnapshotClass.fromName('…')",
  },
  registry: { is: has('namespaceName', 'string'), change: "take a Registry, or Registry.fromNamespace('…')" },
  budget: DURATION,
  deadline: DURATION,
  startingDeadline: DURATION,
};

const OF_DATABASES: Readonly<Record<string, Kind>> = {
  credentials: {
    is: has('name', 'string'),
    change: "take a Secret of cdk8s-plus-28, as Secret.fromSecretName(chart, 'login', '…')",
  },
  volumes: { is: Array.isArray, change: "take a list, as [BackupVolume.fromClaimName('data-orders-db-0')]" },
};

/**
 * Checks the values of a policy. Throws the first problem.
 *
 * @internal
 */
export function checkPolicyKinds(construct: Construct, props: BackupPolicyProps): void {
  checkKinds(construct, props, OF_POLICIES, ['schedule']);
  const image: unknown = props.image;
  if (image === undefined || (typeof image === 'string' && image !== '')) return;
  throw invalid(construct, `has the image ${JSON.stringify(image)}`, 'name an image, or leave it out');
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
