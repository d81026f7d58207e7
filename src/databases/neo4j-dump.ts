import type { Duration } from 'cdk8s';
import type { ContainerResources } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { checkDumpStorage, checkEnum, checkServerImage } from '../check-kinds';
import type { PolicyConfig } from '../contract';
import { BackupPolicy } from '../database-backup';
import { dumpConfigOf, type RestoreGoal, type RestorePod } from '../dump-config';
import { DumpCompression, type DumpPolicyProps, type DumpSourceProps, type ServerImageProps } from '../dump-props';
import { DumpRestore } from '../dump-restore';
import { invalid } from '../invalid';
import type { PolicyNames } from '../job-config';
import { checkRecipients } from '../recipients';
import type { MountedVolume, RunnerPod, RunnerSecurity } from '../runner-pod';
import { FINISHED_FOR, JAVA_RESOURCES } from './neo4j-pod';
import { Neo4jStore } from './neo4j-store';

/** Whom the files of a Neo4j belong to. */
export interface Neo4jFilesProps extends ServerImageProps {
  /**
   * The user that the server runs as: the files belong to it.
   *
   * @default 7474
   */
  readonly serverUser?: number;

  /**
   * The group of that user.
   *
   * @default 7474
   */
  readonly serverGroup?: number;
}

/** Properties of a {@link Neo4jDump}. */
export interface Neo4jDumpProps extends DumpPolicyProps, Neo4jFilesProps {
  /** Where the files lie. */
  readonly store: Neo4jStore;

  /**
   * The database that is dumped: one in each dump. `system` has the users, the roles and what databases there are.
   *
   * @default 'neo4j'
   */
  readonly onlyDatabase?: string;

  /**
   * Whether `neo4j-admin` checks the files for consistency before it dumps them. Nothing else shows that a copy was made at one
   * instant.
   *
   * @default true
   */
  readonly consistencyCheck?: boolean;
}

/** Where the files are mounted. */
const DATA = '/data';

/** The user `neo4j` of the public images. */
const SERVER_USER = 7474;

/** Names of databases as Neo4j has them. */
const DATABASE = /^[a-z][a-z0-9.-]{2,62}$/;

/**
 * Dumps one database of a Neo4j to a store on a schedule, by its own `neo4j-admin database dump`. That reads files on which no server runs, so
 * it is given a copy of the volume: the server goes on. What a crash would leave in a copy is completed there first, by a server that
 * nobody reaches.
 *
 * Its main child is a CronJob, so a dump by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new Neo4jDump(chart, 'graph-dump', {
 *   store: Neo4jStore.copyOfClaim('data-graph-0', { size: Size.gibibytes(20) }),
 *   serverImage: 'neo4j:5-community',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class Neo4jDump extends BackupPolicy {
  constructor(scope: Construct, id: string, props: Neo4jDumpProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _policyConfig(props: Neo4jDumpProps, names: PolicyNames): PolicyConfig {
    checkDumpStorage(this, props);
    checkServerImage(this, props);
    checkStore(this, props);
    checkDatabase(this, 'onlyDatabase', props.onlyDatabase);
    checkEnum(this, 'compression', props.compression, DumpCompression);
    checkRecipients(this, props);
    const check = props.consistencyCheck ?? true;
    const source = {
      engine: 'neo4j',
      only: props.onlyDatabase ?? 'neo4j',
      files: { directory: DATA, ...(check ? { check } : {}) },
    } as const;
    // They are compressed by zstd as they come: what is stored without more can be given to `neo4j-admin` as it is.
    const compression = props.compression ?? DumpCompression.NONE;
    return dumpConfigOf(this, { ...props, compression }, source, names);
  }

  /** @internal */
  protected override _secrets(props: Neo4jDumpProps): readonly MountedVolume[] {
    return props.storage._volumes();
  }

  /** @internal */
  protected override _serverImage({ serverImage }: Neo4jDumpProps): string {
    return serverImage;
  }

  /** @internal */
  protected override _pod(props: Neo4jDumpProps): Pick<RunnerPod, 'volumes' | 'security' | 'resources'> {
    const { _volume: volume, _subPath: subPath } = props.store;
    return { ...podOf(props), volumes: [mounted(volume, subPath)] };
  }

  /** @internal */
  protected override _finishedFor({ store }: Neo4jDumpProps): Duration | undefined {
    return store._temporary ? FINISHED_FOR : undefined;
  }
}

