import type { Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import type { PolicyProps } from '../backup-props';
import { checkDumpKinds, checkEnum } from '../check-kinds';
import { checkConnection } from '../checks';
import { connectionOf, connectionVolumes } from '../connection';
import { BACKUP_ADDRESS_PATTERN, DATABASE_NAME_PATTERN, type PolicyConfig } from '../contract';
import { BackupPolicy } from '../database-backup';
import { dumpConfigOf } from '../dump-config';
import { DumpCompression, type DumpToolProps } from '../dump-props';
import { invalid } from '../invalid';
import type { PolicyNames } from '../job-config';
import { checkRecipients } from '../recipients';
import type { MountedVolume, RunnerPod } from '../runner-pod';
import type { BackupStorage } from '../storage';
import { checkScratch, FINISHED_FOR, JAVA_RESOURCES, SCRATCH, scratchVolume } from './neo4j-pod';
import type { Neo4jScratchProps } from './neo4j-scratch';

/** What an online backup takes of a database. */
export enum Neo4jBackupType {
  /** All of it. */
  FULL = 'full',
  /** What was written since the backup before, which has to be there. */
  DIFFERENTIAL = 'differential',
  /** What was written since the backup before; all of it where there is none. */
  AUTO = 'auto',
}

/** What comes after a chain that is long enough. */
export enum Neo4jChainEnd {
  /** All of the database is taken of the server again. */
  FULL = 'full',
  /**
   * What was written since is taken, and `neo4j-admin` makes one full file of it and the chain. Where that comes to nothing (an image before 5.2, no
   * room, a file that its check finds not good) all is taken again, and the record says why.
   */
  AGGREGATE = 'aggregate',
}

/** Properties of a {@link Neo4jOnlineBackup}. */
export interface Neo4jOnlineBackupProps extends DumpToolProps, PolicyProps {
  /**
   * The servers that backups are taken from, each as `host:6362`, tried in order. A server has to listen there for other hosts:
   * `server.backup.listen_address=0.0.0.0:6362`. Nobody logs in there: let a network policy admit the pods of this policy alone.
   */
  readonly backupServers: string[];

  /**
   * The databases that are backed up, by name or pattern (`customer*`, `graph?`).
   *
   * @default - all, `system` among them, where there are no aliases; else none but those that the aliases point to
   */
  readonly databases?: string[];

  /**
   * Aliases, by name or pattern: what they point to when a backup begins is backed up.
   *
   * @default - none
   */
  readonly aliases?: string[];

  /**
   * What a backup takes of each database. Whatever it is, each backup has all that its restore needs.
   *
   * @default Neo4jBackupType.FULL
   */
  readonly type?: Neo4jBackupType;

  /**
   * Of how many files the chain of a database consists at most where the type is `AUTO`: then the next backup takes all of it. A restore
   * reads the whole chain, and one file that is spoilt spoils what comes after it.
   *
   * @default 14
   */
  readonly longestChain?: number;

  /**
   * What comes after a chain of that length, where the type is `AUTO`. One that is aggregated spares the server another full backup, and takes room
   * for the chain twice more. Points in time before it are restored from the earlier backups.
   *
   * @default Neo4jChainEnd.FULL
   */
  readonly chainEnd?: Neo4jChainEnd;

  /**
   * Where the backups lie. On a volume, `BackupStorage.volume(…)`, the tool writes to it itself: its file system has to have hard links. Into any other
   * store the runner uploads what the tool has written and checked in `scratch`; of that kind are full backups alone.
   */
  readonly storage: BackupStorage;

  /**
   * The volume that the tool works in, where the storage is none.
   *
   * @default - none: the storage is a volume
   */
  readonly scratch?: Neo4jScratchProps;

  /**
   * The public keys of age (`age1…`) that files are encrypted for before they are uploaded. What lies on a volume is not encrypted.
   *
   * @default - none: they are not encrypted
   */
  readonly recipients?: string[];
}

/**
 * Backs up databases of a Neo4j of the Enterprise edition on a schedule while it runs, by its own `neo4j-admin database backup` of 5 or
 * later, into a volume or an object store. Which databases there are, and what aliases point to, the runner asks over Bolt when a backup begins. Each is
 * taken, looked at and checked by itself, as far as the tool's version checks what it is: one that fails fails the Job, and the backup has the others.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new Neo4jOnlineBackup(chart, 'customers', {
 *   host: 'graph',
 *   credentials: Secret.fromSecretName(chart, 'login', 'graph-login'),
 *   serverImage: 'neo4j:2025-enterprise',
 *   backupServers: ['graph-0.graph:6362', 'graph-1.graph:6362'],
 *   aliases: ['customer*'],
 *   storage: BackupStorage.volume({ claimName: 'graph-backups' }),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class Neo4jOnlineBackup extends BackupPolicy {
  constructor(scope: Construct, id: string, props: Neo4jOnlineBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _policyConfig(props: Neo4jOnlineBackupProps, names: PolicyNames): PolicyConfig {
    checkDumpKinds(this, props);
    checkConnection(this, props);
    checkEnum(this, 'type', props.type, Neo4jBackupType);
    checkEnum(this, 'chainEnd', props.chainEnd, Neo4jChainEnd);
    checkPlace(this, props);
    checkNames(this, 'backupServers', props.backupServers, BACKUP_ADDRESS_PATTERN);
    for (const prop of ['databases', 'aliases'] as const) {
      if (props[prop] !== undefined) checkNames(this, prop, props[prop], DATABASE_NAME_PATTERN);
    }
    checkChains(this, props);
    const { aliases, databases = aliases === undefined ? ['*'] : undefined } = props;
    const online = {
      from: props.backupServers,
      ...(databases === undefined ? {} : { databases }),
      ...(aliases === undefined ? {} : { aliases }),
      type: props.type ?? Neo4jBackupType.FULL,
      ...(props.scratch === undefined ? {} : { scratch: SCRATCH }),
      ...(props.type === Neo4jBackupType.AUTO ? { longestChain: props.longestChain ?? LONGEST_CHAIN } : {}),
      ...(props.chainEnd === undefined ? {} : { chainEnd: props.chainEnd }),
    };
    // The tool compresses its files itself.
    const asTheyAre = { ...props, compression: DumpCompression.NONE };
    const connection = connectionOf(props, { defaultPort: 7687 });
    return dumpConfigOf(this, asTheyAre, { engine: 'neo4j', connection, online }, names);
  }

  /** @internal */
  protected override _secrets(props: Neo4jOnlineBackupProps): readonly MountedVolume[] {
    const scratch = props.scratch === undefined ? [] : [scratchVolume(props.scratch)];
    return [...connectionVolumes(props), ...props.storage._volumes(), ...scratch];
  }

  /** @internal */
  protected override _pod(): Pick<RunnerPod, 'resources'> {
    return { resources: JAVA_RESOURCES };
  }

  /** @internal */
  protected override _finishedFor({ scratch }: Neo4jOnlineBackupProps): Duration | undefined {
    return scratch === undefined ? undefined : FINISHED_FOR;
  }

  /** @internal */
  protected override _serverImage({ serverImage }: Neo4jOnlineBackupProps): string {
    return serverImage;
  }
}

