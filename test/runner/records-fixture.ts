/** What the commands on records are tried on: records and snapshots that are really there, in folders. */
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../runner/clock';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { DirectorySnapshotStore } from '../../runner/snapshots/directory';
import type { BackupRecord } from '../../src/contract';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

export const log = new QuietLog();
export const never = new AbortController().signal;

export const snapshotOf = ({ database, id }: BackupRecord): string => `${database}-data-${id}`;

export class LocalBackups implements AsyncDisposable {
  readonly registry: DirectoryRegistry;
  readonly store: DirectorySnapshotStore;

  private constructor(readonly folder: string) {
    this.registry = new DirectoryRegistry(join(folder, 'registry'), log);
    this.store = new DirectorySnapshotStore(join(folder, 'snapshots'), { clock: systemClock, log });
  }

  static async create(): Promise<LocalBackups> {
    return new LocalBackups(await mkdtemp(join(tmpdir(), 'stillpoint-records-')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  /** A record whose snapshot is really there: a folder with one file in it. */
  async withSnapshot(changes: Partial<BackupRecord> = {}): Promise<BackupRecord> {
    const made = record(changes);
    const source = join(this.folder, 'data');
    await mkdir(source, { recursive: true });
    await writeFile(join(source, 'file'), 'content');
    const cuts = await this.store.cut(
      {
        id: made.id,
        database: made.database,
        volumes: [{ name: 'data', role: 'data', claim: source, namespace: '' }],
        how: 'individually',
        labels: { 'stillpoint.dev/backup': made.id },
        annotations: { 'stillpoint.dev/job-uid': made.owner.jobUid },
      },
      never,
    );
    const complete = { ...made, cuts, plannedSnapshots: cuts.map(({ snapshot }) => snapshot), ...changes };
    await this.registry.create(complete);
    return complete;
  }

  exists(name: string): Promise<boolean> {
    return access(join(this.folder, 'snapshots', name)).then(
      () => true,
      () => false,
    );
  }

  async phaseOf({ namespace, database, id }: BackupRecord): Promise<string | undefined> {
    return (await this.registry.get(namespace, database, id))?.record.phase;
  }
}
