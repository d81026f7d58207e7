/** A real PostgreSQL in a temporary folder, for tests and the demo. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type PostgresVersion, postgresFolder, type ServerUser, serverUser } from './postgres-binaries';

/** The password of the user `postgres` of every server made here. */
export const PASSWORD = 'ledger-0f2a-secret';

const execute = promisify(execFile);

/** How a server is made and started. */
export interface PostgresOptions {
  readonly version: PostgresVersion;
  /** Lines of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A server whose data lie in a folder of their own; {@link remove} takes all of it away. */
export class PostgresServer {
  #process: ChildProcess | undefined;
  #log = '';
  #addresses = '127.0.0.1';

  private constructor(
    readonly version: PostgresVersion,
    /** The folder of everything that belongs to the server. */
    readonly folder: string,
    readonly dataPath: string,
    readonly port: number,
    private readonly user: ServerUser,
  ) {}

  /** Makes a database cluster (initdb) and starts it. */
  static async create(options: PostgresOptions): Promise<PostgresServer> {
    const server = await PostgresServer.onFolder(options.version, 'data');
    await server.#initdb();
    await server.configure({ ...DEFAULT_SETTINGS, ...options.settings });
    await server.start();
    return server;
  }

  /** A server for data that something else will put into `<folder>/<name>`. */
  static async onFolder(version: PostgresVersion, name: string): Promise<PostgresServer> {
    const user = await serverUser();
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-test-'));
    await chmod(folder, 0o755);
    await chown(folder, user.uid, user.gid);
    return new PostgresServer(version, folder, join(folder, name), await freePort(), user);
  }

  /** What the server has logged so far. */
  get log(): string {
    return this.#log;
  }

  get host(): string {
    return '127.0.0.1';
  }

  get uid(): number {
    return this.user.uid;
  }

  /** Adds lines to postgresql.conf. They hold from the next start on. */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
    await appendFile(join(this.dataPath, 'postgresql.conf'), lines.join(''));
  }

  /** Makes a folder that the server may write to, for a tablespace or a WAL volume. */
  async makeFolder(name: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(path, { mode: 0o700, recursive: true });
    await chown(path, this.user.uid, this.user.gid);
    return path;
  }

  /** The same server on other data: for files that somebody else has made. */
  at(dataPath: string): PostgresServer {
    return new PostgresServer(this.version, this.folder, dataPath, this.port, this.user);
  }

  /** Moves the write-ahead log of a server that is stopped to a folder that only a link leads to, as --waldir does. */
  async moveLog(name: string): Promise<string> {
    const target = join(this.folder, name);
    const link = join(this.dataPath, 'pg_wal');
    await rename(link, target);
    await symlink(target, link);
    await lchown(link, this.user.uid, this.user.gid);
    return target;
  }

  /** Makes a file that was put into the data directory the server's own, and nobody else's. */
  async secure(path: string): Promise<void> {
    await chown(path, this.user.uid, this.user.gid);
    await chmod(path, 0o600);
  }

  /** Listens on an address of this machine too, and lets users in from there with their passwords. */
  async allowFrom(address: string): Promise<void> {
    await appendFile(join(this.dataPath, 'pg_hba.conf'), `host all all ${address}/32 scram-sha-256\n`);
    await this.stop();
    this.#addresses = `${this.host},${address}`;
    await this.start();
  }

  /** Starts it; answers when it accepts writes, a standby when it accepts queries; rejects with its log when it ends. */
  async start(as: 'primary' | 'standby' = 'primary'): Promise<void> {
    const command = ['-D', this.dataPath, '-p', String(this.port), '-k', this.folder, '-h', this.#addresses];
    await this.run([join(await postgresFolder(this.version), 'bin', 'postgres'), ...command], as);
  }

  /** Runs a server command of somebody else's making, as the user of this server. */
  async run(command: readonly string[], as: 'primary' | 'standby' = 'primary'): Promise<void> {
    this.#log = '';
    // A copy that recovers accepts queries before it has replayed everything.
    const ready = as === 'primary' ? /ready to accept connections/ : /ready to accept read-only connections/;
    const child = spawn(command[0] ?? 'postgres', command.slice(1), {
      ...this.user,
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    await new Promise<void>((started, failed) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
        if (ready.test(this.#log)) started();
      });
      child.once('error', failed);
      child.once('exit', (code) => failed(new Error(`PostgreSQL ended with ${code}:\n${this.#log}`)));
    });
  }

  /** Ends it: `fast` cleanly, `immediate` as a crash would. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  }

  /** Ends it and removes its folder. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A connection of its own, by default as the superuser. End it. */
  async connect(as: { readonly user?: string; readonly password?: string } = {}): Promise<pg.Client> {
    const client = new pg.Client({
      host: this.host,
      port: this.port,
      user: as.user ?? 'postgres',
      password: as.password ?? PASSWORD,
      database: 'postgres',
      ssl: false,
    });
    // A connection that the server ends must not end the tests; whoever uses it sees the error of the statement.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Runs one statement as the superuser on a connection of its own. */
  async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  async #initdb(): Promise<void> {
    const passwordFile = join(this.folder, 'password');
    await writeFile(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
    await chown(passwordFile, this.user.uid, this.user.gid);
    const initdb = join(await postgresFolder(this.version), 'bin', 'initdb');
    const flags = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth-host=scram-sha-256'];
    const more = ['--auth-local=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--data-checksums'];
    await execute(initdb, ['-D', this.dataPath, ...flags, ...more], {
      ...this.user,
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    });
    await rm(passwordFile);
  }
}

/** Small, so that several servers run side by side. What makes a copy safe keeps its default: on. */
const DEFAULT_SETTINGS = {
  shared_buffers: '16MB',
  max_connections: '40',
  min_wal_size: '32MB',
  max_wal_size: '128MB',
  jit: 'off',
};

/** Gives a folder and all in it to the user that servers run as; symbolic links are not followed. */
export async function giveTo(user: ServerUser, folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true });
  await Promise.all(
    [folder, ...entries.map((entry) => join(folder, entry))].map((path) => lchown(path, user.uid, user.gid)),
  );
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
