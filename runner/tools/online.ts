/** What is known of an engine whose own tool takes databases as files from a running server. */
import type { StillpointError } from '../errors';
import type { Finding, Log } from '../ports';
import type { Target } from '../target';
import type { EngineOnlineRestore } from './online-restore';

/** What a policy wants: names and patterns. */
export interface WantedDatabases {
  readonly databases: readonly string[];
  readonly aliases: readonly string[];
}

/** One database, and the aliases that it was found by. */
export interface FoundDatabase {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** What the server has of it. An error among the findings is of one database, and keeps no other from its backup. */
export interface FoundDatabases {
  readonly selected: readonly FoundDatabase[];
  readonly findings: readonly Finding[];
}

/** A file that the tool has written. */
export interface OnlineFile {
  /** Its absolute path. */
  readonly file: string;
  readonly databaseId: string;
  readonly full: boolean;
  readonly highest: number;
}

/** What became of one database. */
export interface OnlineEnd extends FoundDatabase {
  /** All that a restore of it takes, the full one first: there if, and only if, the backup is good. */
  readonly chain?: readonly OnlineFile[] | undefined;
  readonly error?: StillpointError | undefined;
  /** What did not come about as it was wanted, though the backup is good. */
  readonly warnings?: readonly string[] | undefined;
}

export interface OnlineRequest {
  /** What the tool says of its version. */
  readonly toolSays: string;
  readonly databases: readonly FoundDatabase[];
  /** `host:6362`, each tried in order. */
  readonly from: readonly string[];
  readonly type: 'full' | 'differential' | 'auto';
  /** The folder that the files go to; what chains are gone on with lies there. */
  readonly to: string;
  /** Where reports of checks go. */
  readonly report: string;
  /** An empty folder for files until the tool is done. */
  readonly temp: string;
  /** Those of whose chain one full file is made when it has grown by this backup. */
  readonly aggregate: readonly string[];
}

/** How a run of the tool ended. */
export interface OnlineRun {
  readonly exitCode: number;
  readonly output: string;
  readonly said: string;
}

/** The files that the tool has written, and the volume that they lie on. */
export interface OnlineVolume {
  /** What is free where the backups go; undefined of a place that has no end. */
  readonly freeBytes: () => Promise<number | undefined>;
  readonly sizeOf: (file: string) => Promise<number>;
  /** What the largest file of a database took in the last backup; 0 where there is none. */
  readonly lastBytes: (database: string) => number;
  /** A folder with nothing but those files, without a copy of them. */
  readonly apart: (files: readonly string[]) => Promise<string>;
  /** A folder with nothing but copies of those files: what is written to them there does not reach the files. */
  readonly copies: (files: readonly string[]) => Promise<string>;
  /** Removes a file that the tool has made, or such a folder. */
  readonly remove: (path: string) => Promise<void>;
}

/** What an online backup needs of the world. */
export interface OnlineWorld extends OnlineVolume {
  readonly run: (
    line: { readonly program: string; readonly args: readonly string[] },
    signal: AbortSignal,
  ) => Promise<OnlineRun>;
  readonly signal: AbortSignal;
}

/** Online backups of an engine. */
export interface EngineOnline extends EngineOnlineRestore {
  /** How the tool is asked for its version. */
  readonly versionOf: () => { readonly program: string; readonly args: readonly string[] };
  /** Undefined when the tool is fit; else what is wrong, as a sentence. Throws tool-version of what is not known. */
  unfit(toolSays: string): string | undefined;
  /** Asks the server which databases there are, by a connection of its own. */
  find(target: Target, wanted: WantedDatabases, log: Log, signal: AbortSignal): Promise<FoundDatabases>;
  /** Takes all of them, whatever becomes of each. Throws only where nothing can be said of any. */
  backUp(request: OnlineRequest, world: OnlineWorld): Promise<readonly OnlineEnd[]>;
}
