/**
 * What tests of online backups and their restores run with: neo4j-admin and the database `system` are stand-ins (test/support says what
 * they are not), the first a real child process; files and records lie in real folders.
 */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { DumpContext } from '../../../runner/commands/dump';
import { takeOnlineBackup } from '../../../runner/commands/online-backup';
import type { Engine } from '../../../runner/engine';
import { enterpriseOnline } from '../../../runner/engines/neo4j/enterprise/online';
import { asStillpointError, type StillpointError } from '../../../runner/errors';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, DumpConfig, StoreConfig } from '../../../src/contract';
import { type SystemStandin, systemStandin } from '../../support/neo4j-system-standin';
import { QuietLog } from '../../support/quiet-log';
import { dumpContext } from './dump-context';

export const STANDIN = new URL('../../support/neo4j-admin-standin.mjs', import.meta.url).pathname;
export const FIRST = '20261126030000';
export const SECOND = '20261127030000';
export const THIRD = '20261128030000';

/** How a backup differs from the usual one: of customer1, in full. */
export interface Situation {
  readonly id?: string;
  readonly online?: Partial<NonNullable<DumpConfig['spec']['dump']['online']>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly trigger?: 'pre-deployment';
  readonly system?: SystemStandin;
  readonly path?: string;
  readonly dump?: Partial<DumpConfig['spec']['dump']>;
  readonly storage?: StoreConfig;
  /** As into a bucket: the tool works in the scratch folder, and the store, which is a folder all the same, is uploaded to. */
  readonly uploads?: boolean;
  readonly store?: (real: ObjectStore) => ObjectStore;
}

export const SYSTEM = (): SystemStandin =>
  systemStandin(
    { customer1: {}, customer2: {}, system: { type: 'system' }, all: { type: 'composite' } },
    { shop: 'customer1', other: 'customer2' },
  );

export class OnlineStandins implements AsyncDisposable {
  readonly said: string[] = [];

  private constructor(
    readonly folder: string,
    readonly registry: DirectoryRegistry,
  ) {}

  /** With customer1, customer2 and system, each at transaction 10. */
  static async create(): Promise<OnlineStandins> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-online-'));
    for (const name of ['store', 'records', 'server', 'bin', 'scratch']) await mkdir(join(folder, name));
    const tool = join(folder, 'bin', 'neo4j-admin');
    await writeFile(tool, `#!/bin/sh\nexec "${process.execPath}" "${STANDIN}" "$@"\n`);
    await chmod(tool, 0o755);
    const standins = new OnlineStandins(folder, new DirectoryRegistry(join(folder, 'records'), new QuietLog()));
    for (const name of ['customer1', 'customer2', 'system']) await standins.at(name, 10);
    return standins;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  /** A database of the stand-in's server, at a transaction. */
  at(name: string, highest: number, more: object = {}): Promise<void> {
    return writeFile(
      join(this.folder, 'server', `${name}.json`),
      JSON.stringify({ id: `id-of-${name}`, highest, ...more }),
    );
  }

  get storage(): StoreConfig {
    return { kind: 'directory', directory: { path: join(this.folder, 'store') } };
  }

  /** The stand-ins first, then what else there is. */
  environment(env: Situation['env'] = {}, path = [join(this.folder, 'bin'), process.env.PATH].join(delimiter)) {
    return { ...process.env, PATH: path, STANDIN_SERVER: join(this.folder, 'server'), ...env };
  }

  contextOf(situation: Situation): DumpContext {
    const { id = FIRST, online, env, trigger, system = SYSTEM(), path, dump, storage, uploads = false } = situation;
    const place = { storage: storage ?? this.storage, registry: this.registry, said: this.said };
    const { store } = situation;
    const base = dumpContext(place, { jobUid: `job-${id}`, ...(store === undefined ? {} : { store }) });
    const scratch = uploads ? { scratch: join(this.folder, 'scratch') } : {};
    const engine = {
      name: 'neo4j',
      open: async () => ({
        server: { version: '2025.10.0', flavour: undefined, identity: { dbms: 'graph' }, settings: {} },
        close: async () => undefined,
      }),
      online: enterpriseOnline(system.open),
    } as unknown as Engine;
    const config: DumpConfig = {
      ...base.config,
      spec: {
        ...base.config.spec,
        engine: 'neo4j',
        database: 'graph',
        ...(uploads ? { storage: { kind: 's3', s3: { bucket: 'backups' } } } : {}),
        ...(trigger === undefined ? {} : { trigger }),
        dump: {
          compression: 'none',
          layout: 'stillpoint',
          online: { from: ['graph:6362'], type: 'full', databases: ['customer1'], ...scratch, ...online },
          ...dump,
        },
      },
    };
    return {
      ...base,
      config,
      engine,
      run: { ...base.run, id, owner: { jobUid: `job-${id}`, pod: 'pod-1' } } as DumpContext['run'],
      environment: this.environment(env, path),
    };
  }

  take(situation: Situation = {}): Promise<BackupRecord> {
    return takeOnlineBackup(this.contextOf(situation));
  }

  async failure(situation: Situation): Promise<StillpointError> {
    const thrown: unknown = await this.take(situation).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (thrown === undefined) throw new Error('it did not fail');
    return asStillpointError(thrown);
  }

  async recordOf(id = FIRST): Promise<BackupRecord> {
    const stored = await this.registry.get('shop', 'graph', id);
    if (stored === undefined) throw new Error(`no record ${id}`);
    return stored.record;
  }

  /** What lies on the volume below the policy's folder. */
  async stored(): Promise<readonly string[]> {
    const root = join(this.folder, 'store');
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(root, 'stillpoint/shop/graph/').length))
      .sort();
  }
}
