/** Reads what a server says of itself: who it is, where its files are, how it is set. */
import { join } from 'node:path';
import type { Server, ServerPath } from '../../engine';
import { type ClusterView, clusterOf } from './cluster';
import type { Connection } from './connection';
import { addressOf, clientOf, fieldsOf, type Info, infoOf, textOf } from './replies';
import { type Dialect, dialectOf } from './versions';

/** What names the running server: the same before the first cut and after the last, or there is no backup. */
export type Identity = Readonly<Record<string, string>>;

/** All that is read once, when a session opens. */
export interface ServerFacts extends Server {
  readonly dialect: Dialect;
  /** The port that the server itself listens at; a Service may have another. */
  readonly port: number;
  readonly identity: Identity;
  readonly role: 'master' | 'slave';
  /** Of a replica: where it has its data from. */
  readonly primary: { readonly host: string; readonly port: number } | undefined;
  readonly clustered: boolean;
  readonly connectionId: string;
}

/** What of the configuration a restore needs, or qualifies what the copy is worth. Never what may hold a password. */
const SETTINGS = [
  'appenddirname',
  'appendfilename',
  'appendfsync',
  'appendonly',
  'auto-aof-rewrite-percentage',
  'cluster-config-file',
  'databases',
  'dbfilename',
  'dir',
  'maxmemory-policy',
  'no-appendfsync-on-rewrite',
  'rdbcompression',
  'replicaof',
  'save',
] as const;

/** Everything that is read once. */
export async function readServer(connection: Connection, signal: AbortSignal): Promise<ServerFacts> {
  const info = await readInfo(connection, signal);
  const client = clientOf(await connection.ask('asking for the own connection', ['CLIENT', 'INFO'], signal));
  const dialect = dialectOf(info);
  return {
    // The server does not know its own address; this connection has it at its end.
    address: addressOf(client.laddr),
    port: Number(info.tcp_port),
    version: dialect.version,
    flavour: dialect.flavour,
    dialect,
    identity: identityOf(info),
    role: info.role === 'slave' ? 'slave' : 'master',
    primary: info.role === 'slave' ? { host: info.master_host ?? '', port: Number(info.master_port) } : undefined,
    clustered: info.cluster_enabled === '1',
    settings: dialect.supported
      ? { ...(await readSettings(connection, SETTINGS, dialect, signal)), config_file: info.config_file ?? '' }
      : {},
    connectionId: client.id ?? '',
  };
}

/** Everything that INFO says. */
export async function readInfo(connection: Connection, signal?: AbortSignal): Promise<Info> {
  return infoOf(await connection.ask('reading what the server says of itself', ['INFO'], signal));
}

/** The cluster as the node at the other end sees it. */
export async function readCluster(connection: Connection, signal?: AbortSignal): Promise<ClusterView> {
  return clusterOf(textOf(await connection.ask('reading the nodes of the cluster', ['CLUSTER', 'NODES'], signal)));
}

/** How the cluster is, as that node sees it. */
export async function readClusterInfo(connection: Connection, signal?: AbortSignal): Promise<Info> {
  return infoOf(await connection.ask('reading the state of the cluster', ['CLUSTER', 'INFO'], signal));
}

/** Some settings as they are. */
export async function readSettings(
  connection: Connection,
  names: readonly string[],
  { sinceSeven }: Pick<Dialect, 'sinceSeven'>,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const settings: Record<string, string> = {};
  for (const asked of sinceSeven ? [names] : names.map((name) => [name])) {
    const reply = await connection.ask('reading settings of the server', ['CONFIG', 'GET', ...asked], signal);
    Object.assign(settings, fieldsOf(reply));
  }
  return settings;
}

/** Who the server is. Its facts are those that every connection to the same running server reads alike. */
export function identityOf(info: Info): Identity {
  return { runId: info.run_id ?? '', role: info.role ?? '', replid: info.master_replid ?? '' };
}

/** What of the settings says where the server's files are, and what they are called. */
export const FILES = ['appenddirname', 'appendfilename', 'dbfilename', 'dir'] as const;

/** The server's folder, and that of its append-only files where it has such. */
export function pathsOf({ settings }: Pick<ServerFacts, 'settings'>): readonly ServerPath[] {
  const dir = settings.dir ?? '';
  return [
    { role: 'data', what: 'dir', path: dir },
    ...(settings.appendonly === 'yes'
      ? [{ role: 'log' as const, what: 'appenddirname', path: join(dir, settings.appenddirname ?? '') }]
      : []),
  ];
}
