/**
 * The settings of a server, or of tools, on files of their own: it reaches nobody and nobody reaches it (safety rule 13). No plug-in,
 * no login, no listener but one for its own pod. With 5 the settings were given new names; a record has these, whatever its server. Pure.
 * [doc: Operations Manual, the migration from 4.4 to 5]
 */
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';

/** The folder of the settings, beside the databases. A server of the user's own does not look there. */
export const SETTINGS_FOLDER = '.stillpoint';

/** Folders in it that the server writes to, or looks into. */
export const WRITTEN_TO = ['plugins', 'logs', 'run'];

export const HEAP = 'server.memory.heap.max_size';
export const PAGE_CACHE = 'server.memory.pagecache.size';

/** The names that were not made by putting `server` in place of `dbms`. */
const CONNECTOR = /^server\.(bolt|http|https)\./;

/** Sizes as Java takes them, as `256m`; what is left out the server chooses. */
type Memory = Readonly<Partial<Record<typeof HEAP | typeof PAGE_CACHE, string | undefined>>>;

export interface OwnSettings {
  readonly data: string;
  /** The folder of the transaction logs. */
  readonly logs: string;
  /** Whether it is of 5 or later. */
  readonly modern: boolean;
  readonly memory: Memory;
  /** Whether it is a server that people in its own pod talk to; false: tools alone. */
  readonly listens: boolean;
}

/** The text of `neo4j.conf`. */
export function ownSettings({ data, logs, modern, memory, listens }: OwnSettings): string {
  const own = join(data, SETTINGS_FOLDER);
  const lines: readonly (readonly [string, string])[] = [
    ['server.directories.data', data],
    ['server.directories.transaction.logs.root', logs],
    ...WRITTEN_TO.map((each) => [`server.directories.${each}`, join(own, each)] as const),
    ['dbms.security.auth_enabled', 'false'],
    ['server.default_listen_address', '127.0.0.1'],
    listens ? ['server.bolt.listen_address', '127.0.0.1:7687'] : ['server.bolt.enabled', 'false'],
    ['server.http.enabled', 'false'],
    ['server.https.enabled', 'false'],
    ...[HEAP, PAGE_CACHE].flatMap((name) => {
      const size = memory[name as keyof Memory];
      return size === undefined ? [] : [[name, size] as const];
    }),
    ...(modern ? ([['dbms.usage_report.enabled', 'false']] as const) : []),
    // A name that a version of 5 does not know stops it. A server is better stopped than open; tools listen to nobody anyway.
    ...(modern && !listens ? ([['server.config.strict_validation.enabled', 'false']] as const) : []),
  ];
  return `${lines.map(([name, value]) => `${nameIn(name, modern)}=${value}`).join('\n')}\n`;
}

/** What a setting of 5 is called by a version. */
export function nameIn(name: string, modern: boolean): string {
  if (modern) return name;
  return name.replace(CONNECTOR, 'dbms.connector.$1.').replace(/^server\./, 'dbms.');
}

/** Whether a backup is of 5 or later: by the server's own word, else by the tag of its image. What neither says is taken for new. */
export function isOfModern({ serverVersion, workload }: Pick<BackupRecord, 'serverVersion' | 'workload'>): boolean {
  const [, tag] = /:([^/:@]+)(?:@[^/]*)?$/.exec(workload?.image ?? '') ?? [];
  const [, major] = [serverVersion, tag].map((each) => /^v?(\d+)(?:\D|$)/.exec(each ?? '')).find((each) => each) ?? [];
  return major === undefined || Number(major) >= 5;
}

/** The server says `256.00MiB` of what it was told as `256m`; Java knows the latter alone. */
export function javaSize(text: string | undefined): string | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([KMG])iB$/.exec(text ?? '') ?? [];
  const kibibytes = { K: 1, M: 1024, G: 1024 ** 2 }[unit ?? ''];
  return amount === undefined || kibibytes === undefined ? undefined : `${Math.round(Number(amount) * kibibytes)}k`;
}
