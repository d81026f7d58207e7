/** What restores from dumps run with in tests: a stand-in tool (a real child process), objects and records in real folders. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { systemClock } from '../../../runner/clock';
import { type RestoredDump, restoreDump } from '../../../runner/commands/restore-dump';
import type { RestoreDumpContext } from '../../../runner/commands/restore-dump-context';
import type { Engine } from '../../../runner/engine';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import { openStore } from '../../../runner/storage';
import type { EngineDump } from '../../../runner/tools/tool';
import type { BackupRecord, DumpRestoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { scripted } from '../pipe/scripted-tool';

export const ID = '20260101020000';
export const FOLDER = `stillpoint/shop/orders-db/${ID}`;
export const KEY = `${FOLDER}/dump.sql.gz`;
export const SQL = 'CREATE TABLE t ();\n';
export const STORED = gzipSync(SQL);
export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

export const dumped = (change: Partial<BackupRecord> = {}): BackupRecord =>
  record({
    mode: 'dump',
    objects: [
      {
        key: KEY,
        location: `s3://b/${KEY}`,
        bytes: STORED.length,
        sha256: sha256(STORED),
        plainBytes: SQL.length,
        plainSha256: sha256(SQL),
        compression: 'gzip',
      },
    ],
    ...change,
  });

export interface Situation {
  readonly spec?: Partial<DumpRestoreConfig['spec']>;
  readonly tools?: Partial<EngineDump>;
  readonly open?: () => Promise<unknown>;
  readonly root?: string;
  readonly identities?: readonly string[] | undefined;
}

export class DumpRestores implements AsyncDisposable {
  readonly said: string[] = [];

  private constructor(
    readonly folder: string,
    readonly registry: DirectoryRegistry,
  ) {}

  /** With a dump in the store, and no record of it. */
  static async create(): Promise<DumpRestores> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-restore-'));
    await mkdir(join(folder, 'records'));
    const restores = new DumpRestores(folder, new DirectoryRegistry(join(folder, 'records'), new QuietLog()));
    await restores.put(KEY, STORED);
    return restores;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  async put(key: string, content: string | Buffer): Promise<void> {
    await mkdir(dirname(join(this.folder, 'store', key)), { recursive: true });
    await writeFile(join(this.folder, 'store', key), content);
  }

  /** What the tool was given to its end; undefined where it never saw an end. */
  async given(): Promise<string | undefined> {
    const file = join(this.folder, 'server');
    return existsSync(file) ? await readFile(file, 'utf8') : undefined;
  }

  restoring({ spec, tools, open, identities, root }: Situation = {}): Promise<RestoredDump> {
    const tool = `let all = ''; process.stdin.on('data', (text) => (all += text)).on('end', () => require('fs').writeFileSync(${JSON.stringify(join(this.folder, 'server'))}, all))`;
    const engine = {
      name: 'postgres',
      open: open ?? (async () => ({ server: { version: '17.2' }, close: async () => undefined })),
      dump: {
        destination: async () => ({ holds: [], logins: ['postgres'] }),
        restore: () => scripted(tool),
        ...tools,
      },
    } as unknown as Engine;
    const connection = { host: 'orders-copy', port: 5432, usernameFile: '/user' };
    const storage = { kind: 'directory', directory: { path: join(this.folder, 'store') } } as const;
    const context: RestoreDumpContext = {
      config: {
        apiVersion: 'stillpoint.dev/v1',
        kind: 'DumpRestoreConfig',
        metadata: { name: 'orders-copy-restore', namespace: 'shop' },
        spec: {
          backup: { namespace: 'shop', database: 'orders-db', id: ID },
          connection,
          storage,
          registry: {},
          ...spec,
        },
      },
      registry: this.registry,
      uses: new DirectoryUses(this.registry),
      engineNamed: async () => engine,
      readTarget: async () => ({ connection, username: 'postgres', password: 'p', tls: undefined }),
      openStore: () => openStore(storage, { clock: systemClock, random: Math.random, environment: {} }),
      readIdentities: async () => identities,
      events: { emit: async (type, reason, message) => void this.said.push(`${type} ${reason}: ${message}`) },
      root: root ?? '/',
      environment: process.env,
      clock: systemClock,
      log: new QuietLog(),
      signal: new AbortController().signal,
    };
    return restoreDump(context);
  }
}
