/** What an online backup needs of the world, and how neo4j-admin is run in it. */
import { StillpointError } from '../../../errors';
import { lastWordsOf } from '../../../tools/tool';
import { type AdminLine, type BackupRequest, inspectLine } from './admin-lines';
import type { AdminVersion } from './admin-version';
import { type Artifact, artifactsIn } from './artifacts';
import type { Selected } from './selection';

/** How a run of the tool ended. */
export interface AdminEnd {
  readonly exitCode: number;
  readonly output: string;
  readonly said: string;
}

export interface OnlineBackup extends Pick<BackupRequest, 'from' | 'to' | 'type' | 'temp'> {
  readonly version: AdminVersion;
  readonly databases: readonly Selected[];
  /** Where reports of checks go. */
  readonly report: string;
  /** Those of whose chain one full file is made when it has grown by this backup. */
  readonly aggregate?: readonly string[] | undefined;
}

/** What this needs of the world. */
export interface OnlineBackupWorld {
  readonly run: (line: AdminLine, signal: AbortSignal) => Promise<AdminEnd>;
  /** What is free where the backups go; undefined of a place that has no end. */
  readonly freeBytes: () => Promise<number | undefined>;
  /** What a file takes up there. */
  readonly sizeOf: (file: string) => Promise<number>;
  /** What the largest file of a database took in the last backup, where that lies elsewhere; 0 where there is none. */
  readonly lastBytes?: ((database: string) => number) | undefined;
  /** A folder with nothing but those files, without a copy of them. */
  readonly apart: (files: readonly string[]) => Promise<string>;
  /** A folder with nothing but copies of those files: what is written to them there does not reach the files. */
  readonly copies: (files: readonly string[]) => Promise<string>;
  /** Removes a file that the tool has made, or such a folder. */
  readonly remove: (path: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What lies in a folder, as the tool sees it. */
export async function inspect(
  folder: string,
  { version }: Pick<OnlineBackup, 'version'>,
  world: OnlineBackupWorld,
): Promise<readonly Artifact[]> {
  const line = inspectLine(version, folder);
  return line === undefined ? [] : artifactsIn(await good(`the look at ${folder}`, line, world));
}

/** What a run printed that ended with 0. Throws tool-failed. */
export async function good(what: string, line: AdminLine, { run, signal }: OnlineBackupWorld): Promise<string> {
  const { exitCode, output, said } = await run(line, signal);
  if (exitCode === 0) return output;
  throw new StillpointError(
    'tool-failed',
    `${what} ended with ${exitCode}: ${lastWordsOf(said, []) || 'no word of why'}`,
  );
}

/** What takes room from the databases after it. Where it cannot be removed, the work as a whole is, at its end, or by the next run. */
export async function discard(path: string, { remove }: OnlineBackupWorld): Promise<void> {
  await remove(path).catch(() => undefined);
}
