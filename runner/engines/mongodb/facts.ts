/** Reads what a server says of itself: who it is, where its files are, how it is set. */
import { normalize } from 'node:path';
import type { Server, ServerPath } from '../../engine';
import type { Connection } from './connection';
import { COMMAND_NOT_FOUND, numberOf, UNAUTHORIZED } from './errors';
import { at, dateAt, idAt, numberAt, type Reply, textAt, timestampAt } from './reply';

/** All that is read once, when a session opens. */
export interface ServerFacts extends Server {
  readonly address: undefined;
  readonly hostname: string;
  /** The port that the server itself listens at; a Service may have another. */
  readonly port: number;
  /** The name that the set knows it by, `mongo-1.mongo.shop.svc:27017`; of a server of no set its own host name. */
  readonly member: string;
  readonly setName: string | undefined;
  readonly process: ServerProcess;
}

/** Which run of the server's program this is. */
export interface ServerProcess {
  /** The server makes it up when it starts; undefined where it tells none. */
  readonly id: string | undefined;
  readonly pid: number | undefined;
  /** Milliseconds since 1970, as far as two clocks that are read one after the other say it. */
  readonly startedMs: number;
}

/** Two readings of the same start may differ by as much: the server reads its two clocks one after the other. */
const START_TOLERANCE_MS = 2_000;

/** Where a mongod keeps its files when nobody says otherwise. [doc: storage.dbPath] */
const DEFAULT_DB_PATH = '/data/db';

const DEFAULT_PORT = 27017;

/** What of the configuration a restore needs, or qualifies what the copy is worth. */
const SETTINGS: Readonly<Record<string, string>> = {
  dbPath: 'storage.dbPath',
  directoryPerDB: 'storage.directoryPerDB',
  directoryForIndexes: 'storage.wiredTiger.engineConfig.directoryForIndexes',
  journal: 'storage.journal.enabled',
  clusterRole: 'sharding.clusterRole',
  encryption: 'security.enableEncryption',
};

/** Everything that is read once. */
export async function readServer(connection: Connection, signal?: AbortSignal): Promise<ServerFacts> {
  const hello = await connection.command('asking who the server is', { hello: 1 }, signal);
  const status = await connection.command('reading the status of the server', { serverStatus: 1 }, signal);
  const parsed = at(await readOptions(connection, signal), 'parsed');
  return serverFacts({ hello, status, parsed });
}

/** Without the privilege there is an empty answer, and the checks refuse the account. */
async function readOptions(connection: Connection, signal?: AbortSignal): Promise<Reply> {
  try {
    return await connection.command('reading the options of the server', { getCmdLineOpts: 1 }, signal);
  } catch (error) {
    if ([UNAUTHORIZED, COMMAND_NOT_FOUND].includes(numberOf(error) ?? 0)) return {};
    throw error;
  }
}

/** The facts that three answers hold. */
export function serverFacts(answers: {
  readonly hello: Reply;
  readonly status: Reply;
  readonly parsed: unknown;
}): ServerFacts {
  const { hello, status, parsed } = answers;
  const said = textAt(status, 'host') ?? '';
  const { host: hostname, port } = splitHost(said);
  const setName = textAt(hello, 'setName');
  const member = textAt(hello, 'me') ?? said;
  const ports = [splitHost(member).port, port, numberAt(parsed, 'net.port')];
  return {
    address: undefined,
    hostname,
    port: ports.find((each) => each !== undefined) ?? DEFAULT_PORT,
    member,
    setName,
    version: textAt(status, 'version') ?? 'unknown',
    identity: { member, ...(setName === undefined ? {} : { setName }) },
    settings: settingsOf(status, parsed, clusterRoleOf(hello, status)),
    process: processOf(hello, status),
  };
}

/**
 * What it is in a sharded cluster, which it tells those too who may not read its options.
 * [src: replication_info.cpp, sharding_server_status.cpp]
 */
