import type { Construct } from 'constructs';
import { connectionOf } from './connection';
import {
  API_VERSION,
  DUMP_CONFIG,
  DUMP_CONFIG_KIND,
  DUMP_RESTORE_CONFIG,
  DUMP_RESTORE_KIND,
  type DumpConfig,
  type DumpRestoreConfig,
  type EngineName,
  IDENTITY_FILE,
  IDENTITY_MOUNT,
  identityVolume,
  validate,
} from './contract';
import type { DatabaseDumpProps, DumpPolicyProps, DumpRestoreProps, DumpSourceProps } from './dump-props';
import { DumpCompression, DumpLayout } from './dump-props';
import { DEFAULT_DEADLINE_SECONDS, type PolicyNames, refuseProblems } from './job-config';
import type { MountedVolume, RunnerPod } from './runner-pod';

/**
 * What one engine adds to a dump and its restore.
 *
 * @internal
 */
export interface DumpDefinition {
  readonly engine: EngineName;
  readonly defaultPort: number;
  /** The database to connect to, where the engine has several. */
  readonly connectTo?: string;
  readonly options?: Readonly<Record<string, string>>;
  /** The one database that is meant, of a server that holds several. */
  readonly only?: string | undefined;
  /** Some databases that are dumped one after the other. */
  readonly databases?: readonly string[] | undefined;
  /** Whether the dump itself says where the server's log stood. */
  readonly position?: boolean | undefined;
  /** Where the tool takes the files of databases from a running server, in place of a stream. */
  readonly online?: DumpConfig['spec']['dump']['online'];
}

/**
 * What a dump is of: a server, or files of one that does not run.
 *
 * @internal
 */
export interface DumpSource extends Omit<DumpDefinition, 'defaultPort' | 'connectTo'> {
  readonly connection?: DumpConfig['spec']['connection'];
  readonly files?: DumpConfig['spec']['dump']['files'];
}

/**
 * Writes the job config of a policy of dumps, checked by the schema that the runner reads it with.
 *
 * @internal
 */
export function dumpConfigOf(
  construct: Construct,
  props: DumpPolicyProps & Pick<DatabaseDumpProps, 'layout'>,
  engine: DumpSource,
  names: PolicyNames,
): DumpConfig {
  const layout = props.layout ?? DumpLayout.STILLPOINT;
  const config: DumpConfig = {
    apiVersion: API_VERSION,
    kind: DUMP_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: {
      engine: engine.engine,
      database: names.database,
      ...(engine.connection === undefined ? {} : { connection: engine.connection }),
      ...(engine.options === undefined ? {} : { engineOptions: engine.options }),
      dump: {
        ...(engine.files === undefined ? {} : { files: engine.files }),
        ...(engine.only === undefined ? {} : { only: engine.only }),
        ...(engine.databases === undefined ? {} : { databases: engine.databases }),
        ...(engine.position === undefined ? {} : { position: engine.position }),
        compression: props.compression ?? USUAL_COMPRESSION[layout],
        layout,
        ...(props.recipients === undefined ? {} : { recipients: props.recipients }),
        image: props.serverImage,
        ...(engine.online === undefined ? {} : { online: engine.online }),
      },
      storage: props.storage._toConfig(),
      deadlineSeconds: props.deadline?.toSeconds() ?? DEFAULT_DEADLINE_SECONDS,
      ...(props.retention === undefined ? {} : { prune: true }),
      registry: { namespace: names.registryNamespace },
      clusterScope: props.clusterAccess ?? true,
    },
  };
  refuseProblems(construct, validate(DUMP_CONFIG, config));
  return config;
}

/** Whoever reads a dump by its KubeDB name expects SQL there. */
const USUAL_COMPRESSION: Readonly<Record<DumpLayout, DumpCompression>> = {
  [DumpLayout.STILLPOINT]: DumpCompression.ZSTD,
  [DumpLayout.KUBEDB]: DumpCompression.NONE,
};

/**
 * What a restore mounts to open an encrypted dump.
 *
 * @internal
 */
export function identityVolumes({
  identity,
  identityKey,
}: Pick<DumpSourceProps, 'identity' | 'identityKey'>): readonly MountedVolume[] {
  if (identity === undefined) return [];
  return [{ volume: identityVolume(identity.name, identityKey), path: IDENTITY_MOUNT }];
}

/**
 * Where a dump goes, in the words of the instruction.
 *
 * @internal
 */
export type RestoreGoal = Omit<DumpRestoreConfig['spec'], 'backup' | 'storage' | 'identityFile' | 'registry'>;

/**
 * How the pod of a restore is made.
 *
 * @internal
 */
export interface RestorePod extends Pick<RunnerPod, 'serverImage' | 'security' | 'resources'> {
  readonly volumes: readonly MountedVolume[];
}

/**
 * A server that a dump goes into.
 *
 * @internal
 */
export function serverGoal(
  props: DumpRestoreProps,
  { only, options, ...engine }: DumpDefinition,
  into?: string,
): RestoreGoal {
  return {
    connection: connectionOf(props, engine),
    ...(options === undefined ? {} : { engineOptions: options }),
    ...(only === undefined ? {} : { only }),
    ...(into === undefined ? {} : { into }),
    ...(props.checkFirst === undefined ? {} : { checkFirst: props.checkFirst }),
    ...(props.intoOccupied === undefined ? {} : { intoOccupied: props.intoOccupied }),
    ...(props.wait === undefined ? {} : { waitSeconds: props.wait.toSeconds() }),
  };
}

/**
 * Writes the instruction of a restore from a dump.
 *
 * @internal
 */
export function dumpRestoreConfigOf(
  construct: Construct,
  props: DumpSourceProps,
  goal: RestoreGoal,
  place: { readonly name: string; readonly namespace: string; readonly registryNamespace: string },
): DumpRestoreConfig {
  const config: DumpRestoreConfig = {
    apiVersion: API_VERSION,
    kind: DUMP_RESTORE_KIND,
    metadata: { name: place.name, namespace: place.namespace },
    spec: {
      backup: {
        namespace: props.databaseNamespace ?? place.namespace,
        database: props.database,
        id: props.backup,
      },
      ...goal,
      storage: props.storage._toConfig(),
      ...(props.identity === undefined ? {} : { identityFile: `${IDENTITY_MOUNT}/${IDENTITY_FILE}` }),
      registry: { namespace: place.registryNamespace },
    },
  };
  refuseProblems(construct, validate(DUMP_RESTORE_CONFIG, config));
  return config;
}
