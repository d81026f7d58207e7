/** Online backups by a stand-in for neo4j-admin (test/support/neo4j-admin-standin.mjs says what it is not), which runs as a process. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkFiles } from '../../../../../runner/dump/work-folders';
import type { OnlineBackup, OnlineBackupWorld } from '../../../../../runner/engines/neo4j/enterprise/admin-run';
import { adminVersionOf } from '../../../../../runner/engines/neo4j/enterprise/admin-version';
import { backUpOnline, type DatabaseEnd } from '../../../../../runner/engines/neo4j/enterprise/online-backup';

const STANDIN = new URL('../../../../support/neo4j-admin-standin.mjs', import.meta.url).pathname;
/** What the stand-in is by itself. */
const VERSION = '2025.10.0';

export const never: AbortSignal = new AbortController().signal;

/** A folder with backups and one with what the server has. */
export class ToolStandin implements AsyncDisposable {
  readonly to: string;
  readonly #server: string;

  private constructor(readonly folder: string) {
    [this.to, this.#server] = [join(folder, 'backups'), join(folder, 'server')];
  }

  static async create(): Promise<ToolStandin> {
    const tool = new ToolStandin(await mkdtemp(join(tmpdir(), 'stillpoint-online-')));
    await Promise.all([mkdir(tool.to), mkdir(tool.#server)]);
    return tool;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  /** A database of the stand-in's server, at a transaction. */
  at(name: string, highest: number, more: object = {}): Promise<void> {
    return writeFile(join(this.#server, `${name}.json`), JSON.stringify({ id: `id-of-${name}`, highest, ...more }));
  }

  world(env: Readonly<Record<string, string>> = {}, freeBytes = 1e9): OnlineBackupWorld {
    const { folder } = this;
    const work = new WorkFiles();
    return {
      run: ({ args }) =>
        new Promise((resolve) => {
          const child = execFile(
            process.execPath,
            [STANDIN, ...args],
            { env: { ...process.env, STANDIN_SERVER: this.#server, ...env } },
            (_, output, said) => resolve({ exitCode: child.exitCode ?? -1, output, said }),
          );
        }),
      freeBytes: async () => freeBytes,
      sizeOf: (file) => work.sizeOf(file),
      lastBytes: () => 0,
      apart: (files) => work.apart({ root: folder }, files),
      copies: (files) => work.copies({ root: folder }, files, never),
      remove: (path) => work.remove(path),
      signal: never,
    };
  }

  /** A tool of that version, and who knows it. */
  of(version: string): readonly [Pick<OnlineBackup, 'version'>, OnlineBackupWorld] {
    return [{ version: adminVersionOf(version) }, this.world({ STANDIN_VERSION: version })];
  }

  take(
    names: readonly string[],
    more: Partial<OnlineBackup> = {},
    world = this.world(),
  ): Promise<readonly DatabaseEnd[]> {
    return backUpOnline(
      {
        version: adminVersionOf(VERSION),
        databases: names.map((name) => ({ name, aliases: [] })),
        from: ['graph:6362'],
        to: this.to,
        type: 'auto',
        report: this.folder,
        temp: join(this.folder, 'temp'),
        aggregate: [],
        ...more,
      },
      world,
    );
  }
}

/** The transactions of each file of what it came to. */
export const ranges = ({ chain = [] }: DatabaseEnd): string =>
  chain.map(({ lowest, highest }) => `${lowest}-${highest}`).join(' ');
