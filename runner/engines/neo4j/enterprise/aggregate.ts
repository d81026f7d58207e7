/**
 * Makes one full file of a chain: the tool applies to the full one what came since. It is believed only when a look and a check of it
 * alone have found it good. The chain stays as it is: earlier backups have the same files.
 */
import { basename, join } from 'node:path';
import { StillpointError } from '../../../errors';
import { type AdminLine, aggregateLine } from './admin-lines';
import { discard, good, inspect, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import type { Artifact } from './artifacts';
import { checked } from './check';

/** The file that stands for a chain, in a folder of its own. Throws tool-version, tool-failed, room-missing. */
export async function aggregated(
  database: string,
  chain: readonly Artifact[],
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Artifact> {
  const last = chain.at(-1);
  if (last === undefined) throw new StillpointError('tool-failed', `there is no chain of ${database}`);
  // What a version cannot do is refused before anything is copied.
  const lineIn = (folder: string): AdminLine =>
    aggregateLine(backup.version, { artifact: join(folder, basename(last.file)), temp: backup.temp });
  lineIn('/');
  await assertRoomFor(database, chain, world);
  // Of copies: what the product is called is not documented. A link to a file of the chain would keep it where that is replaced, and lose
  // it, in the earlier backups too, where it is written through.
  const folder = await world.copies(chain.map(({ file }) => file));
  try {
    const before = await inspect(folder, backup, world);
    await good(`the aggregation of ${database}`, lineIn(folder), world);
    const after = await inspect(folder, backup, world);
    const made = whatWasMade(database, chain, before, after);
    await assertAlone(made, backup, world);
    const unchecked = await checked(`what ${database} was aggregated to`, [made], backup, world);
    if (unchecked !== undefined) throw new StillpointError('tool-failed', unchecked);
    for (const { file } of after) if (file !== made.file) await discard(file, world);
    return made;
  } catch (thrown) {
    await discard(folder, world);
    throw thrown;
  }
}

/** It is what it is without its chain, too. */
async function assertAlone(made: Artifact, backup: OnlineBackup, world: OnlineBackupWorld): Promise<void> {
  const folder = await world.apart([made.file]);
  try {
    const [only, ...others] = await inspect(folder, backup, world);
    if (only?.full === true && others.length === 0 && only.highest === made.highest) return;
    throw new StillpointError('tool-failed', `${made.file} alone is not what it is beside its chain`);
  } finally {
    await discard(folder, world);
  }
}

/** A whole file that ends where the chain does: by a name of its own, or by that of what was no whole one before. */
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

/** What is made of a chain takes about as much as it, and so do the copies where a file system does not share their blocks. */
async function assertRoomFor(
  database: string,
  chain: readonly Artifact[],
  { freeBytes, sizeOf }: OnlineBackupWorld,
): Promise<void> {
  const free = await freeBytes();
  if (free === undefined) return;
  const sizes = await Promise.all(chain.map(({ file }) => sizeOf(file)));
  const takes = sizes.reduce((sum, each) => sum + each, 0);
  if (free > 2 * takes) return;
  throw new StillpointError(
    'room-missing',
    `${free} bytes are free, and the chain of ${database} takes ${takes}: it is copied, and made one file of`,
    { hint: 'make the volume larger, or let retention keep less' },
  );
}
