/** The files of a Neo4j that does not run, and how its tools find them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../../errors';
import type { DirectoryNames, StoredFacts } from '../../tools/tool';
import { SETTINGS_FOLDER, WRITTEN_TO } from './prepare';
import { removeEmptyServerId } from './server-id';

/** Writes the settings beside the databases, as the pod's user, whose the files are. */
export async function prepareFiles(directory: string, modern: boolean): Promise<void> {
  const folder = join(directory, SETTINGS_FOLDER);
  try {
    for (const each of WRITTEN_TO) await mkdir(join(folder, each), { recursive: true });
    await writeFile(join(folder, 'neo4j.conf'), storedSettings(directory, modern), { mode: 0o600 });
    await removeEmptyServerId(directory);
  } catch (cause) {
    throw new StillpointError('directory-unusable', `${folder} cannot be written: ${(cause as Error).message}`, {
      hint: 'the volume has to belong to the user of the pod: serverUser and serverGroup',
      cause,
    });
  }
}

/**
 * Settings of tools, and of a server that nobody reaches and that reaches nobody (safety rule 13): no plug-in, no login, no
 * listener. With 5 all were given new names, and one that a version does not know stops it unless it is told otherwise. Pure.
 */
export function storedSettings(directory: string, modern: boolean): string {
  const folder = join(directory, SETTINGS_FOLDER);
  const [server, connector] = modern ? ['server', 'server'] : ['dbms', 'dbms.connector'];
  return [
    `${server}.directories.data=${directory}`,
    `${server}.directories.transaction.logs.root=${join(directory, 'transactions')}`,
    `${server}.directories.plugins=${join(folder, 'plugins')}`,
    `${server}.directories.logs=${join(folder, 'logs')}`,
    `${server}.directories.run=${join(folder, 'run')}`,
    'dbms.security.auth_enabled=false',
    `${server}.default_listen_address=127.0.0.1`,
    `${connector}.bolt.enabled=false`,
    `${connector}.http.enabled=false`,
    `${connector}.https.enabled=false`,
    `${server}.memory.pagecache.size=64m`,
    ...(modern ? ['dbms.usage_report.enabled=false', 'server.config.strict_validation.enabled=false'] : []),
    '',
  ].join('\n');
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
