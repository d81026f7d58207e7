/** Backs up databases one by one by neo4j-admin: what becomes of one neither hides nor spoils the others. */
import { asStillpointError, StillpointError } from '../../../errors';
import { lastWordsOf } from '../../../tools/tool';
import { type AdminLine, type BackupRequest, backupLine, checkLine, inspectLine } from './admin-lines';
import { type AdminVersion, hasArtifacts } from './admin-version';
import { type Artifact, artifactsIn, chainOf } from './artifacts';
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
  readonly signal: AbortSignal;
}

/** What became of one database. */
export interface DatabaseEnd extends Selected {
  /** All that a restore of it takes, the full one first: there if, and only if, the backup is good. */
  readonly chain?: readonly Artifact[] | undefined;
  readonly error?: StillpointError | undefined;
}

/** Takes all of them, whatever becomes of each. Throws only where nothing can be said of any: an interruption, no tool. */
export async function backUpOnline(backup: OnlineBackup, world: OnlineBackupWorld): Promise<readonly DatabaseEnd[]> {
  const ends: DatabaseEnd[] = [];
  for (const selected of backup.databases) {
    world.signal.throwIfAborted();
    try {
      ends.push({ ...selected, chain: await one(selected.name, backup, world) });
    } catch (thrown) {
      const error = asStillpointError(thrown);
      if (error.code === 'tool-missing' || error.code === 'interrupted') throw error;
      ends.push({ ...selected, error });
    }
  }
  return ends;
}

async function one(
  database: string,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<readonly Artifact[] | undefined> {
  const { version, to, report, temp } = backup;
  const before = await inspect(backup, world);
  await assertRoom(database, before, world);
  const files = new Set(before.map(({ file }) => file));
  // Exit code 1 stands for "failed" and for "succeeded with problems" alike: what cannot be told apart is no backup.
  await good(`the backup of ${database}`, backupLine(version, { ...backup, database }), world);
  await good(`the check of ${database}`, checkLine(version, { database, from: to, report, temp }), world);
  if (!hasArtifacts(version)) return undefined;
  const after = await inspect(backup, world);
  const made = after.find((each) => each.database === database && !files.has(each.file));
  if (made !== undefined) return chainOf(made, after);
  throw new StillpointError(
    'tool-failed',
    `neo4j-admin said that it had backed up ${database}, and there is no new file`,
  );
}

async function inspect({ version, to }: OnlineBackup, world: OnlineBackupWorld): Promise<readonly Artifact[]> {
  const line = inspectLine(version, to);
  return line === undefined ? [] : artifactsIn(await good(`the look at ${to}`, line, world));
}

/** As much as the largest backup of it took: a differential one takes less, and may have to be a full one. */
async function assertRoom(
  database: string,
  before: readonly Artifact[],
  { freeBytes, sizeOf, lastBytes }: OnlineBackupWorld,
): Promise<void> {
  const free = await freeBytes();
  if (free === undefined) return;
  const sizes = await Promise.all(before.filter((each) => each.database === database).map(({ file }) => sizeOf(file)));
  const needed = Math.max(lastBytes?.(database) ?? 0, ...sizes);
  if (free > needed) return;
  throw new StillpointError(
    'tool-failed',
    `${free} bytes are free for a backup of ${database}, and the last took ${needed}`,
    {
      hint: 'make the volume larger, or let retention keep less',
    },
  );
}

async function good(what: string, line: AdminLine, { run, signal }: OnlineBackupWorld): Promise<string> {
  const { exitCode, output, said } = await run(line, signal);
  if (exitCode === 0) return output;
  throw new StillpointError(
    'tool-failed',
    `${what} ended with ${exitCode}: ${lastWordsOf(said, []) || 'no word of why'}`,
  );
}
