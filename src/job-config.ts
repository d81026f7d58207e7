import type { Construct } from 'constructs';
import { stringify } from 'yaml';
import type { DatabaseBackupProps } from './backup-props';
import { connectionOf, type SentinelProps } from './connection';
import {
  API_VERSION,
  DEFAULT_SLOTS,
  type EngineName,
  JOB_CONFIG,
  JOB_CONFIG_KIND,
  JOB_DEFAULTS,
  type JobConfig,
  validate,
} from './contract';
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
 * Writes the job config of a policy, checked by the schema that the runner reads it with.
 *
 * @internal
 */
export function jobConfigOf(
  construct: Construct,
  props: DatabaseBackupProps,
  engine: EngineDefinition,
  names: PolicyNames,
): JobConfig {
  const budgetSeconds = props.budget?.toSeconds() ?? JOB_DEFAULTS.budgetSeconds;
  const deadlineSeconds = props.deadline?.toSeconds() ?? DEFAULT_DEADLINE_SECONDS;
  const config: JobConfig = {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: {
      engine: engine.engine,
      database: names.database,
      connection: connectionOf(props, engine),
      volumes: props.volumes.map((volume) => volume._toConfig()),
      ...(props.ignoreClaims === undefined ? {} : { ignoreClaims: props.ignoreClaims }),
      layout: engine.layout,
      ...(Object.keys(engine.options).length === 0 ? {} : { engineOptions: engine.options }),
      snapshots: {
        ...(props.snapshotClass?.snapshotClassName === undefined
          ? {}
          : { className: props.snapshotClass.snapshotClassName }),
        ...(props.groupSnapshotClass === undefined
          ? {}
          : { groupClassName: props.groupSnapshotClass.groupSnapshotClassName }),
        ...(props.directCut === true ? { direct: true } : {}),
        ...slotsOf(props),
      },
      budgetSeconds,
      readyTimeoutSeconds: readySeconds(deadlineSeconds, budgetSeconds),
      deadlineSeconds,
      ...(engine.guarded === true ? { guarded: true } : {}),
      registry: { namespace: names.registryNamespace },
      clusterScope: props.clusterAccess ?? true,
    },
  };
  const problems = validate(JOB_CONFIG, config);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path} ${message}`).join('; ');
    throw invalid(construct, 'would have a job config that the runner refuses', list);
  }
  return config;
}

/** Direct cuts take turns too: the driver's sidecar that makes them is as slow as the controller that they go around. */
function slotsOf({ registry }: DatabaseBackupProps): { readonly slots?: number } {
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
export function jobConfigText(config: JobConfig): string {
  return stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
}
