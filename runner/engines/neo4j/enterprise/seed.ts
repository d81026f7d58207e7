/**
 * Puts one database of an online backup together, away from the server: the tool restores the chain into a folder of its own, its
 * files are looked at and checked, and one file is made of them that a running server takes as a seed. Nothing of the server is
 * touched, and none of its volumes has to be at hand.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../../../errors';
import type { OnlineRestoreRequest, OnlineRestoreWorld } from '../../../tools/online-restore';
import { lastWordsOf } from '../../../tools/tool';
import { checkLine, lookLine } from '../dump';
import { SETTINGS_FOLDER } from '../settings';
import { factsIn, foldersOf, prepareFiles } from '../stored-files';
import { restoreLine } from './admin-lines';
import { adminVersionOf } from './admin-version';
import { chosenOf } from './metadata';

/** What a server is handed. */
export interface Seed {
  /** A dump, as `neo4j-admin database dump` writes it. */
  readonly file: string;
  /** The last transaction in it. */
  readonly transaction: string;
  /** Statements for users and roles; `$database` in them is the name that the database gets. */
  readonly metadata: readonly string[];
}

type Request = Pick<
  OnlineRestoreRequest,
  'toolSays' | 'database' | 'highestTransaction' | 'until' | 'metadata' | 'check' | 'scratch'
>;

/** Makes it, under the name that it gets. Throws tool-failed, restore-differs. */
export async function makeSeed(into: string, request: Request, world: OnlineRestoreWorld): Promise<Seed> {
  const { scratch, check, until, highestTransaction } = request;
  const artifact = (await world.bring()).at(-1);
  if (artifact === undefined) throw new StillpointError('config-invalid', `the backup has no file of ${into}`);
  const [data, dumps] = [join(scratch, 'data'), join(scratch, 'seed')];
  for (const folder of [data, dumps]) await mkdir(folder, { recursive: true });
  await prepareFiles(data, true);
  const stored = { directory: data, database: into, toolSays: request.toolSays };
  const run = async (what: string, args: readonly string[]): Promise<string> => {
    world.signal.throwIfAborted();
    world.log.info({ step: what }, 'step begins');
    const settings = { NEO4J_CONF: join(data, SETTINGS_FOLDER) };
    const { exitCode, output, said } = await world.run({ program: 'neo4j-admin', args }, settings);
    world.signal.throwIfAborted();
    if (exitCode === 0) return output;
    throw new StillpointError(
      'tool-failed',
      `the ${what} of ${into} ended with ${exitCode}: ${lastWordsOf(said, []) || 'no word of why'}`,
      {
        hint: 'nothing of the server was touched; the scratch volume needs room for the files, the database and a dump of it',
      },
    );
  };
  const version = adminVersionOf(request.toolSays);
  const line = restoreLine(version, { artifact, database: into, until: untilOf(until), replace: false });
  await run('restore', line.args);
  const { position, incomplete } = factsIn(await run('look', lookLine(stored).args(data)));
  const transaction = position.transaction ?? '';
  if (incomplete) throw new StillpointError('restore-differs', `the files of ${into} would have to be recovered`);
  assertReached(into, Number(transaction), until === undefined ? highestTransaction : undefined);
  if (check) await run('check', checkLine(stored).args(data));
  const script = await scriptOf(join(data, 'scripts', into));
  if (script === undefined && request.metadata !== 'none') {
    const message = `the backup has no script of users and roles of ${request.database}, and none are made`;
    world.log.warn({ code: 'restore-differs' }, message);
  }
  const metadata = chosenOf(script ?? '', request.metadata);
  await run('dump', ['database', 'dump', `--to-path=${dumps}`, into]);
  // Room for whoever shares the volume.
  for (const folder of foldersOf(into)) await rm(join(data, folder), { recursive: true, force: true });
  return { file: join(dumps, `${into}.dump`), transaction, metadata };
}

/** As the tool takes it: digits are a transaction. */
function untilOf(until: string | undefined): Date | number | undefined {
  if (until === undefined) return undefined;
  return /^\d+$/.test(until) ? Number(until) : new Date(until);
}

/** A chain that ends before what the record says is not what was backed up. */
function assertReached(into: string, transaction: number, highest: number | undefined): void {
  if (highest === undefined || transaction >= highest) return;
  throw new StillpointError(
    'restore-differs',
    `${into} ends at transaction ${transaction}, and the record of the backup says ${highest}`,
  );
}

/** A backup of a database that nobody was granted anything on has none; of one that was aggregated that is not known. */
async function scriptOf(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, 'restore_metadata.cypher'), 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
