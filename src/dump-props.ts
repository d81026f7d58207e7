import type { Duration } from 'cdk8s';
import type { ISecret } from 'cdk8s-plus-28';
import type { ConnectionProps, PolicyProps } from './backup-props';
import type { IRegistry } from './registry';
import type { RunnerPodProps } from './runner-pod';
import type { BackupStorage } from './storage';

/** How a dump is made smaller on its way. */
export enum DumpCompression {
  /** By zstd, as `zstd` alone can undo it. */
  ZSTD = 'zstd',
  /** By gzip. */
  GZIP = 'gzip',
  /** Not at all. */
  NONE = 'none',
}

/** How objects are called in the store. */
export enum DumpLayout {
  /** `stillpoint/<namespace>/<database>/<id>/`, with the dump and its record in it. */
  STILLPOINT = 'stillpoint',
  /**
   * `kubedb/<namespace>/<database>/<id>/dumpfile.sql`, as KubeDB's snapshots lie: a plain dump, with its record beside it.
   */
  KUBEDB = 'kubedb',
}

/** What everything has that runs in an engine's own image. */
export interface ServerImageProps {
  /**
   * The engine's own image, as the server runs it: its tools are run from there, and the runner is brought into it by an init
   * container. It has to be one with glibc, and to have tools that are as new as the server. One with musl (`…-alpine`) is
   * refused.
   */
  readonly serverImage: string;
}

/** What everything has that runs an engine's own tools against a server. */
export interface DumpToolProps extends ConnectionProps, ServerImageProps {}

/** What every policy of dumps has, of servers and of files. */
export interface DumpPolicyProps extends ServerImageProps, PolicyProps {
  /** The store that the dumps lie in. Its credentials are in a Secret of this namespace. */
  readonly storage: BackupStorage;

  /**
   * How the dump is made smaller.
   *
   * @default - DumpCompression.ZSTD; DumpCompression.NONE with DumpLayout.KUBEDB, and of Neo4j, whose dumps are compressed already
   */
  readonly compression?: DumpCompression;

  /**
   * The public keys of age (`age1…`) that dumps are encrypted for, before they leave the pod. Each of the identities that belong to
   * them opens a dump alone, by a restore or by the `age` command; nobody else does, the policy's own account neither.
   *
   * @default - none: dumps are not encrypted
   */
  readonly recipients?: string[];
}

/** What every policy of dumps of a server has. */
export interface DatabaseDumpProps extends DumpToolProps, DumpPolicyProps {
  /**
   * How the objects are called in the store.
   *
   * @default DumpLayout.STILLPOINT
   */
  readonly layout?: DumpLayout;
}

/** What a policy of dumps has whose server holds several databases. */
export interface SelectiveDumpProps extends DatabaseDumpProps {
  /**
   * The one database of the server that is dumped.
   *
   * @default - all of them, with what belongs to the server itself, as its users
   */
  readonly onlyDatabase?: string;
}

/** Which dump is restored: what every restore from one has. */
export interface DumpSourceProps extends RunnerPodProps {
  /** The store that the dump lies in. Its credentials are in a Secret of this namespace. */
  readonly storage: BackupStorage;

  /** The name of the database that the backup is of. */
  readonly database: string;

  /**
   * The namespace of that database.
   *
   * @default - the chart's own
   */
  readonly databaseNamespace?: string;

  /**
   * The backup's id, as `20261121020000`. It is not `latest`: what is applied from Git must not depend on the day.
   */
  readonly backup: string;

  /**
   * The Secret with the identity that opens the dump, as `age-keygen` writes it (`AGE-SECRET-KEY-…`; several, one a line). A dump
   * that is not encrypted is refused where there is one.
   *
   * @default - none: the dump is not encrypted
   */
  readonly identity?: ISecret;

  /**
   * The key of the identity in its Secret.
   *
   * @default 'key.txt'
   */
  readonly identityKey?: string;

  /**
   * The longest that the restore may take.
   *
   * @default Duration.hours(6)
   */
  readonly deadline?: Duration;

  /**
   * Where the backup's record is kept. Where it is not there any more, that beside the dump is taken.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;
}

/** What every restore from a dump into a server has. */
export interface DumpRestoreProps extends DumpSourceProps, DumpToolProps {
  /**
   * Whether the dump is read to its end and compared with its record before the server gets a byte of it. Without, it is
   * compared on the way: what does not agree fails the restore, and leaves a server that is to be thrown away.
   *
   * @default false
   */
  readonly checkFirst?: boolean;

  /**
   * Whether a server that holds something already is restored into all the same.
   *
   * @default false
   */
  readonly intoOccupied?: boolean;

  /**
   * How long the server is waited for: it may be applied together with the restore.
   *
   * @default Duration.minutes(5)
   */
  readonly wait?: Duration;
}

/** What a restore has whose server holds several databases. */
export interface SelectiveRestoreProps extends DumpRestoreProps {
  /**
   * The one database that is taken out of a dump of all: nothing else of it is touched. Of a dump of one database it is
   * left out.
   *
   * @default - all that the dump holds
   */
  readonly onlyDatabase?: string;

  /**
   * The name under which one database comes back. It has to be empty; where it is not there, it is made. A dump of all makes its
   * own.
   *
   * @default - the name that it had
   */
  readonly intoDatabase?: string;
}
