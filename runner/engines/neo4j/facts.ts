/** What a server says of itself. The parsing is pure. */
import type { Server, ServerPath } from '../../engine';
import { StillpointError } from '../../errors';
import type { Connection, Row } from './connection';
import { isOfModern, nameIn } from './settings';

/** What is known of a server when the session is open. */
export interface ServerFacts extends Server {
  readonly edition: string;
  /** Changes when the server is started anew. */
  readonly process: string;
  readonly databases: readonly DatabaseFacts[];
}

export interface DatabaseFacts {
  readonly name: string;
  readonly id: string;
  readonly status: string;
  /** Whether it is the one that a user is in who names none. */
  readonly home: boolean;
  /** How many servers have it: more than one is a cluster. */
  readonly copies: number;
}

/** Settings that a copy is started with, or that say where the files lie. */
const SETTINGS = [
  'server.directories.data',
  'server.directories.transaction.logs.root',
  'server.directories.neo4j_home',
  'server.memory.heap.max_size',
  'server.memory.pagecache.size',
  'db.format',
] as const;

const HOME = 'server.directories.neo4j_home';
const DATA = 'server.directories.data';
const LOGS = 'server.directories.transaction.logs.root';

export async function readServer(connection: Connection, signal: AbortSignal): Promise<ServerFacts> {
  const components = await connection.ask('asking the version', 'CALL dbms.components()', signal);
  const runtime = await connection.ask('asking for the process', RUNTIME, signal);
  const databases = (await connection.ask('listing the databases', 'SHOW DATABASES YIELD *', signal)).rows.map(
    databaseIn,
  );
  const version = versionOf(components.rows[0] ?? {});
  const settings = await connection.ask('reading the settings', settingsStatement(version), signal);
  return serverOf(components.rows[0] ?? {}, runtime.rows[0] ?? {}, databases, settings.rows);
}

/** JMX is the only place that knows a server's host and when it was started. */
const RUNTIME = `CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes
RETURN attributes.Name.value AS name, attributes.StartTime.value AS started`;

const UPTIME = `CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes
RETURN attributes.Uptime.value AS uptime`;

/** How long the server's process has been running, as it counts itself: no clock of another machine comes in. */
export async function readUptime(connection: Connection, signal: AbortSignal): Promise<number | undefined> {
  const { rows } = await connection.ask('asking how long the server has been running', UPTIME, signal);
  return uptimeOf(rows[0] ?? {});
}

/** In milliseconds; undefined where the server does not say it. Pure. */
export function uptimeOf({ uptime }: Row): number | undefined {
  return typeof uptime === 'number' && uptime >= 0 ? uptime : undefined;
}

/** 4.4 has no SHOW SETTINGS, and 5 has another name for most of them. Pure. */
export function settingsStatement(serverVersion: string): string {
  const modern = isOfModern({ serverVersion });
  const names = SETTINGS.map((name) => `'${nameIn(name, modern)}'`).join(', ');
  return modern
    ? `SHOW SETTINGS YIELD name, value WHERE name IN [${names}]`
    : `CALL dbms.listConfig() YIELD name, value WHERE name IN [${names}] RETURN name, value`;
}

/** By the names of 5, whatever the server calls them. */
function settingsIn(rows: readonly Row[], serverVersion: string): Readonly<Record<string, string>> {
  const modern = isOfModern({ serverVersion });
  const names = new Map<string, string>(SETTINGS.map((name) => [nameIn(name, modern), name]));
  return Object.fromEntries(rows.map(({ name, value }) => [names.get(textOf(name)) ?? textOf(name), textOf(value)]));
}

function versionOf(components: Row): string {
  return textOf((components.versions as readonly unknown[] | undefined)?.[0]);
}

/** Pure. */
export function serverOf(
  components: Row,
  runtime: Row,
  databases: readonly DatabaseFacts[],
  settings: readonly Row[],
): ServerFacts {
  const version = versionOf(components);
  if (version === '') throw new StillpointError('server-version-unsupported', 'the server does not say its version');
  // As `1@graph-0`: the number of the process, and its host.
  const [process = '', hostname = ''] = textOf(runtime.name).split('@');
  const home = databases.find((each) => each.home) ?? databases[0];
  return {
    address: undefined,
    hostname,
    version,
    edition: textOf(components.edition),
    process: `${process}@${hostname} ${textOf(runtime.started)}`,
    databases,
    identity: {
      ...(home === undefined ? {} : { database: home.name, databaseId: home.id }),
      edition: textOf(components.edition),
    },
    settings: settingsIn(settings, version),
  };
}

/** Pure. */
export function databaseIn(row: Row): DatabaseFacts {
  const { name, databaseID, currentStatus, home, currentPrimariesCount, currentSecondariesCount } = row;
  const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    name: textOf(name),
    id: textOf(databaseID),
    status: textOf(currentStatus),
    home: home === true,
    copies: Math.max(1, count(currentPrimariesCount) + count(currentSecondariesCount)),
  };
}

/**
 * Where the files lie. The server says it as it was told, and in its image `data` below its home is a link to `/data`, which
 * no session can see: where something is mounted there and nothing on the way, that is meant [doc: the image's Dockerfile; tried].
 */
export function pathsOf(
  { settings }: Pick<ServerFacts, 'settings'>,
  mountPaths: readonly string[],
): readonly ServerPath[] {
  const home = settings[HOME] ?? '';
  const mounts = mountPaths.map((path) => path.replace(/\/+$/, ''));
  const real = (path: string | undefined): string | undefined => {
    const linked = `${home}/data`;
    if (path === undefined || !(path === linked || path.startsWith(`${linked}/`))) return path;
    // What is mounted elsewhere below its home, as certificates or plug-ins are, leaves the link where it is.
    const onTheWay = mounts.some((mount) => isWithin(linked, mount) || isWithin(mount, linked));
    return mounts.includes(LINKED) && !onTheWay ? `${LINKED}${path.slice(linked.length)}` : path;
  };
  return [
    { role: 'data', what: DATA, path: real(settings[DATA]) },
    { role: 'log', what: LOGS, path: real(settings[LOGS]) },
  ];
}

const LINKED = '/data';

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}
