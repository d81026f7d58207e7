/** One full file in place of a chain that is good: made of it, or else taken of the server. */
import { basename } from 'node:path';
import { StillpointError } from '../../../errors';
import { SYSTEM } from './admin-lines';
import { inspect, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import { aggregated } from './aggregate';
import type { Artifact } from './artifacts';

/** What is good of one database. */
export interface Taken {
  /** All that a restore of it takes, the full one first. */
  readonly chain: readonly Artifact[];
  /** What did not come about as it was wanted. */
  readonly warnings: readonly string[];
}

export interface Shortening {
  readonly database: string;
  readonly taken: Taken;
  /** Takes all of it of the server. */
  readonly anew: () => Promise<Taken | undefined>;
  /** What went wrong, where something else can be done. Throws what would go wrong with that too. */
  readonly ofOne: (thrown: unknown) => StillpointError;
}

/** What neither way gives stays the chain, where that is still what it was. Throws tool-failed where it is not. */
export async function shortened(
  { database, taken, anew, ofOne }: Shortening,
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<Taken> {
  const { chain, warnings: before } = taken;
  const sizes = await sizesOf(chain, world);
  const warnings: string[] = [];
  const ways: Readonly<Record<string, () => Promise<Taken | undefined>>> = {
    'its chain was not aggregated': async () => ({
      chain: [await aggregated(database, chain, backup, world)],
      warnings: unseenOf(database),
    }),
    'it was not taken in full': anew,
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
  await assertAsItWas(database, chain, sizes, backup, world);
  return { chain, warnings: [...before, ...warnings] };
}

/** The database of the DBMS has its users in itself. */
function unseenOf(database: string): readonly string[] {
  if (database === SYSTEM) return [];
  const what = 'whether neo4j-admin keeps users and roles in such a file is not known';
  return [`database ${database}: its chain was aggregated, and ${what}: a restore says where there are none`];
}

/** Nothing was to touch it; a tool that says of itself that it failed is not believed either. */
async function assertAsItWas(
  database: string,
  chain: readonly Artifact[],
  sizes: readonly number[],
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<void> {
  const there = new Map((await inspect(backup.to, backup, world)).map((each) => [each.file, each]));
  for (const [index, was] of chain.entries()) {
    const is = there.get(was.file);
    const same = is !== undefined && factsOf(is) === factsOf(was);
    if (same && (await world.sizeOf(was.file)) === sizes[index]) continue;
    throw new StillpointError(
      'tool-failed',
      `${basename(was.file)} is not what it was before the chain of ${database} was to become one file`,
      { hint: 'the backup before may have the same file: take a full one, and compare its files with their record' },
    );
  }
}

const factsOf = ({ databaseId, full, lowest, highest }: Artifact): string =>
  [databaseId, full, lowest, highest].join(' ');

function sizesOf(chain: readonly Artifact[], { sizeOf }: OnlineBackupWorld): Promise<readonly number[]> {
  return Promise.all(chain.map(({ file }) => sizeOf(file)));
}
