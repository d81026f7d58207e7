/** Makes restored files fit to start. Runs in a pod that has the volumes mounted, without any right on the API. */
import { isAbsolute } from 'node:path';
import type { BackupRecord } from '../../src/contract';
import type { Engine, MountedVolume, PreparedFiles } from '../engine';
import { StillpointError } from '../errors';
import type { Log } from '../ports';
import { memberOfVolumes, memberRecord } from '../restore/members';
import { reporting, shorterPreparation } from '../restore/outcome';
import { type RecordSource, readRecord } from '../restore/record-source';
import { assertRestorable, assertSnapshots } from '../restore/restorable';

/** What the preparation needs of the world. */
export interface PrepareContext {
  readonly engineOf: (record: BackupRecord) => Promise<Engine>;
  readonly log: Log;
}

/** What to prepare. */
export interface PrepareOptions {
  readonly record: RecordSource;
  /** `name=/path` for each volume of the backup: where it is mounted now. */
  readonly volumes: readonly string[];
  /** In a restore in place: the copy takes the original's place, or, later, is let back into its world. */
  readonly how?: 'in-place' | 'attach' | undefined;
  /** Where the outcome is written as JSON, for whoever watches the pod. */
  readonly resultFile?: string | undefined;
}

/** Prepares the volumes of one backup. A second call finds the work done. */
export async function prepare(context: PrepareContext, options: PrepareOptions): Promise<PreparedFiles> {
  return reporting(options.resultFile, shorterPreparation, async () => {
    const whole = await readRecord(options.record);
    assertRestorable(whole);
    assertSnapshots(whole);
    const record = recordOfVolumes(whole, options.volumes);
    const volumes = mountedVolumes(record, options.volumes);
    const engine = await context.engineOf(record);
    if (options.how !== 'attach') {
      return await engine.restore.prepare(volumes, record, context.log, { inPlace: options.how === 'in-place' });
    }
    // Preparing once more finds the work done, and says where the files are.
    if (engine.restore.attach === undefined) return await engine.restore.prepare(volumes, record, context.log);
    return await engine.restore.attach(volumes, record, context.log);
  });
}

/** Of a backup of several servers one is prepared at a time: that whose volumes are named. */
function recordOfVolumes(record: BackupRecord, entries: readonly string[]): BackupRecord {
  if (record.members === undefined) return record;
  const names = entries.map((entry) => entry.split('=')[0] ?? '');
  const member = memberOfVolumes(record, names);
  if (member !== undefined) return memberRecord(record, member);
  const all = record.volumes.map((volume) => `${volume.name} (${volume.member})`).join(', ');
  throw badVolume(names.join(', '), `name the volumes of one member; those of the backup are ${all}`);
}

/** Every volume of the backup must be named, with its path: half a database is none. */
function mountedVolumes(record: BackupRecord, entries: readonly string[]): readonly MountedVolume[] {
  const paths = new Map<string, string>();
  for (const entry of entries) {
    const [, name = '', path = ''] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    if (!isAbsolute(path)) throw badVolume(entry, 'write it as name=/absolute/path');
    if (paths.has(name)) throw badVolume(entry, `volume ${name} is given twice`);
    paths.set(name, path);
  }
  const known = record.volumes.map(({ name }) => name);
  const unknown = [...paths.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw badVolume(unknown, `the backup's volumes are ${known.join(', ')}`);
  return record.volumes.map(({ name, role }) => {
    const path = paths.get(name);
    if (path !== undefined) return { name, role, path };
    throw badVolume(name, `the backup has it, so it must be mounted and named: --volume ${name}=/path`);
  });
}

function badVolume(volume: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', `--volume does not fit the backup: ${volume}`, { hint });
}
