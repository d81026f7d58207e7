/**
 * What copies and restores from them run with in tests: records, objects and files are real, in folders. What stands in for a cluster
 * is the site alone: it gives the real worker a folder in the place of a claim.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../runner/clock';
import { type CopyContext, takeCopy } from '../../../runner/commands/copy';
import { copyFiles } from '../../../runner/commands/copy-files';
import { type RestoredCopy, restoreCopy } from '../../../runner/commands/restore-copy';
import { orderText } from '../../../runner/copy/order';
import type { CopySite } from '../../../runner/copy/site';
import type { Run } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, CopyConfig } from '../../../src/contract';
import { copyConfig } from '../../support/copy-config';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { makeTree } from '../archive/tree';

export const ID = '20260102040000';
export const FOLDER = `stillpoint/shop/orders-copy/${ID}`;

export const snapshots = (changes: Partial<BackupRecord> = {}): BackupRecord =>
  record({
    volumes: [
      { name: 'data', role: 'data', claim: 'data-orders-db-0', mountPath: '/data', capacity: '1Gi' },
      { name: 'wal', role: 'log', claim: 'wal-orders-db-0', mountPath: '/wal', capacity: '1Gi' },
    ],
    cuts: ['data', 'wal'].map((volume) => ({
      volume,
      snapshot: `orders-db-${volume}-20260101020000`,
      seenBy: 'readyToUse' as const,
      driverKnown: true,
      askedAt: '2026-01-01T02:00:01Z',
      seenAt: '2026-01-01T02:00:02Z',
      restoreSize: '1Gi',
    })),
    serverVersion: '17.2',
    position: { lsn: '0/15D6A88' },
    ...changes,
  });

export interface Situation {
  readonly copy?: Partial<CopyConfig['spec']['copy']>;
  readonly run?: Partial<Run>;
  readonly site?: Partial<CopySite>;
}

export async function* once(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}

export class Copies implements AsyncDisposable {
  readonly log = new QuietLog();
  readonly registry: DirectoryRegistry;
  readonly said: string[] = [];
  /** What the site was asked for, in order. */
  readonly asked: string[] = [];

  private constructor(readonly folder: string) {
    this.registry = new DirectoryRegistry(join(folder, 'records'), this.log);
  }

  /** With two volumes, and no record of any backup of them. */
  static async create(): Promise<Copies> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-copy-'));
    for (const name of ['records', 'store', 'state', 'volumes/data', 'volumes/wal', 'to/data', 'to/wal']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    makeTree(join(folder, 'volumes', 'data'));
    writeFileSync(join(folder, 'volumes', 'wal', 'segment'), 'log');
    return new Copies(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  readonly storage = () => ({ kind: 'directory', directory: { path: join(this.folder, 'store') } }) as const;

  readonly opened = (): Promise<ObjectStore> =>
    openStore(this.storage(), { clock: systemClock, random: Math.random, environment: {} });

  config(copy: Partial<CopyConfig['spec']['copy']> = {}): CopyConfig {
    return copyConfig(this.storage(), copy);
  }

  /** In the place of a cluster: its volumes are there already, and the worker is one of this process. */
  siteWith(of: CopyConfig): CopySite {
    return {
      clear: async () => void this.asked.push('clear'),
      run: async (plan, order, signal) => {
        this.asked.push(`run ${plan.volumes.map(({ claim, size }) => `${claim} ${size}`).join(', ')}`);
        await writeFile(join(this.folder, 'order.yaml'), orderText(order));
        const answer = await copyFiles(
          { config: of, openStore: this.opened, clock: systemClock, log: this.log, signal },
          {
            orderFile: join(this.folder, 'order.yaml'),
            volumes: join(this.folder, 'volumes'),
            state: join(this.folder, 'state'),
          },
        );
        if (answer === undefined) throw new Error('the worker has nothing to say');
        return answer;
      },
    };
  }

  copying(situation: Situation = {}): Promise<BackupRecord | undefined> {
    return takeCopy(this.contextOf(situation));
  }

  contextOf({ copy, run, site }: Situation = {}): CopyContext {
    const own = this.config(copy);
    return {
      config: own,
      namespace: 'shop',
      run: { id: ID, owner: { jobUid: 'job-9', jobName: 'orders-copy-9', pod: 'pod-1' }, trigger: 'scheduled', ...run },
      registry: this.registry,
      uses: new DirectoryUses(this.registry),
      site: { ...this.siteWith(own), ...site },
      locks: { acquire: async () => ({ lost: new AbortController().signal, release: async () => undefined }) },
      platform: { checkAccess: async () => [], clusterUid: async () => 'cluster-1' },
      events: { emit: async (type, reason, message) => void this.said.push(`${type} ${reason}: ${message}`) },
      openStore: this.opened,
      clock: systemClock,
      log: this.log,
      signal: new AbortController().signal,
      runnerVersion: '0.1.0',
    };
  }

  /** Restores what has been copied, with no registry but an empty one: as in a cluster that never saw any of it. */
  async restoring(identities?: readonly string[], names = ['data', 'wal']): Promise<RestoredCopy> {
    await mkdir(join(this.folder, 'other'), { recursive: true });
    const other = new DirectoryRegistry(join(this.folder, 'other'), this.log);
    return await restoreCopy({
      config: {
        apiVersion: 'stillpoint.dev/v1',
        kind: 'CopyRestoreConfig',
        metadata: { name: 'orders-back-restore', namespace: 'shop' },
        spec: {
          backup: { namespace: 'shop', database: 'orders-copy', id: ID },
          volumes: names.map((name) => ({ name, path: join(this.folder, 'to', name) })),
          storage: this.storage(),
          recordFile: join(this.folder, 'state', 'record.yaml'),
          registry: {},
        },
      },
      registry: other,
      uses: new DirectoryUses(other),
      openStore: this.opened,
      readIdentities: async () => identities,
      events: { emit: async (type, reason, message) => void this.said.push(`${type} ${reason}: ${message}`) },
      user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      clock: systemClock,
      log: this.log,
      signal: new AbortController().signal,
    });
  }

  inStore(): string[] {
    try {
      return readdirSync(join(this.folder, 'store', FOLDER)).sort();
    } catch {
      return [];
    }
  }
}
