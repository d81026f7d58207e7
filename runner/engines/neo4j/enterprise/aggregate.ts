/**
 * Makes one full file of a chain: the tool applies to the full one what came since. It is believed only when a look and a check of it
 * alone have found it good. The chain stays where it is: earlier backups have the same files.
 */
import { StillpointError } from '../../../errors';
import { aggregateLine } from './admin-lines';
import { good, inspect, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import type { Artifact } from './artifacts';
import { checked } from './check';

/** The file that stands for a chain. Throws tool-version, tool-failed, room-missing. */
export async function aggregated(
  database: string,
  chain: readonly Artifact[],
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Artifact> {
  const { version, to, temp } = backup;
  const last = chain.at(-1);
  if (last === undefined) throw new StillpointError('tool-failed', `there is no chain of ${database}`);
  const line = aggregateLine(version, { artifact: last.file, temp });
  await assertRoomFor(database, chain, world);
  const before = await inspect(to, backup, world);
  await good(`the aggregation of ${database}`, line, world);
  const made = whatWasMade(database, chain, before, await inspect(to, backup, world));
  await assertAlone(made, backup, world);
  const unchecked = await checked(`what ${database} was aggregated to`, [made], backup, world);
  if (unchecked !== undefined) throw new StillpointError('tool-failed', unchecked);
  return made;
}

/** It is what it is without its chain, too. */
async function assertAlone(made: Artifact, backup: OnlineBackup, world: OnlineBackupWorld): Promise<void> {
  const folder = await world.apart([made.file]);
  try {
    const [only, ...others] = await inspect(folder, backup, world);
    if (only?.full === true && others.length === 0 && only.highest === made.highest) return;
    throw new StillpointError('tool-failed', `${made.file} alone is not what it is beside its chain`);
  } finally {
    await world.remove(folder);
  }
}

/** A whole file that ends where the chain does. Whether it has a name of its own, or that of the last of the chain, is not documented. */
function whatWasMade(
  database: string,
  chain: readonly Artifact[],
  before: readonly Artifact[],
  after: readonly Artifact[],
): Artifact {
  const highest = Math.max(...chain.map((each) => each.highest));
  const were = new Set(before.filter(({ full }) => full).map(({ file }) => file));
  const made = after.filter((each) => each.full && each.database === database && !were.has(each.file));
  const found = made.find((each) => each.databaseId === chain[0]?.databaseId && each.highest === highest);
  if (found !== undefined) return found;
  throw new StillpointError(
    'tool-failed',
    `neo4j-admin said that it had aggregated ${database}, and there is no full file up to transaction ${highest}`,
  );
}

/** The chain stays beside what is made of it, which takes about as much. */
async function assertRoomFor(
  database: string,
  chain: readonly Artifact[],
  { freeBytes, sizeOf }: OnlineBackupWorld,
): Promise<void> {
  const free = await freeBytes();
  if (free === undefined) return;
  const sizes = await Promise.all(chain.map(({ file }) => sizeOf(file)));
  const needed = sizes.reduce((sum, each) => sum + each, 0);
  if (free > needed) return;
  throw new StillpointError('room-missing', `${free} bytes are free, and the chain of ${database} takes ${needed}`, {
    hint: 'make the volume larger, or let retention keep less',
  });
}