export function clusterRoleOf(hello: Reply, status: Reply): 'configsvr' | 'shardsvr' | undefined {
  if (at(hello, 'configsvr') !== undefined) return 'configsvr';
  return textAt(status, 'sharding.configsvrConnectionString') === undefined ? undefined : 'shardsvr';
}

function settingsOf(status: Reply, parsed: unknown, clusterRole: string | undefined): Record<string, string> {
  const storageEngine = textAt(status, 'storageEngine.name');
  const given = Object.entries(SETTINGS).flatMap(([name, path]) => {
    const value = at(parsed, path);
    return ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [];
  });
  return {
    dbPath: DEFAULT_DB_PATH,
    ...(storageEngine === undefined ? {} : { storageEngine }),
    ...(clusterRole === undefined ? {} : { clusterRole }),
    ...Object.fromEntries(given),
  };
}

/** Which run of the program answered. */
export function processOf(hello: Reply, status: Reply): ServerProcess {
  const now = dateAt(status, 'localTime')?.getTime() ?? 0;
  return {
    // [doc: hello.topologyVersion, from 4.4]
    id: idAt(hello, 'topologyVersion.processId'),
    pid: numberAt(status, 'pid'),
    startedMs: now - (numberAt(status, 'uptimeMillis') ?? 0),
  };
}

/** Whether two readings are of the same run of the same program. */
export function isSameProcess(one: ServerProcess, other: ServerProcess): boolean {
  if (one.id !== undefined || other.id !== undefined) return one.id === other.id;
  return one.pid === other.pid && Math.abs(one.startedMs - other.startedMs) < START_TOLERANCE_MS;
}

/** The process in a word, for facts and records: of a server without an id the first reading of its start. */
export function processName({ id, pid, startedMs }: ServerProcess): string {
  return id ?? `pid ${pid ?? 'unknown'} since ${new Date(startedMs).toISOString()}`;
}

/** The process of an answer, in the words of the one that is known where they are the same. */
export function processNameLike(known: ServerProcess, found: ServerProcess): string {
  return processName(isSameProcess(known, found) ? known : found);
}

/** What a server is in its set. */
export function roleOf(hello: Reply): string {
  if (hello.setName === undefined) return 'standalone';
  if (hello.isWritablePrimary === true) return 'primary';
  return hello.secondary === true ? 'secondary' : 'other';
}

/** The time of the last operation that the server has applied; undefined outside of a replica set. */
export function lastWriteOf(
  hello: Reply,
): { readonly opTime: string; readonly term?: string; readonly at?: Date } | undefined {
  const opTime = timestampAt(hello, 'lastWrite.opTime.ts');
  if (opTime === undefined) return undefined;
  const term = numberAt(hello, 'lastWrite.opTime.t');
  const written = dateAt(hello, 'lastWrite.lastWriteDate');
  return {
    opTime,
    ...(term === undefined ? {} : { term: String(term) }),
    ...(written === undefined ? {} : { at: written }),
  };
}

/**
 * The server's own paths. Everything that is mounted below its folder is its own too: the journal, and with
 * `directoryPerDB` or `directoryForIndexes` whole databases and indexes.
 */
export function pathsOf({ settings }: ServerFacts, mountPaths: readonly string[]): readonly ServerPath[] {
  const dbPath = withoutSlash(normalize(settings.dbPath ?? DEFAULT_DB_PATH));
  const journal = `${dbPath}/journal`;
  const below = mountPaths.map(withoutSlash).filter((path) => path.startsWith(`${dbPath}/`) && path !== journal);
  return [
    { role: 'data', what: 'dbPath', path: dbPath },
    { role: 'log', what: 'the journal', path: journal },
    ...below.map((path) => ({ role: 'tablespace' as const, what: 'a folder of dbPath', path })),
  ];
}

/** `mongo-1.mongo:27017`, `[fd00::7]:27017` or a name alone. */
export function splitHost(text: string): { readonly host: string; readonly port: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return { host: text, port: undefined };
  return { host, port: port === undefined ? undefined : Number(port) };
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
