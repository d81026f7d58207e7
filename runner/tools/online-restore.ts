/** What is known of an engine that puts one database of an online backup back into a running server. */
import type { MetadataName } from '../../src/contract';
import type { Clock, Log } from '../ports';
import type { Target } from '../target';
import type { OnlineRun } from './online';

/** What is restored, and as what. */
export interface OnlineRestoreRequest {
  /** What the tool says of its version. */
  readonly toolSays: string;
  /** The name that the database had. */
  readonly database: string;
  /** The last transaction that the backup has. */
  readonly highestTransaction: number;
  /** The name that it gets; one beside the alias where there is an alias, else its own, when left out. */
  readonly into?: string | undefined;
  /** Up to this instant in UTC, or up to and without this transaction. */
  readonly until?: string | undefined;
  readonly metadata: MetadataName;
  readonly check: boolean;
  /** Whether a database of that name is dropped for it. */
  readonly replace: boolean;
  /** The alias that is moved to it. */
  readonly alias?: string | undefined;
  /** A folder of this restore alone, on a volume with room. */
  readonly scratch: string;
}

/** A file that the server can fetch, for as long as this is not disposed of. */
export interface ServedFile extends AsyncDisposable {
  readonly uri: string;
  /** How often it was sent to its end. */
  readonly fetched: () => number;
}

export interface OnlineRestoreWorld {
  /** Brings all files that the database takes, the full one first: absolute paths in one folder. It may take hours: what can be refused is refused before. */
  readonly bring: () => Promise<readonly string[]>;
  readonly run: (
    line: { readonly program: string; readonly args: readonly string[] },
    environment: Readonly<Record<string, string>>,
  ) => Promise<OnlineRun>;
  /** Serves a file where a host that listens at a port can reach it. */
  readonly serve: (file: string, near: { readonly host: string; readonly port: number }) => Promise<ServedFile>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What an alias was moved from and to: with that it is moved back. */
export interface Switched {
  readonly alias: string;
  /** What it pointed to, which is kept as it is. */
  readonly from: string;
  readonly to: string;
  /** When, as ISO 8601. */
  readonly at: string;
}

/** What came of it. */
export interface OnlineRestored {
  readonly database: string;
  /** The server's version. */
  readonly version: string;
  /** The last transaction of what was restored. */
  readonly transaction: string;
  readonly switched?: Switched | undefined;
}

/** Restores of an engine's online backups. */
export interface EngineOnlineRestore {
  /** Puts one database back. Throws restore-exists, before anything is touched, where something is in its place. */
  restore(target: Target, request: OnlineRestoreRequest, world: OnlineRestoreWorld): Promise<OnlineRestored>;
  /** Moves an alias to a database, or back to where the last move took it from. */
  moveAlias(
    target: Target,
    move: { readonly alias: string; readonly to: string } | { readonly alias: string; readonly back: true },
    world: Pick<OnlineRestoreWorld, 'clock' | 'signal'>,
  ): Promise<Switched>;
}
