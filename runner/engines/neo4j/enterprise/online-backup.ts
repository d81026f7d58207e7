/** Backs up databases one by one by neo4j-admin: what becomes of one neither hides nor spoils the others. */
import { asStillpointError, StillpointError } from '../../../errors';
import { backupLine, checkLine } from './admin-lines';
import { discard, good, inspect, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import { hasArtifacts } from './admin-version';
import { type Artifact, chainOf } from './artifacts';
import { checked } from './check';
import type { Selected } from './selection';
import { shortened, type Taken } from './shorten';

/** What became of one database. */
export interface DatabaseEnd extends Selected {
  /** All that a restore of it takes, the full one first: there if, and only if, the backup is good. */
  readonly chain?: readonly Artifact[] | undefined;
  readonly error?: StillpointError | undefined;
  /** What did not come about as it was wanted, though the backup is good. */
  readonly warnings?: readonly string[] | undefined;
}

/** Takes all of them, whatever becomes of each. Throws only where nothing can be said of any: an interruption, no tool. */
export async function backUpOnline(backup: OnlineBackup, world: OnlineBackupWorld): Promise<readonly DatabaseEnd[]> {
  const ends: DatabaseEnd[] = [];
  for (const selected of backup.databases) {
    world.signal.throwIfAborted();
    try {
      ends.push({ ...selected, ...(await taken(selected.name, backup, world)) });
    } catch (thrown) {
      ends.push({ ...selected, error: ofOne(thrown) });
    }
  }
  return ends;
}

/** What went wrong with one database; throws what would go wrong with all. */
function ofOne(thrown: unknown): StillpointError {
  const error = asStillpointError(thrown);
  if (error.code === 'tool-missing' || error.code === 'interrupted') throw error;
  return error;
}

async function taken(
  database: string,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Pick<DatabaseEnd, 'chain' | 'warnings'>> {
  const taken = await one(database, backup, world);
  if (taken === undefined) return {};
  const { chain } = taken;
  if (chain.length < 2 || !backup.aggregate.includes(database)) return taken;
  const anew = async (): Promise<Taken | undefined> => await apart(database, chain, backup, world);
  return await shortened({ database, taken, anew, ofOne }, backup, world);
}

/** All of it, in a folder of its own: what fails there leaves the chain as it is, and takes no room from the databases after it. */
async function apart(
  database: string,
  chain: readonly Artifact[],
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Taken | undefined> {
  const to = await world.apart([]);
  try {
    return await one(database, { ...backup, to, type: 'full' }, world, chain);
  } catch (thrown) {
    await discard(to, world);
    throw thrown;
  }
}

/** What there is of it after a run of the tool. What that has made is removed where it is not good: the databases after it need the room. */
async function one(
  database: string,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
  earlier: readonly Artifact[] = [],
): Promise<Taken | undefined> {
  const before = await inspect(backup.to, backup, world);
  await assertRoom(database, [...before, ...earlier], world);
  const files = new Set(before.map(({ file }) => file));
  const isNew = ({ database: of, file }: Artifact): boolean => of === database && !files.has(file);
  try {
    return await run(database, isNew, backup, world);
  } catch (thrown) {
    if (!world.signal.aborted) {
      // Why it failed is more than what is left of it.
      const left = await inspect(backup.to, backup, world).catch(() => []);
      for (const { file } of left.filter(isNew)) await discard(file, world);
    }
    throw thrown;
  }
}

async function run(
  database: string,
  isNew: (each: Artifact) => boolean,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Taken | undefined> {
  const { version, to, report, temp } = backup;
  // Exit code 1 stands for "failed" and for "succeeded with problems" alike: what cannot be told apart is no backup.
  await good(`the backup of ${database}`, backupLine(version, { ...backup, database }), world);
  if (!hasArtifacts(version)) {
    await good(`the check of ${database}`, checkLine(version, { database, from: to, report, temp }), world);
    return undefined;
  }
  const after = await inspect(to, backup, world);
  const made = after.find(isNew);
  if (made === undefined) {
    throw new StillpointError(
      'tool-failed',
      `neo4j-admin said that it had backed up ${database}, and there is no new file`,
    );
  }
  const chain = chainOf(made, after);
  const unchecked = await checked(database, chain, backup, world);
  return { chain, warnings: unchecked === undefined ? [] : [`database ${database}: ${unchecked}`] };
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
  const needed = Math.max(lastBytes(database), ...sizes);
  if (free > needed) return;
  throw new StillpointError(
    'tool-failed',
    `${free} bytes are free for a backup of ${database}, and the last took ${needed}`,
    {
      hint: 'make the volume larger, or let retention keep less',
    },
  );
}
