/** The files of a Neo4j that does not run, and how its tools find them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../../errors';
import type { DirectoryNames, StoredFacts } from '../../tools/tool';
import { removeEmptyServerId } from './server-id';
import { ownSettings, PAGE_CACHE, SETTINGS_FOLDER, WRITTEN_TO } from './settings';

/** Tools go through the files once. */
const TOOL_MEMORY = { [PAGE_CACHE]: '64m' };

/** Writes the settings beside the databases, as the pod's user, whose the files are. */
export async function prepareFiles(directory: string, modern: boolean): Promise<void> {
  const folder = join(directory, SETTINGS_FOLDER);
  const logs = join(directory, 'transactions');
  const text = ownSettings({ data: directory, logs, modern, memory: TOOL_MEMORY, listens: false });
  try {
    for (const each of WRITTEN_TO) await mkdir(join(folder, each), { recursive: true });
    await writeFile(join(folder, 'neo4j.conf'), text, { mode: 0o600 });
    await removeEmptyServerId(directory);
  } catch (cause) {
    throw new StillpointError('directory-unusable', `${folder} cannot be written: ${(cause as Error).message}`, {
      hint: 'the volume has to belong to the user of the pod: serverUser and serverGroup',
      cause,
    });
  }
}

/** What `database info` and `store-info` say, as JSON: all values in quotes, in every version. Pure. */
export function factsIn(answer: string): StoredFacts {
  const { recoveryRequired, lastCommittedTransaction: transaction } = parsed(answer);
  if ((recoveryRequired !== 'true' && recoveryRequired !== 'false') || !/^\d+$/.test(String(transaction))) {
    throw notUnderstood(answer);
  }
  return { incomplete: recoveryRequired === 'true', position: { transaction: String(transaction) } };
}

function parsed(answer: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = JSON.parse(answer);
    if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Record<string, unknown>;
  } catch {
    // As what is no object.
  }
  throw notUnderstood(answer);
}

const notUnderstood = (answer: string): StillpointError =>
  new StillpointError(
    'tool-failed',
    `neo4j-admin says of the files "${answer.slice(0, 200)}", which is not understood`,
  );

/** Transactions before the store: a server that would see the store alone would take it for one that lost its log. Pure. */
export function foldersOf(database: string): readonly string[] {
  return [join('transactions', database), join('databases', database)];
}

/** What a new volume has, and what restores of other databases have put there. */
const OURS = ['databases', 'transactions', 'lost+found', SETTINGS_FOLDER];

/** Pure. */
export function occupied(database: string, { top, folders }: DirectoryNames): readonly string[] {
  const others = top.filter((name) => !OURS.includes(name));
  if (others.length > 0) return others.toSorted();
  return folders.length === 0 ? [] : [`the database ${database}`];
}
