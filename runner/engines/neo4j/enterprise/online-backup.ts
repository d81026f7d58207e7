/** Backs up databases one by one by neo4j-admin: what becomes of one neither hides nor spoils the others. */
import { asStillpointError, StillpointError } from '../../../errors';
import { backupLine, checkLine } from './admin-lines';
import { good, inspect, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import { hasArtifacts } from './admin-version';
import { aggregated } from './aggregate';
import { type Artifact, chainOf } from './artifacts';
import { checked } from './check';
import type { Selected } from './selection';

/** What became of one database. */
export interface DatabaseEnd extends Selected {
  /** All that a restore of it takes, the full one first: there if, and only if, the backup is good. */
  readonly chain?: readonly Artifact[] | undefined;
  readonly error?: StillpointError | undefined;
  /** What did not come about as it was wanted, though the backup is good. */
  readonly warnings?: readonly string[] | undefined;
}

interface Taken {
  readonly chain: readonly Artifact[];
  readonly warnings: readonly string[];
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
  if (taken.chain.length < 2 || backup.aggregate?.includes(database) !== true) return taken;
  return await shortened(database, taken, backup, world);
}

/** One full file in place of a chain that is good: made of it, or else taken of the server. What neither gives stays the chain. */
async function shortened(
  database: string,
  { chain, warnings: before }: Taken,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Taken> {
  const warnings: string[] = [];
  const ways: Readonly<Record<string, () => Promise<Taken | undefined>>> = {
    'its chain was not aggregated': async () => ({
      chain: [await aggregated(database, chain, backup, world)],
      warnings: [],
    }),
    'it was not taken in full': () => one(database, { ...backup, type: 'full' }, world),
  };
  for (const [otherwise, way] of Object.entries(ways)) {
    world.signal.throwIfAborted();
    try {
      const short = await way();
      if (short !== undefined) return { chain: short.chain, warnings: [...warnings, ...short.warnings] };
    } catch (thrown) {
      world.signal.throwIfAborted();
      warnings.push(`database ${database}: ${otherwise}: ${ofOne(thrown).message}`);
    }
  }
  return { chain, warnings: [...before, ...warnings] };
}

async function one(database: string, backup: OnlineBackup, world: OnlineBackupWorld): Promise<Taken | undefined> {
  const { version, to, report, temp } = backup;
  const before = await inspect(to, backup, world);
  await assertRoom(database, before, world);
  const files = new Set(before.map(({ file }) => file));
  // Exit code 1 stands for "failed" and for "succeeded with problems" alike: what cannot be told apart is no backup.
  await good(`the backup of ${database}`, backupLine(version, { ...backup, database }), world);
  if (!hasArtifacts(version)) {
    await good(`the check of ${database}`, checkLine(version, { database, from: to, report, temp }), world);
    return undefined;
  }
  const after = await inspect(to, backup, world);
  const made = after.find((each) => each.database === database && !files.has(each.file));
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
