import { ENGINE_NAMES } from './engines';
import { ANY_POLICY, CONNECTION, metadata } from './job-config';
import { BACKUP_ID_PATTERN, DNS_LABEL_PATTERN } from './names';
import { array, boolean, type Infer, integer, map, object, oneOf, optional, string } from './schema';
import { STORE_CONFIG } from './store-config';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of the job config of dumps. */
export const DUMP_CONFIG_KIND = 'DumpConfig';

/** The `kind` of the instruction of a restore from a dump. */
export const DUMP_RESTORE_KIND = 'DumpRestoreConfig';

/** The `kind` of the document that names the pruner's stores. */
export const STORES_KIND = 'StoresConfig';

/** The key of the pruner's ConfigMap that names them. */
export const STORES_FILE = 'stores.yaml';

/** How a dump can be made smaller. */
export const COMPRESSION_NAMES = ['zstd', 'gzip', 'none'] as const;
export type CompressionName = (typeof COMPRESSION_NAMES)[number];

/** How objects are called in a store. */
export const DUMP_LAYOUTS = ['stillpoint', 'kubedb'] as const;
export type DumpLayoutName = (typeof DUMP_LAYOUTS)[number];

/** A public key of age, as it looks: what is wrong with it beyond that, the runner finds. */
export const AGE_RECIPIENT_PATTERN = '^age1[02-9ac-hj-np-z]{8,}$';

/** Where the constructs mount the Secret with the identities that open encrypted dumps. */
export const IDENTITY_MOUNT = '/var/run/secrets/stillpoint/identity';
/** The name of the mounted file, whatever the key of the Secret is called. */
export const IDENTITY_FILE = 'identity';
/** The key of the Secret where none is named. */
const IDENTITY_KEY = 'key.txt';

/** The volume of a Secret with identities. Optional, so that a Secret that is missing is the runner's error, with its hint. */
export interface IdentityVolume {
  readonly name: string;
  readonly projected: {
    readonly defaultMode: number;
    readonly sources: {
      readonly secret: {
        readonly name: string;
        readonly optional: boolean;
        readonly items: { readonly key: string; readonly path: string }[];
      };
    }[];
  };
}

/** Mounts the identities that a Secret has under a key, for the pod's group alone. */
export function identityVolume(secret: string, key: string = IDENTITY_KEY): IdentityVolume {
  const items = [{ key, path: IDENTITY_FILE }];
  return {
    name: 'identity',
    projected: { defaultMode: 0o440, sources: [{ secret: { name: secret, optional: true, items } }] },
  };
}

const engineOptions = optional(
  map(string({ minLength: 0 }), "Settings of the engine's own; each engine says which it knows."),
);

/** What an online backup is to each of its databases: `auto` begins a chain where there is none to go on with. */
export const ONLINE_TYPES = ['full', 'differential', 'auto'] as const;
export type OnlineType = (typeof ONLINE_TYPES)[number];

/** What comes after a chain that is long enough: all of the database anew, or one file that is made of the chain. */
export const CHAIN_ENDS = ['full', 'aggregate'] as const;
export type ChainEnd = (typeof CHAIN_ENDS)[number];

/** A server that backups are taken from, as the tool takes it. */
export const BACKUP_ADDRESS_PATTERN = '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$';

/** A database or an alias, or a pattern of them. A name that began like an option would be taken for one. */
export const DATABASE_NAME_PATTERN = '^[A-Za-z0-9*?][A-Za-z0-9.*?-]{0,62}$';

const databaseNames = array(
  string({ pattern: DATABASE_NAME_PATTERN, description: 'A name, or a pattern with * and ?.' }),
  {
    minItems: 1,
  },
);

const online = object(
  {
    from: array(string({ pattern: BACKUP_ADDRESS_PATTERN, description: 'host:6362.' }), { minItems: 1 }),
    databases: optional(databaseNames),
    aliases: optional(databaseNames),
    type: oneOf(ONLINE_TYPES, 'differential fails where there is no chain to go on with; auto begins one.'),
    longestChain: optional(
      integer({ minimum: 1, description: 'Of so many files a chain is long enough: auto begins the next one.' }),
    ),
    scratch: optional(
      string({
        pattern: '^/',
        description: 'A folder of the pod that the tool works in: of every store that is no directory.',
      }),
    ),
    chainEnd: optional(
      oneOf(CHAIN_ENDS, 'How auto begins it: full, unless given; or aggregate, by one file that is made of the chain.'),
    ),
  },
  {
    description:
      "Where the engine's tool takes the files of each database from a running server, in place of a stream: they lie in the store as the tool has written them, uncompressed by us.",
  },
);

