import { ENGINE_NAMES } from './engines';
import { HOOK, STOPPED } from './hooks';
import { DNS_LABEL_PATTERN, DNS_SUBDOMAIN_PATTERN, NAME_DATES } from './names';
import { array, boolean, type Infer, integer, map, object, oneOf, optional, string } from './schema';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of the job config of one database. */
export const JOB_CONFIG_KIND = 'BackupConfig';

/** The `kind` of the job config of a group. */
export const GROUP_CONFIG_KIND = 'BackupGroupConfig';

/** Where the constructs mount the job config and the credentials in the runner's pod. */
export const MOUNTS = {
  config: '/etc/stillpoint',
  configFile: 'backup.yaml',
  credentials: '/var/run/secrets/stillpoint/credentials',
  tls: '/var/run/secrets/stillpoint/tls',
  hooks: '/var/run/secrets/stillpoint/hooks',
  kept: '/var/run/secrets/stillpoint/kept',
} as const;

/** What starts backups. */
export const TRIGGERS = ['scheduled', 'manual', 'pre-deployment'] as const;

/** The values that hold where the job config says nothing. */
export const JOB_DEFAULTS = {
  budgetSeconds: 30,
  readyTimeoutSeconds: 1800,
  connectTimeoutSeconds: 10,
  lockTimeoutSeconds: 5,
  guardTimeoutSeconds: 90,
} as const;

const name = string({ pattern: DNS_SUBDOMAIN_PATTERN, maxLength: 253 });
const label = string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 });
const path = string({ description: 'An absolute path in the file system of the runner.' });

/**
 * What the snapshot controller can do with its default settings (external-snapshotter 8.6: --kube-api-qps): so long it
 * takes until it is rested. One that may make more gets more slots, each for as many requests a second.
 */
export const SNAPSHOT_CONTROLLER = { requestsPerSnapshot: 8, requestsPerSecond: 5 } as const;

/** How many backups may be at the snapshot controller at a time where nothing is said. */
export const DEFAULT_SLOTS = 1;

/** How a connection is encrypted, as libpq has it. */
export const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/** How the runner reaches a server. Credentials are files, never values. */
export const CONNECTION = object({
  host: string({
    description:
      'A host name or address: of a Service, a pooler or a server. The server behind it is traced to its pod.',
  }),
  port: integer({ minimum: 1, maximum: 65535 }),
  database: optional(string({ description: 'The database to connect to, where the engine has several.' })),
  usernameFile: path,
  passwordFile: optional(path),
  tls: optional(
    object({
      mode: oneOf(TLS_MODES, 'As libpq has it. require encrypts without checking who answers.'),
      caFile: optional(path),
      certFile: optional(path),
      keyFile: optional(path),
    }),
  ),
  connectTimeoutSeconds: optional(integer({ minimum: 1, maximum: 600 })),
  sentinel: optional(
    object(
      {
        masterName: string({ description: 'The name that the sentinels have for the master.' }),
        addresses: optional(
          array(object({ host: string(), port: optional(integer({ minimum: 1, maximum: 65535 })) }), { minItems: 1 }),
        ),
        usernameFile: optional(path),
        passwordFile: optional(path),
      },
      {
        description:
          'Of Redis and Valkey: the server is the one that sentinels name when a backup begins; certificates are checked for host all the same. Without addresses, host leads to a sentinel as well.',
      },
    ),
  ),
});

/**
 * One volume of a database: a claim by name, or by the StatefulSet that made it, or all claims with given labels, or
 * whatever claim the server's own pod mounts, for a server that is chosen when a backup begins.
 */
export const VOLUME = object({
  name: label,
  role: oneOf(
    ['data', 'log', 'tablespace'],
    'What lies on it. "log" is the write-ahead log, where it has a volume of its own.',
  ),
  claim: optional(name),
  statefulSet: optional(object({ name, volumeClaimTemplate: name, ordinal: integer({ minimum: 0 }) })),
  matchLabels: optional(map(string({ maxLength: 63 }))),
  podVolume: optional(
    string({
      pattern: DNS_LABEL_PATTERN,
      maxLength: 63,
      description:
        "The claim that the server's own pod has under this name among its volumes; a StatefulSet's pods have their claims under the names of its volumeClaimTemplates.",
    }),
  ),
  optional: optional(
    boolean(
      "Of one that is found from the server's pod: where the pod has no such volume, what would lie there lies on another one of the policy.",
    ),
  ),
  directory: optional(path),
});

/**
 * Servers whose names nobody knows beforehand: each backup finds them by the labels of their pods, and takes the ready one
 * with the lowest ordinal.
 */
export const SERVERS = object(
  {
    matchLabels: map(string({ maxLength: 63 })),
    port: integer({ minimum: 1, maximum: 65535 }),
    groupLabel: optional(string({ description: 'The label that tells groups of servers from one another.' })),
    groups: optional(
      array(string({ maxLength: 63 }), {
        minItems: 1,
        description:
          'The values of groupLabel where each group of servers holds a part of the data: one server of each is backed up.',
      }),
    ),
    connectTimeoutSeconds: optional(integer({ minimum: 1, maximum: 600 })),
  },
  { description: 'The servers, by the labels of their pods: the ready one with the lowest ordinal is backed up.' },
);

/**
 * The custom resource that a control plane makes the database from: kept with each backup, for a restore where the original is
 * gone.
 */
