/** The manifests of a test's Redis or Valkey, and its settings. */
import type { TestCertificate } from './certificate';
import type { Anything } from './cluster';
import { secret, statefulServer } from './objects';

/** The passwords of the administrator and of the backup's user; no log may hold them. */
export const DEFAULT_PASSWORD = 'open-sesame-said-the-cache';
export const REDIS_BACKUP_PASSWORD = 'forty-thieves-in-a-jar';

/** A public image that the suite runs on. */
export type RedisImage = 'redis:8' | 'valkey:8';

/** How a test's server is made. */
export interface RedisOptions {
  readonly namespace: string;
  readonly image: RedisImage;
  /** @default 'sessions-db' */
  readonly name?: string;
  /** Whether it has an append-only file. @default true */
  readonly appendOnly?: boolean;
  /** How many pods there are, each with a claim of its own. @default 1 */
  readonly replicas?: number;
  /** More arguments, as `--maxmemory`, `1mb`. */
  readonly args?: readonly string[];
  /** Whether its settings are in a file beside its data, which it can write anew. @default false */
  readonly file?: boolean;
  /** What the backup's user may do besides. @default - nothing */
  readonly rules?: readonly string[];
  /** Its own certificate: it then speaks TLS alone. @default - none */
  readonly certificate?: TestCertificate | undefined;
}

/** What the documentation tells users to grant, and no more. */
export const BACKUP_RULES = [
  'resetchannels',
  '&stillpoint',
  '+info',
  '+config|get',
  '+config|set',
  '+client|id',
  '+client|info',
  '+client|list',
  '+client|pause',
  '+client|unpause',
  '+publish',
  '+bgsave',
  '+multi',
] as const;

/** What it takes besides with sentinels, which have a server write its settings down. */
export const SENTINEL_RULES = ['+config|rewrite'] as const;

/** Where its settings are, where they are in a file. */
export const SETTINGS_FILE = '/data/server.conf';

/** What it tells users of a cluster to grant besides. */
const CLUSTER_RULES = ['+cluster|nodes', '+cluster|info'] as const;

const TLS = '/tls';
const TLS_ARGUMENTS = [
  ...['--port', '0', '--tls-port', '6379', '--tls-auth-clients', 'no'],
  ...['--tls-cert-file', `${TLS}/tls.crt`, '--tls-key-file', `${TLS}/tls.key`, '--tls-ca-cert-file', `${TLS}/ca.crt`],
];

type ServerOptions = Omit<Required<RedisOptions>, 'namespace'>;

/** All of them, with what is usual for those that a test does not name. */
export function withDefaults(options: RedisOptions): Required<RedisOptions> {
  return {
    name: 'sessions-db',
    appendOnly: true,
    replicas: 1,
    args: [],
    file: false,
    rules: [],
    certificate: undefined,
    ...options,
  };
}

/** The objects of a server. */
export function redisObjects(options: Required<RedisOptions>): readonly Anything[] {
  const { namespace, name, certificate, replicas } = options;
  const { key = '', certificate: cert = '' } = certificate ?? {};
  return [
    secret({ name: `${name}-backup`, namespace }, { username: 'stillpoint', password: REDIS_BACKUP_PASSWORD }),
    ...(certificate === undefined
      ? []
      : [secret({ name: `${name}-tls`, namespace }, { 'tls.key': key, 'tls.crt': cert, 'ca.crt': cert })]),
    ...statefulServer({ namespace, name, port: 6379, replicas, pod: redisPod(options), volumes: ['data'] }),
  ];
}

/** The pod of a server; its claims come from the StatefulSet. */
export function redisPod(options: ServerOptions): object {
  const { name, certificate } = options;
  return {
    terminationGracePeriodSeconds: 5,
    ...(options.file ? { initContainers: [settingsFile(options)] } : {}),
    containers: [container(options)],
    volumes: certificate === undefined ? [] : [{ name: 'tls', secret: { secretName: `${name}-tls` } }],
  };
}

/** The arguments of a server with the backup's user: as users have them, in a file or on the command line. */
function argumentsOf({ appendOnly, args, rules, certificate }: ServerOptions): string[] {
  const more = args.includes('--cluster-enabled') ? CLUSTER_RULES : [];
  const user = ['stillpoint', 'on', `>${REDIS_BACKUP_PASSWORD}`, ...BACKUP_RULES, ...more, ...rules];
  return [
    ...['--requirepass', DEFAULT_PASSWORD],
    ...['--user', ...user],
    ...(appendOnly ? ['--appendonly', 'yes'] : []),
    ...(certificate === undefined ? [] : TLS_ARGUMENTS),
    ...args,
  ];
}

/** Writes the settings to a file, once: later the server itself does. */
function settingsFile(options: ServerOptions): object {
  const text = argumentsOf(options).join(' ').replaceAll(' --', '\n').replace(/^--/, '');
  // On disk before the server starts: a cut holds what is there.
  const make = `test -e ${SETTINGS_FILE} || { echo "$SETTINGS" > ${SETTINGS_FILE}; chmod 666 ${SETTINGS_FILE}; sync; }`;
  return {
    name: 'settings',
    image: options.image,
    command: ['bash', '-c', make],
    env: [{ name: 'SETTINGS', value: text }],
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
}

function container(options: ServerOptions): object {
  const { image, file, certificate } = options;
  return {
    name: 'server',
    image,
    args: [image === 'redis:8' ? 'redis-server' : 'valkey-server', ...(file ? [SETTINGS_FILE] : argumentsOf(options))],
    ports: [{ containerPort: 6379 }],
    readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1, failureThreshold: 1 },
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      ...(certificate === undefined ? [] : [{ name: 'tls', mountPath: TLS }]),
    ],
  };
}
