/** Has the tool check for consistency what was taken, as far as its version checks what it is; and says so where it does not. */
import { checkLine } from './admin-lines';
import { discard, good, type OnlineBackup, type OnlineBackupWorld } from './admin-run';
import { checksChains, wordOf } from './admin-version';
import type { Artifact } from './artifacts';

/**
 * Checks a chain, or one full file, in a folder of its own: which of several in a folder the tool would take differs by version. Returns why it was
 * not checked, as the end of a sentence; undefined where it was. Throws tool-failed.
 */
export async function checked(
  what: string,
  chain: readonly Artifact[],
  backup: OnlineBackup,
  world: OnlineBackupWorld,
): Promise<string | undefined> {
  const { version, report, temp } = backup;
  const [full, ...others] = chain;
  if (full === undefined) return 'there is nothing to check';
  if (!checksChains(version)) {
    const tool = `neo4j-admin ${wordOf(version)} checks full backups that are recovered`;
    // What came since was looked at, and is whole as a chain; its full file was checked when it was taken.
    if (others.length > 0) return `the chain is not checked: ${tool}, and this is one with what came since`;
    if (full.recovered === false) return `the full backup is not checked: ${tool}, and this one is not`;
  }
  const from = await world.apart(chain.map(({ file }) => file));
  try {
    await good(`the check of ${what}`, checkLine(version, { database: full.database, from, report, temp }), world);
  } finally {
    await discard(from, world);
  }
  return undefined;
}