/** The instruction of a dump: what is dumped, how, and where it goes. */
export const DUMP_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([DUMP_CONFIG_KIND]),
    metadata,
    spec: object({
      engine: oneOf(ENGINE_NAMES),
      connection: optional(CONNECTION),
      engineOptions,
      dump: object({
        files: optional(
          object(
            {
              directory: string({ pattern: '^/', description: 'The data directory.' }),
              check: optional(boolean('Whether the tool checks them for consistency before it dumps them.')),
            },
            {
              description:
                'Of engines whose tools read the files of a server that does not run: in place of a connection. Files as a crash leaves them are completed there.',
            },
          ),
        ),
        only: optional(string({ description: 'One database of the server; all of them when left out.' })),
        databases: optional(
          array(string(), {
            minItems: 1,
            description: 'These databases, one after the other, and the logins of the server. Left out with only.',
          }),
        ),
        position: optional(
          boolean("Whether the dump itself says where the server's log stood: what that costs, each engine says."),
        ),
        compression: oneOf(COMPRESSION_NAMES),
        layout: oneOf(
          DUMP_LAYOUTS,
          'How the objects are called: kubedb as KubeDB calls them, with a plain dump. stillpoint: with the record beside.',
        ),
        recipients: optional(
          array(string({ pattern: AGE_RECIPIENT_PATTERN, description: 'A public key of age.' }), { minItems: 1 }),
        ),
        image: optional(string({ description: "The engine's own image, in which its tools run: for the record." })),
        online: optional(online),
      }),
      storage: STORE_CONFIG,
      ...ANY_POLICY,
    }),
  },
  { description: 'One database server that is dumped by its own tools, and the store that the dumps go to.' },
);

/** What a restore takes of the users and roles that an online backup has beside the data. */
export const METADATA_NAMES = ['none', 'roles', 'all'] as const;
export type MetadataName = (typeof METADATA_NAMES)[number];

/** The number of a transaction, or an instant in UTC. */
export const UNTIL_PATTERN = '^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)$';

/** The name of one database or alias, as a person types it. */
export const ONE_DATABASE_PATTERN = '^[A-Za-z][A-Za-z0-9.-]{2,62}$';

const onlineRestore = object(
  {
    scratch: string({ pattern: '^/', description: 'An empty folder that the tool works in.' }),
    until: optional(
      string({
        pattern: UNTIL_PATTERN,
        description:
          'Up to this instant, or up to and without this transaction; all that the backup has when left out.',
      }),
    ),
    metadata: oneOf(
      METADATA_NAMES,
      'What is taken of users and roles: roles leaves out users and what they are members of.',
    ),
    check: optional(boolean('Whether the tool checks what it has restored for consistency. True when left out.')),
    replace: optional(
      boolean('Whether a database of that name is dropped for it. The server keeps a dump of what is dropped.'),
    ),
    alias: optional(
      string({ pattern: ONE_DATABASE_PATTERN, description: 'The alias that is moved to it once it is checked.' }),
    ),
  },
  {
    description:
      'Of an online backup: one database is put together by the tool, and handed to the running server as a new one.',
  },
);

/** The instruction of a restore: which dump, and which server it goes into. */
export const DUMP_RESTORE_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([DUMP_RESTORE_KIND]),
    metadata,
    spec: object({
      backup: object(
        {
          namespace: string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 }),
          database: string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 }),
          id: string({ pattern: BACKUP_ID_PATTERN }),
        },
        { description: 'By its record in the registry or, where there is none, beside the dump in the store.' },
      ),
      connection: optional(CONNECTION),
      engineOptions,
      file: optional(
        object(
          {
            directory: string({
              pattern: '^/',
              description: 'The data directory of a server that has not started yet.',
            }),
          },
          { description: 'Of engines whose servers take a dump as a file when they start: in place of a connection.' },
        ),
      ),
      online: optional(onlineRestore),
      only: optional(string({ description: 'The one database that is taken out of a dump of all.' })),
      into: optional(string({ description: 'The name under which one database comes back; its own when left out.' })),
      storage: STORE_CONFIG,
      identityFile: optional(
        string({
          description:
            'A file with the identities of age that open the dump. A dump without encryption is then refused.',
        }),
      ),
      checkFirst: optional(
        boolean('Whether the dump is read to its end and compared with its record before the server gets a byte.'),
      ),
      intoOccupied: optional(boolean('Whether a server that holds something already is restored into all the same.')),
      waitSeconds: optional(
        integer({ minimum: 0, maximum: 86400, description: 'How long the server is waited for. 300 when left out.' }),
      ),
      registry: ANY_POLICY.registry,
    }),
  },
  { description: 'One dump, and the server that it is restored into.' },
);

/** The stores of all policies, as the pruner reaches them. */
export const STORES = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([STORES_KIND]),
    spec: object({
      stores: array(STORE_CONFIG),
      recordCopies: optional(
        object(
          {
            storage: STORE_CONFIG,
            signKeyFile: optional(
              string({ description: 'The private key that copies are signed with: Ed25519, in PEM.' }),
            ),
          },
          {
            description:
              'Where copies of the records of snapshot backups are kept, as `stillpoint export` writes them.',
          },
        ),
      ),
    }),
  },
  { description: 'The stores that the pruner reaches: those that dumps are removed from, and that of the records.' },
);

export type DumpConfig = Infer<typeof DUMP_CONFIG>;
export type DumpRestoreConfig = Infer<typeof DUMP_RESTORE_CONFIG>;
export type StoresConfig = Infer<typeof STORES>;
