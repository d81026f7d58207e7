/** Restores into folders of this machine. */
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import type { Engine, PreparedFiles } from '../engine';
import { StillpointError } from '../errors';
import type { Finding, Log } from '../ports';
import type { PlannedVolume, RestorePlan } from '../restore/plan';
import type { RestoreSite, StartedServer, UndoneRestore } from '../restore/site';
import { copyTree, syncPath, syncTree } from './copy-tree';

/** Lies in the target folder: says which restore has made it, and whether that came to its end. */
const MARKER = '.stillpoint-restore.yaml';
const PARTIAL = '.partial';

interface Marker {
  readonly backup: string;
  readonly finished: boolean;
}

export class LocalRestoreSite implements RestoreSite {
  readonly #engineOf: (record: BackupRecord) => Promise<Engine>;
  readonly #log: Log;

  constructor({ engineOf, log }: { readonly engineOf: (record: BackupRecord) => Promise<Engine>; readonly log: Log }) {
    this.#engineOf = engineOf;
    this.#log = log;
  }

  async check({ name, record, volumes }: RestorePlan): Promise<readonly Finding[]> {
    const marker = await readMarker(name);
    const entries = await readdir(name).catch(() => []);
    if (entries.length > 0 && (marker === undefined || marker.finished || marker.backup !== record.id)) {
      throw new StillpointError('restore-exists', `folder ${name} is not empty`, {
        hint: 'name a folder that is new or empty: nothing is overwritten',
      });
    }
    for (const volume of volumes) await readdir(sourceOf(volume)).catch(() => Promise.reject(gone(volume)));
    return [];
  }

  /** The outer folder first: one that lay inside another takes the place of the empty one that the copy left there. */
  async makeVolumes(plan: RestorePlan, signal: AbortSignal): Promise<void> {
    await mkdir(plan.name, { recursive: true, mode: 0o755 });
    await writeMarker(plan.name, { backup: plan.record.id, finished: false });
    const outerFirst = [...plan.volumes].sort((one, other) => one.claim.length - other.claim.length);
    for (const volume of outerFirst) await makeVolume(volume, signal);
  }

  async prepare(plan: RestorePlan): Promise<PreparedFiles> {
    const { restore } = await this.#engineOf(plan.record);
    const mounted = plan.volumes.map(({ name, role, claim }) => ({ name, role, path: claim }));
    return await restore.prepare(mounted, plan.record, this.#log);
  }

  async start(): Promise<StartedServer> {
    throw new StillpointError('usage-invalid', '--start needs a cluster: here no image of a server can be run', {
      hint: 'leave it out, and start your own server on the restored folder',
    });
  }

  async stop(): Promise<void> {}

  async finish({ name, record }: RestorePlan): Promise<void> {
    await writeMarker(name, { backup: record.id, finished: true });
  }

  async list(_namespace: string, name: string): Promise<readonly string[]> {
    if ((await readMarker(name)) === undefined) return [];
    const entries = await readdir(name);
    return entries.filter((entry) => entry !== MARKER).map((entry) => `folder ${join(name, entry)}`);
  }

  undoCommand({ name }: RestorePlan): string {
    return `stillpoint restore --undo ${name} --registry-directory …`;
  }

  async undo(namespace: string, name: string): Promise<UndoneRestore> {
    if ((await readMarker(name)) === undefined) {
      throw new StillpointError('delete-refused', `folder ${name} was not made by a restore`);
    }
    const removed = await this.list(namespace, name);
    await rm(name, { recursive: true });
    return { removed, kept: [] };
  }
}

async function makeVolume(volume: PlannedVolume, signal: AbortSignal): Promise<void> {
  const { claim } = volume;
  // What an earlier run has made got its name only when it was whole.
  if ((await readdir(claim).catch(() => [])).length > 0) return;
  const partial = claim + PARTIAL;
  await rm(partial, { recursive: true, force: true });
  await copyTree(sourceOf(volume), partial, { signal });
  await syncTree(partial);
  await rmdir(claim).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(partial, claim);
  await syncPath(dirname(claim));
}

function sourceOf({ cut }: PlannedVolume): string {
  return cut.handle ?? '';
}

function gone({ name, cut }: PlannedVolume): StillpointError {
  return new StillpointError('backup-not-restorable', `the copy ${cut.handle} of volume ${name} is gone`, {
    hint: 'somebody has removed or moved it; other backups may still be there: `stillpoint list`',
  });
}

async function readMarker(folder: string): Promise<Marker | undefined> {
  const text = await readFile(join(folder, MARKER), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (parse(text) as Marker);
}

async function writeMarker(folder: string, marker: Marker): Promise<void> {
  await writeFile(join(folder, MARKER), stringify(marker));
}
