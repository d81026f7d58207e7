/** mysqldump, mariadb-dump and their clients. Pure: what they are told, and how they say that they are done. */
import type { Target } from '../../engine';
import type { DumpRequest, EngineDump, ToolCommand } from '../../tools/tool';
import { createDatabase, destination } from './destination';
import { unseen } from './grants';
import { databaseOf } from './select';
import { dialectOf, type Flavour } from './versions';

const PROGRAMS = {
  mysql: { dump: 'mysqldump', client: 'mysql' },
  // MariaDB's own images know no other names since 11.
  mariadb: { dump: 'mariadb-dump', client: 'mariadb' },
} as const;

const flavourOf = (flavour: string | undefined): Flavour => (flavour === 'mariadb' ? 'mariadb' : 'mysql');

const LOGIN_FILE = 'login.cnf';

/** A mysqldump of 5.7 loses letters of four bytes by default, and one of 9 gives up at a row of 24 MiB. */
const COMMON = ['--default-character-set=utf8mb4', '--max-allowed-packet=1G'];

const ESCAPES = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A value of an option file, whatever is in it. */
const quoted = (value: string): string =>
  `"${value.replaceAll(/[\\"\n\r\t]/g, (found) => ESCAPES[found as keyof typeof ESCAPES])}"`;

/**
 * The login in an option file, which is the only one that is read: those of the image and of its user could hold anything.
 * Arguments can be read by everybody on the node, and the variable MYSQL_PWD is deprecated.
 */
function login(target: Target): Pick<ToolCommand, 'env' | 'files' | 'secrets'> {
  const { connection, username, password, tls } = target;
  const where = connection.host.startsWith('/')
    ? ['protocol=socket', `socket=${quoted(connection.host)}`]
    : ['protocol=tcp', `host=${quoted(connection.host)}`, `port=${connection.port}`];
  const lines = ['[client]', `user=${quoted(username)}`, `password=${quoted(password ?? '')}`, ...where];
  return {
    env: {},
    files: {
      [LOGIN_FILE]: `${lines.join('\n')}\n`,
      ...(tls?.ca === undefined ? {} : { 'ca.crt': tls.ca }),
      ...(tls?.cert === undefined ? {} : { 'client.crt': tls.cert }),
      ...(tls?.key === undefined ? {} : { 'client.key': tls.key }),
    },
    secrets: password === undefined ? [] : [password],
  };
}

type TlsMode = NonNullable<Target['tls']>['mode'];

const TLS_OPTIONS: Readonly<Record<Flavour, Readonly<Record<TlsMode, readonly string[]>>>> = {
  mysql: {
    // Without TLS the password goes out under the server's own public key, as the session sends it.
    disable: ['--ssl-mode=DISABLED', '--loose-get-server-public-key'],
    require: ['--ssl-mode=REQUIRED'],
    'verify-ca': ['--ssl-mode=VERIFY_CA'],
    'verify-full': ['--ssl-mode=VERIFY_IDENTITY'],
  },
  mariadb: {
    disable: ['--skip-ssl'],
    require: ['--ssl', '--skip-ssl-verify-server-cert'],
    // MariaDB's client checks the name whenever it checks the certificate.
    'verify-ca': ['--ssl', '--ssl-verify-server-cert'],
    'verify-full': ['--ssl', '--ssl-verify-server-cert'],
  },
};

function tlsOptions({ tls, connection }: Target, flavour: Flavour, folder: string): readonly string[] {
  if (connection.host.startsWith('/')) return [];
  return [
    ...TLS_OPTIONS[flavour][tls?.mode ?? 'disable'],
    ...(tls?.ca === undefined ? [] : [`--ssl-ca=${folder}/ca.crt`]),
    ...(tls?.cert === undefined ? [] : [`--ssl-cert=${folder}/client.crt`]),
    ...(tls?.key === undefined ? [] : [`--ssl-key=${folder}/client.key`]),
  ];
}

/** What a tool says of itself: `mysqldump  Ver 9.7.4 for …`, `… Distrib 5.7.44, for …`, `mariadb-dump from 11.8.9-MariaDB, …`. */
function parseTool(toolSays: string): { readonly flavour: Flavour; readonly version: string } | undefined {
  const version = (/(?:Distrib|from) (\d+\.\d+\.\d+)/.exec(toolSays) ?? /Ver (\d+\.\d+\.\d+)/.exec(toolSays))?.[1];
  if (version === undefined || !/^(?:\S*\/)?(?:mysqldump|mariadb-dump)\b/.test(toolSays)) return undefined;
  return { flavour: /mariadb/i.test(toolSays) ? 'mariadb' : 'mysql', version };
}

