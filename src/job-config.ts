import type { Construct } from 'constructs';
import { stringify } from 'yaml';
import type { BackupPolicyProps, DatabaseBackupProps, DatabaseProps } from './backup-props';
import { connectionOf, type SentinelProps } from './connection';
import {
  API_VERSION,
  DEFAULT_SLOTS,
  type EngineName,
  GROUP_CONFIG,
  GROUP_CONFIG_KIND,
  type GroupConfig,
  JOB_CONFIG,
  JOB_CONFIG_KIND,
  JOB_DEFAULTS,
  type JobConfig,
  type MemberConfig,
  type PolicyConfig,
  type Problem,
  type StoppedWorkload,
  validate,
} from './contract';
import { hooksOf } from './hooks';
import { invalid } from './invalid';

/**
 * What one engine adds to a policy.
 *
 * @internal
 */
export interface EngineDefinition {
  readonly engine: EngineName;
  readonly defaultPort: number;
  /** The database to connect to, where the engine has several. */
  readonly connectTo?: string;
  readonly layout: NonNullable<JobConfig['spec']['layout']>;
  readonly options: Readonly<Record<string, string>>;
  /** Who says which server is meant, where the host alone does not. */
  readonly sentinel?: SentinelProps;
  /** What is stopped while the volumes are cut. */
  readonly offline?: StoppedWorkload;
  /** Whether something of a backup outlives its session, so that its Job needs a guard. */
  readonly guarded?: boolean;
}

/** What a policy is called and where it is. */
export interface PolicyNames {
  readonly name: string;
  readonly namespace: string;
  readonly database: string;
  readonly registryNamespace: string;
}

/** How long a whole backup may take where nothing is said. */
export const DEFAULT_DEADLINE_SECONDS = 3600;

/** Of the time that the freeze leaves, so much is for the storage; the rest is for checks and for cleaning up. */
const READY_SHARE = 0.9;

/** The longest that the schema lets a runner wait for the storage. */
const READY_MAX_SECONDS = 86_400;

/**
 * Writes the job config of one database's policy, checked by the schema that the runner reads it with.
 *
 * @internal
 */
export function jobConfigOf(
  construct: Construct,
  props: DatabaseBackupProps,
  engine: EngineDefinition,
  names: PolicyNames,
): JobConfig {
  const member = databaseOf(construct, props, engine);
  const config: JobConfig = {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: inOrder(member, policyOf(props, isGuarded(engine, member), names)),
  };
  refuseProblems(construct, validate(JOB_CONFIG, config));
  return config;
}

/**
 * The same of plain volumes.
 *
 * @internal
 */
export function volumeConfigOf(
  construct: Construct,
  props: BackupPolicyProps,
  member: MemberConfig,
  names: PolicyNames,
): JobConfig {
  return memberConfigOf(construct, props, member, isGuarded({}, member), names);
}

/**
 * The same of a database whose servers are found by labels, and held by what runs beside them: nobody logs in.
 *
 * @internal
 */
export function serversConfigOf(
  construct: Construct,
  props: BackupPolicyProps,
  member: MemberConfig,
  names: PolicyNames,
): JobConfig {
  return memberConfigOf(construct, props, member, true, names);
}

function memberConfigOf(
  construct: Construct,
  props: BackupPolicyProps,
  member: MemberConfig,
  guarded: boolean,
  names: PolicyNames,
): JobConfig {
  const config: JobConfig = {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: inOrder(member, policyOf(props, guarded, names)),
  };
  refuseProblems(construct, validate(JOB_CONFIG, config));
  return config;
}

/**
 * The same of a group.
 *
 * @internal
 */
export function groupConfigOf(
  construct: Construct,
  props: BackupPolicyProps,
  members: GroupConfig['spec']['members'],
  guarded: boolean,
  names: PolicyNames,
): GroupConfig {
  const config: GroupConfig = {
    apiVersion: API_VERSION,
    kind: GROUP_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: { members, ...policyOf(props, guarded, names) },
  };
  refuseProblems(construct, validate(GROUP_CONFIG, config));
  return config;
}

/**
 * What a job config says of one database.
 *
 * @internal
 */
export function databaseOf(construct: Construct, props: DatabaseProps, engine: EngineDefinition): MemberConfig {
  return {
    engine: engine.engine,
    connection: connectionOf(props, engine),
    volumes: props.volumes.map((volume) => volume._toConfig()),
    ...(props.ignoreClaims === undefined ? {} : { ignoreClaims: props.ignoreClaims }),
    layout: engine.layout,
    ...(Object.keys(engine.options).length === 0 ? {} : { engineOptions: engine.options }),
    ...(engine.offline === undefined ? {} : { offline: engine.offline }),
    ...hooksOf(construct, props.hooks, engine.offline),
  };
}

/** What is held from outside outlives every session. */
function isGuarded({ guarded }: Pick<EngineDefinition, 'guarded'>, { hooks, offline }: MemberConfig): boolean {
  return guarded === true || hooks !== undefined || offline !== undefined;
}

/** As people read it: what it is, and what it is called, come first. */
function inOrder(member: MemberConfig, policy: Omit<JobConfig['spec'], keyof MemberConfig>): JobConfig['spec'] {
  const { engine, ...database } = member;
  const { database: name, ...rest } = policy;
  return { engine, database: name, ...database, ...rest };
}

function policyOf(
  props: BackupPolicyProps,
  guarded: boolean,
  names: PolicyNames,
): Omit<JobConfig['spec'], keyof MemberConfig> {
  const budgetSeconds = props.budget?.toSeconds() ?? JOB_DEFAULTS.budgetSeconds;
  const deadlineSeconds = props.deadline?.toSeconds() ?? DEFAULT_DEADLINE_SECONDS;
  return {
    database: names.database,
    snapshots: {
      ...(props.snapshotClass?.snapshotClassName === undefined
        ? {}
        : { className: props.snapshotClass.snapshotClassName }),
      ...(props.groupSnapshotClass === undefined
        ? {}
        : { groupClassName: props.groupSnapshotClass.groupSnapshotClassName }),
      ...(props.directCut === true ? { direct: true } : {}),
      ...(props.nameDate === undefined ? {} : { nameDate: props.nameDate }),
      ...slotsOf(props),
    },
    budgetSeconds,
    readyTimeoutSeconds: readySeconds(deadlineSeconds, budgetSeconds),
    deadlineSeconds,
    ...(guarded ? { guarded: true } : {}),
    ...(props.retention === undefined ? {} : { prune: true }),
    registry: { namespace: names.registryNamespace },
    clusterScope: props.clusterAccess ?? true,
  };
}

/**
 * Refuses a config that the runner would refuse.
 *
 * @internal
 */
export function refuseProblems(construct: Construct, problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const list = problems.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw invalid(construct, 'would have a job config that the runner refuses', list);
}

/** Direct cuts take turns too: the driver's sidecar that makes them is as slow as the controller that they go around. */
function slotsOf({ registry }: BackupPolicyProps): { readonly slots?: number } {
  const slots = registry?.snapshotSlots ?? DEFAULT_SLOTS;
  return slots > 0 ? { slots } : {};
}

function readySeconds(deadline: number, budget: number): number {
  return Math.max(1, Math.min(READY_MAX_SECONDS, Math.floor((deadline - budget) * READY_SHARE)));
}

/**
 * The document that the runner reads.
 *
 * @internal
 */
export function jobConfigText(config: PolicyConfig): string {
  return stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
}
