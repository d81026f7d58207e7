/** The instructions of copies: finished snapshots whose files are taken to a store, and back. */
import { AGE_RECIPIENT_PATTERN, COMPRESSION_NAMES } from './dump-config';
import { ENGINE_NAMES } from './engines';
import { ANY_POLICY, metadata } from './job-config';
import { BACKUP_ID_PATTERN, DNS_LABEL_PATTERN, DNS_SUBDOMAIN_PATTERN } from './names';
import { array, boolean, type Infer, integer, object, oneOf, optional, string } from './schema';
import { STORE_CONFIG } from './store-config';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of the job config of copies. */
export const COPY_CONFIG_KIND = 'CopyConfig';

/** The `kind` of the instruction of a restore from a copy. */
export const COPY_RESTORE_KIND = 'CopyRestoreConfig';

/** Where the constructs mount what only copies have. */
export const COPY_MOUNTS = {
  /** Each volume in a folder of its name. */
  volumes: '/volumes',
  /** The order, which the runner gives and the worker takes. */
  order: '/var/run/stillpoint/order',
  orderFile: 'order.yaml',
  /** What a container knows when it is started again, and what one hands on to the next. */
  state: '/var/run/stillpoint/state',
  /** The record of the backup that was copied, for who prepares its files. */
  recordFile: 'record.yaml',
} as const;

const label = string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 });
const name = string({ pattern: DNS_SUBDOMAIN_PATTERN, maxLength: 253 });

/** The instruction of copies: whose backups are copied, by which worker, and where they go. */
export const COPY_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([COPY_CONFIG_KIND]),
    metadata,
    spec: object({
      engine: oneOf(ENGINE_NAMES),
      of: string({
        pattern: DNS_LABEL_PATTERN,
        maxLength: 63,
        description: 'The database whose newest good backup is copied, in the same namespace.',
      }),
      copy: object({
        compression: oneOf(COMPRESSION_NAMES),
        recipients: optional(
          array(string({ pattern: AGE_RECIPIENT_PATTERN, description: 'A public key of age.' }), { minItems: 1 }),
        ),
        volumes: array(
          object(
            { name: label, claim: name },
            { description: 'A volume of the backup, and the claim that is made of it.' },
          ),
          { minItems: 1 },
        ),
        places: optional(
          boolean(
            'Whether these volumes are places, which the volumes of a backup take in their order: how many it has, is known when it is taken. Left out: they are those of the backup, by their names.',
          ),
        ),
        worker: string({
          pattern: DNS_SUBDOMAIN_PATTERN,
          description: 'The Deployment that mounts the claims: it has no pod until the runner scales it to one.',
        }),
        order: string({
          pattern: DNS_SUBDOMAIN_PATTERN,
          description: 'The ConfigMap that tells the worker what to do: there as long as a copy is at work.',
        }),
        runAsUser: integer({ minimum: 0, description: 'The user that the worker reads the files as.' }),
      }),
      storage: STORE_CONFIG,
      ...ANY_POLICY,
    }),
  },
  { description: 'The backups of one database whose files are copied off the cluster, and the store that they go to.' },
);

/** The instruction of a restore: which copy, and which empty volumes it goes into. */
export const COPY_RESTORE_CONFIG = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([COPY_RESTORE_KIND]),
    metadata,
    spec: object({
      backup: object(
        { namespace: label, database: label, id: string({ pattern: BACKUP_ID_PATTERN }) },
        { description: 'By its record in the registry or, where there is none, beside the copy in the store.' },
      ),
      volumes: array(object({ name: label, path: string({ pattern: '^/', description: 'An empty folder.' }) }), {
        minItems: 1,
        description: 'All volumes of the copy.',
      }),
      storage: STORE_CONFIG,
      identityFile: optional(
        string({
          description: 'A file with the identities of age that open the copy. One without encryption is then refused.',
        }),
      ),
      recordFile: string({
        pattern: '^/',
        description: 'Where the record of the backup that was copied is written, for who prepares its files.',
      }),
      registry: ANY_POLICY.registry,
    }),
  },
  { description: 'One copy, and the empty volumes that its files go into.' },
);

export type CopyConfig = Infer<typeof COPY_CONFIG>;
export type CopyRestoreConfig = Infer<typeof COPY_RESTORE_CONFIG>;