/** Properties of a {@link Neo4jDumpRestore}. */
export interface Neo4jDumpRestoreProps extends DumpSourceProps, Neo4jFilesProps {
  /**
   * The claim that the new server has for its data. No server may have started on it; other databases that were restored may be
   * there.
   */
  readonly claimName: string;

  /**
   * The folder of the volume that is Neo4j's data directory. Neo4j's Helm chart has it under `data`.
   *
   * @default - the volume itself
   */
  readonly subPath?: string;

  /**
   * The name under which the database comes back. Community knows `neo4j` and `system` alone.
   *
   * @default - the name that it had
   */
  readonly intoDatabase?: string;

  /**
   * Whether the dump is read to its end and compared with its record before `neo4j-admin` gets a byte of it. Without, it is compared
   * on the way, and gets its place only when it agrees.
   *
   * @default false
   */
  readonly checkFirst?: boolean;
}

/**
 * Puts a dump where a new Neo4j finds it when it starts, by its own `neo4j-admin database load`. Start the server when the Job is complete.
 *
 * @example
 * new Neo4jDumpRestore(chart, 'graph-copy', {
 *   database: 'graph-dump',
 *   backup: '20261121020000',
 *   claimName: 'data-graph-copy-0',
 *   serverImage: 'neo4j:5-community',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 * });
 */
export class Neo4jDumpRestore extends DumpRestore {
  constructor(scope: Construct, id: string, props: Neo4jDumpRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _check(props: Neo4jDumpRestoreProps): void {
    checkServerImage(this, props);
    checkDatabase(this, 'intoDatabase', props.intoDatabase);
    if (typeof props.claimName === 'string' && props.claimName !== '') return;
    throw invalid(this, 'names no claim', "name that of the new server, as claimName: 'data-graph-copy-0'");
  }

  /** @internal */
  protected override _goal({ intoDatabase, checkFirst }: Neo4jDumpRestoreProps): RestoreGoal {
    return {
      file: { directory: DATA },
      ...(intoDatabase === undefined ? {} : { into: intoDatabase }),
      ...(checkFirst === undefined ? {} : { checkFirst }),
    };
  }

  /** @internal */
  protected override _pod(props: Neo4jDumpRestoreProps): RestorePod {
    const { serverImage, claimName, subPath } = props;
    const volume = { name: 'data', persistentVolumeClaim: { claimName } };
    return { ...podOf(props), serverImage, volumes: [mounted(volume, subPath)] };
  }
}

function podOf({ serverUser: user = SERVER_USER, serverGroup: group = SERVER_USER }: Neo4jFilesProps): {
  readonly security: RunnerSecurity;
  readonly resources: ContainerResources;
} {
  return { security: { user, group, fsGroup: group }, resources: JAVA_RESOURCES };
}

function mounted(volume: MountedVolume['volume'], subPath: string | undefined): MountedVolume {
  return { volume, path: DATA, writable: true, ...(subPath === undefined ? {} : { subPath }) };
}

function checkStore(construct: Construct, { store }: { readonly store: unknown }): void {
  if (store instanceof Neo4jStore) return;
  throw invalid(
    construct,
    store === undefined ? 'has no store' : 'has a store of another kind',
    "take Neo4jStore.copyOfClaim('data-graph-0', { size: Size.gibibytes(20) })",
  );
}

function checkDatabase(construct: Construct, prop: string, name: string | undefined): void {
  if (name === undefined || DATABASE.test(name)) return;
  throw invalid(
    construct,
    `has the ${prop} "${name}", which is no name of a Neo4j database`,
    'take 3 to 63 small letters, digits, dots and hyphens, a letter first',
  );
}
