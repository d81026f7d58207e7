import type { Construct } from 'constructs';
import { checkDumpKinds, checkEnum } from '../check-kinds';
import { checkConnection } from '../checks';
import { connectionOf, connectionVolumes } from '../connection';
import { ONE_DATABASE_PATTERN, UNTIL_PATTERN } from '../contract';
import type { RestoreGoal, RestorePod } from '../dump-config';
import type { DumpSourceProps, DumpToolProps } from '../dump-props';
import { DumpRestore } from '../dump-restore';
import { invalid } from '../invalid';
import { given } from '../resources';
import { checkScratch, JAVA_RESOURCES, SCRATCH, scratchVolume } from './neo4j-pod';
import type { Neo4jScratchProps } from './neo4j-scratch';

/** What a {@link Neo4jOnlineRestore} takes of the users and roles that a backup has beside the data. */
export enum Neo4jMetadata {
  /** Nothing: who may do what on the database is granted by somebody else. */
  NONE = 'none',
  /** Roles that are not there, and what they may do on the database. */
  ROLES = 'roles',
  /** Users too, with the passwords that they had, and their roles. Who was removed since the backup comes back. */
  ALL = 'all',
}

/** Properties of a {@link Neo4jOnlineRestore}. */
export interface Neo4jOnlineRestoreProps extends DumpSourceProps, DumpToolProps {
  /** The volume that the restore works in. */
  readonly scratch: Neo4jScratchProps;

  /**
   * The database of the backup that is restored: by its name, or by an alias that pointed to it then.
   *
   * @default - what `switchAlias` pointed to then; without that, the only one that the backup has
   */
  readonly onlyDatabase?: string;

  /**
   * The name that it gets.
   *
   * @default - the name that it had; with `switchAlias` a new one: `<alias>-<seconds since 1970>`
   */
  readonly intoDatabase?: string;

  /**
   * The alias that is moved to the database when that is online and checked: who comes by the alias is there from then on. What it
   * pointed to is kept as it is: `stillpoint switch <alias> --back` moves it back.
   *
   * @default - none
   */
  readonly switchAlias?: string;

  /**
   * Up to when what was written is restored, in UTC to the second: `2026-11-26T02:59:00Z`. The backup has to be one of a chain that goes
   * beyond.
   *
   * @default - all that the backup has
   */
  readonly untilTime?: string;

  /**
   * Up to which transaction, without that itself.
   *
   * @default - all that the backup has
   */
  readonly untilTransaction?: number;

  /**
   * What is taken of users and roles.
   *
   * @default Neo4jMetadata.ROLES
   */
  readonly metadata?: Neo4jMetadata;

  /**
   * Whether `neo4j-admin` checks what it has restored for consistency before the server gets it.
   *
   * @default true
   */
  readonly consistencyCheck?: boolean;

  /**
   * Whether a database of the name is dropped once what replaces it is ready. The server writes a dump of it, into its own folder for
   * dumps. One that an alias points to is not dropped.
   *
   * @default false
   */
  readonly replaceExisting?: boolean;
}

/**
 * Restores one database of a backup of a {@link Neo4jOnlineBackup} into a running server of the Enterprise edition, or a cluster of them:
 * under its own name where that is free, under another, as of a point in time, or beside the present one with an alias moved to
 * it. The tool puts it together in the Job's own pod; the servers fetch it from there by HTTP, so they need
 * `URLConnectionSeedProvider` among `dbms.databases.seed_from_uri_providers`, and a network policy has to let them.
 *
 * @example
 * new Neo4jOnlineRestore(chart, 'customer1-of-monday', {
 *   host: 'graph',
 *   credentials: Secret.fromSecretName(chart, 'admin', 'graph-admin'),
 *   serverImage: 'neo4j:2025-enterprise',
 *   storage: BackupStorage.volume({ claimName: 'graph-backups' }),
 *   database: 'customers',
 *   backup: '20261126030000',
 *   switchAlias: 'customer1',
 *   scratch: { size: Size.gibibytes(50) },
 * });
 */
export class Neo4jOnlineRestore extends DumpRestore {
  constructor(scope: Construct, id: string, props: Neo4jOnlineRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _check(props: Neo4jOnlineRestoreProps): void {
    checkDumpKinds(this, props);
    checkConnection(this, props);
    checkEnum(this, 'metadata', props.metadata, Neo4jMetadata);
    for (const prop of ['onlyDatabase', 'intoDatabase', 'switchAlias'] as const) checkName(this, prop, props[prop]);
    checkUntil(this, props);
    checkScratch(this, props.scratch);
    if (props.replaceExisting === true && props.switchAlias !== undefined && props.intoDatabase === undefined) {
      throw invalid(
        this,
        'replaces a database whose name is made anew',
        'leave replaceExisting out, or name intoDatabase',
      );
    }
  }

  /** @internal */
  protected override _goal(props: Neo4jOnlineRestoreProps): RestoreGoal {
    const { onlyDatabase, intoDatabase, untilTime, untilTransaction } = props;
    return {
      connection: connectionOf(props, { defaultPort: 7687 }),
      ...given('only', onlyDatabase),
      ...given('into', intoDatabase),
      online: {
        scratch: SCRATCH,
        metadata: props.metadata ?? Neo4jMetadata.ROLES,
        ...given('until', untilTime ?? (untilTransaction === undefined ? undefined : String(untilTransaction))),
        ...given('check', props.consistencyCheck),
        ...given('replace', props.replaceExisting),
        ...given('alias', props.switchAlias),
      },
    };
  }

  /** @internal */
  protected override _pod(props: Neo4jOnlineRestoreProps): RestorePod {
    return {
      serverImage: props.serverImage,
      resources: JAVA_RESOURCES,
      volumes: [scratchVolume(props.scratch), ...connectionVolumes(props)],
    };
  }
}

function checkName(construct: Construct, prop: string, name: string | undefined): void {
  if (name === undefined || new RegExp(ONE_DATABASE_PATTERN).test(name)) return;
  throw invalid(
    construct,
    `has the ${prop} ${JSON.stringify(name)}`,
    'a name has 3 to 63 letters, digits, dots and hyphens, and begins with a letter',
  );
}

function checkUntil(construct: Construct, { untilTime, untilTransaction }: Neo4jOnlineRestoreProps): void {
  if (untilTime !== undefined && untilTransaction !== undefined) {
    throw invalid(construct, 'has an untilTime and an untilTransaction', 'give one of them');
  }
  if (untilTransaction !== undefined && (!Number.isSafeInteger(untilTransaction) || untilTransaction < 1)) {
    throw invalid(construct, `has the untilTransaction ${untilTransaction}`, 'set it to a whole number from 1 on');
  }
  if (untilTime === undefined) return;
  if (/T/.test(untilTime) && new RegExp(UNTIL_PATTERN).test(untilTime) && !Number.isNaN(Date.parse(untilTime))) return;
  throw invalid(
    construct,
    `has the untilTime ${JSON.stringify(untilTime)}`,
    "write it in UTC, as '2026-11-26T02:59:00Z'",
  );
}