export const DATABASE_RESOURCE = object(
  {
    apiVersion: string(),
    kind: string(),
    plural: string({ description: 'As the API has it in its paths: `databases`.' }),
    name,
    path: optional(
      string({ description: 'What its control plane calls the database; backups are called `<path>/<id>` there.' }),
    ),
    passwordFile: optional(
      string({
        description:
          "The administrator's password, in the file system of the runner. It is kept in a Secret beside the record, never in it.",
      }),
    ),
  },
  { description: 'The custom resource that a control plane makes the database from: kept with each backup.' },
);

/** What a policy says of one database: how it is reached, what its files lie on, how it is held. */
const MEMBER = {
  engine: oneOf(ENGINE_NAMES),
  connection: optional(CONNECTION),
  servers: optional(SERVERS),
  resource: optional(DATABASE_RESOURCE),
  volumes: array(VOLUME, { minItems: 1 }),
  ignoreClaims: optional(array(name)),
  layout: optional(
    oneOf(
      ['auto', 'atomic', 'backup-mode', 'group'],
      'How several volumes become one consistent copy. auto: atomic for one volume, group where a group class is named, else backup-mode.',
    ),
  ),
  engineOptions: optional(
    map(string({ minLength: 0 }), "Settings of the engine's own; each engine says which it knows."),
  ),
  offline: optional(STOPPED),
  hooks: optional(
    array(HOOK, {
      minItems: 1,
      description: 'What is done from outside around the freeze: the first before the others, and undone after them.',
    }),
  ),
} as const;

/** What a policy says of all that it backs up, however it does. */
export const ANY_POLICY = {
  database: string({
    pattern: DNS_LABEL_PATTERN,
    maxLength: 63,
    description: 'The name of what is backed up; backups are listed under it.',
  }),
  deadlineSeconds: optional(integer({ minimum: 1 })),
  trigger: optional(oneOf(TRIGGERS)),
  prune: optional(
    boolean(
      'Whether the pruner is asked to remove what is not kept, when a backup has ended: the policy has a retention.',
    ),
  ),
  revision: optional(string({ description: 'What is about to be deployed: a commit or a version.' })),
  registry: object({ namespace: optional(label), directory: optional(path) }),
  clusterScope: optional(
    boolean(
      'Whether the account may read classes, contents and volumes. Without it the backup says what it could not check.',
    ),
  ),
} as const;

/** The same of one that takes snapshots. */
const POLICY = {
  ...ANY_POLICY,
  snapshots: object({
    className: optional(name),
    groupClassName: optional(name),
    direct: optional(
      boolean(
        'Whether single snapshots are cut without waiting for the snapshot controller: the account then makes contents. It takes a className.',
      ),
    ),
    slots: optional(
      integer({
        minimum: 0,
        maximum: 100,
        description:
          'How many Leases there are in the registry by which backups take turns at the snapshot controller. None are waited for when left out.',
      }),
    ),
    directory: optional(path),
    nameDate: optional(
      oneOf(
        NAME_DATES,
        'How the names of the snapshots end: by the id of the backup, or by its day (UTC); of two on one day the later one says its time too.',
      ),
    ),
  }),
  budgetSeconds: optional(integer({ minimum: 1, maximum: 3600 })),
  readyTimeoutSeconds: optional(integer({ minimum: 1, maximum: 86400 })),
  guarded: optional(
    boolean(
      'Whether the Job has a second pod, the guard, which undoes what outlives the session of a runner that is gone. Engines whose freeze ends with its session need none.',
    ),
  ),
  guardTimeoutSeconds: optional(
    integer({ minimum: 1, maximum: 3600, description: 'How long to wait for the guard before the freeze.' }),
  ),
} as const;

export const metadata = object({ name: label, namespace: optional(label) });

/** The job's whole instruction, of one database: what the constructs write and the runner reads. */
export const JOB_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([JOB_CONFIG_KIND]),
    metadata,
    spec: object({ ...MEMBER, ...POLICY }),
  },
  { description: 'One database, how it is backed up, and where the records go.' },
);

/** The same of a group: several databases that are held at once, in the order in which they are frozen. */
export const GROUP_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([GROUP_CONFIG_KIND]),
    metadata,
    spec: object({
      members: array(object({ name: label, ...MEMBER }), { minItems: 1 }),
      ...POLICY,
    }),
  },
  { description: 'Several databases that are held and cut at once, how, and where the records go.' },
);

export type JobConfig = Infer<typeof JOB_CONFIG>;
export type GroupConfig = Infer<typeof GROUP_CONFIG>;
/** What a runner is told to do: take snapshots of one database, or of a group of them. */
export type SnapshotConfig = JobConfig | GroupConfig;
/** What a policy says of one database. */
export type MemberConfig = Pick<JobConfig['spec'], keyof typeof MEMBER>;
export type Connection = Infer<typeof CONNECTION>;
export type DatabaseResource = Infer<typeof DATABASE_RESOURCE>;
export type ServerSelection = Infer<typeof SERVERS>;
export type VolumeSelection = Infer<typeof VOLUME>;
export type VolumeRole = VolumeSelection['role'];
export type Trigger = NonNullable<JobConfig['spec']['trigger']>;

/** What a policy says of each of its databases, by name; that of the only one is empty. */
export function membersOf({
  spec,
}: SnapshotConfig): readonly { readonly name: string; readonly config: MemberConfig }[] {
  if (!('members' in spec)) return [{ name: '', config: spec }];
  return spec.members.map(({ name: member, ...config }) => ({ name: member, config }));
}