const SERIES = 100;

/**
 * Where the log stood. MariaDB knows it of the snapshot that it reads; MySQL's tool takes a global read lock for it, with no
 * limit to its waiting: everybody's writes queue up behind that.
 */
function positionOptions(flavour: Flavour, { position, toolSays }: DumpRequest): readonly string[] {
  if (flavour === 'mariadb') return position === true ? ['--master-data=2', '--gtid'] : [];
  // What is set to nothing else is set to change the GTIDs of the server that reads the dump, and to lock for that.
  if (position !== true) return ['--set-gtid-purged=OFF'];
  const tool = toolSays === undefined ? undefined : parseTool(toolSays);
  const from = (number: number): boolean => tool === undefined || dialectOf(tool.version).number >= number;
  return [
    from(80_026) ? '--source-data=2' : '--master-data=2',
    from(80_017) ? '--set-gtid-purged=COMMENTED' : '--set-gtid-purged=OFF',
  ];
}

/** Those of the client itself: it could not connect, or lost the connection. They hold no statement. */
const CLIENTS_OWN = /^ERROR 2\d{3} .*/gm;
const SERVERS = /^ERROR(?: (?!2\d{3} )\d+(?: \([0-9A-Z]{5}\))?)?(?: at line \d+)?(?=:)/gm;
/** What it says before it has a statement: of its options, and of what it cannot read. */
const OF_ITSELF = /^(?:mysql|mariadb): .*/gm;

/**
 * What the client says of a failure, without what the server says: that quotes the statement near which it stopped, a row or a
 * password among it, and last words go into logs and records. The number tells what it was, and the line where.
 */
export const clientWords = (stderr: string): string =>
  [CLIENTS_OWN, SERVERS, OF_ITSELF].flatMap((words) => stderr.match(words) ?? []).join('\n');

export const dump: EngineDump = {
  versionOf: (flavour) => ({ program: PROGRAMS[flavourOf(flavour)].dump, args: ['--version'] }),

  unfit(toolSays, server) {
    const tool = parseTool(toolSays);
    if (tool === undefined) return `"${toolSays.trim()}" is not what the tool of MySQL or MariaDB says of itself`;
    // A session gives the bare version, and says beside it whose it is.
    const suffix = server.flavour === 'mariadb' ? '-MariaDB' : '';
    const [own, its] = [dialectOf(`${server.version}${suffix}`), dialectOf(tool.version)];
    if (tool.flavour !== own.flavour) return `the tool is of ${tool.flavour}, and the server of ${own.flavour}`;
    // Between the releases of a series nothing changes that a dump needs; the tool of an earlier one asks for what is gone.
    return Math.floor(its.number / SERIES) < Math.floor(own.number / SERIES)
      ? `the tool is of ${tool.flavour} ${its.series}, and the server of ${own.series}`
      : undefined;
  },

  dump(target, what) {
    const flavour = flavourOf(what.flavour);
    return {
      ...login(target),
      program: PROGRAMS[flavour].dump,
      args: (folder) => [
        `--defaults-file=${folder}/${LOGIN_FILE}`,
        ...tlsOptions(target, flavour, folder),
        ...COMMON,
        // One transaction for all tables that have such; it locks nothing.
        '--single-transaction',
        '--routines',
        '--triggers',
        '--events',
        '--hex-blob',
        // They are of NDB alone, and asking for them takes a right of its own.
        '--no-tablespaces',
        ...positionOptions(flavour, what),
        ...(what.database === undefined ? ['--all-databases', '--flush-privileges'] : ['--', what.database]),
      ],
      closing: '-- Dump completed',
    };
  },

  restore(target, { flavour: of, database, outOf }) {
    const flavour = flavourOf(of);
    const into = database ?? outOf;
    return {
      ...login(target),
      program: PROGRAMS[flavour].client,
      args: (folder) => [
        `--defaults-file=${folder}/${LOGIN_FILE}`,
        ...tlsOptions(target, flavour, folder),
        ...COMMON,
        '--batch',
        // What a dump holds may not run commands of the client, of which one starts programs.
        '--binary-mode',
        ...(into === undefined ? [] : [`--database=${into}`]),
      ],
      words: clientWords,
      ...(outOf === undefined ? {} : { refine: (content) => databaseOf(content, outOf) }),
    };
  },

  unseen,
  destination,
  createDatabase,
};