/** A volume keeps what the tool writes to it, and what was written before lies there; a bucket is written to from a volume that comes and goes. */
function checkPlace(construct: Construct, props: Neo4jOnlineBackupProps): void {
  const { kind } = props.storage._toConfig();
  const { type = Neo4jBackupType.FULL, scratch, recipients } = props;
  if (kind === 'directory') {
    if (scratch !== undefined) {
      throw invalid(construct, 'has a scratch volume, and a storage that is one', 'leave scratch out');
    }
    if (recipients === undefined) return;
    throw invalid(construct, 'has recipients, and a volume', 'leave recipients out, or store in a bucket');
  }
  checkScratch(construct, scratch);
  checkRecipients(construct, props);
  if (type === Neo4jBackupType.FULL) return;
  throw invalid(
    construct,
    `has the type ${type}, and a storage of the kind ${kind}`,
    "leave type out, or take a volume, where chains are gone on with: BackupStorage.volume({ claimName: '…' })",
  );
}

/** Two weeks of one backup a day. */
const LONGEST_CHAIN = 14;

function checkChains(construct: Construct, props: Neo4jOnlineBackupProps): void {
  const { type, longestChain } = props;
  for (const prop of ['longestChain', 'chainEnd'] as const) {
    if (props[prop] === undefined || type === Neo4jBackupType.AUTO) continue;
    throw invalid(
      construct,
      `has a ${prop}, and the type ${type ?? Neo4jBackupType.FULL}`,
      'set the type to Neo4jBackupType.AUTO, or leave it out',
    );
  }
  if (longestChain === undefined) return;
  if (Number.isInteger(longestChain) && longestChain >= 1) return;
  throw invalid(construct, `has the longestChain ${longestChain}`, 'set it to a whole number from 1 on');
}

/** Names go to the tool as arguments, and to the server in patterns: what could be read as something else is refused here. */
function checkNames(construct: Construct, prop: string, names: unknown, pattern: string): void {
  const list: readonly unknown[] = Array.isArray(names) ? names : [];
  const wrong = list.find((name) => typeof name !== 'string' || !new RegExp(pattern).test(name));
  if (list.length > 0 && wrong === undefined) return;
  const example = prop === 'backupServers' ? "['graph:6362']" : "['customer*']";
  throw invalid(construct, `has the ${prop} ${JSON.stringify(names)}`, `name some, as ${prop}: ${example}`);
}
