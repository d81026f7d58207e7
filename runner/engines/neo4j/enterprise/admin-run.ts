/** What an online backup needs of the world, and how neo4j-admin is run in it. */
import { StillpointError } from '../../../errors';
import type { OnlineRequest, OnlineRun, OnlineVolume } from '../../../tools/online';
import { lastWordsOf } from '../../../tools/tool';
import { type AdminLine, inspectLine } from './admin-lines';
import type { AdminVersion } from './admin-version';
import { type Artifact, artifactsIn } from './artifacts';

/** An online backup by a tool whose version is known. */
export interface OnlineBackup extends Omit<OnlineRequest, 'toolSays'> {
  readonly version: AdminVersion;
}

/** What this needs of the world. */
export interface OnlineBackupWorld extends OnlineVolume {
  readonly run: (line: AdminLine, signal: AbortSignal) => Promise<OnlineRun>;
  readonly signal: AbortSignal;
}

/** What lies in a folder, as the tool sees it. */
export async function inspect(
  folder: string,
  { version }: Pick<OnlineBackup, 'version'>,
  world: OnlineBackupWorld,
): Promise<readonly Artifact[]> {
  const line = inspectLine(version, folder);
  return line === undefined ? [] : artifactsIn(await good(`the look at ${folder}`, line, world));
}

/** What a run printed that ended with 0. Throws tool-failed. */
export async function good(what: string, line: AdminLine, { run, signal }: OnlineBackupWorld): Promise<string> {
  const { exitCode, output, said } = await run(line, signal);
  if (exitCode === 0) return output;
  throw new StillpointError(
    'tool-failed',
    `${what} ended with ${exitCode}: ${lastWordsOf(said, []) || 'no word of why'}`,
  );
}

/** What takes room from the databases after it. Where it cannot be removed, the work as a whole is, at its end, or by the next run. */
export async function discard(path: string, { remove }: OnlineBackupWorld): Promise<void> {
  await remove(path).catch(() => undefined);
}
