import { boolean, type Infer, integer, object, oneOf, optional, string } from './schema';

/** The kinds of places for objects. */
export const STORE_KINDS = ['s3', 'gcs', 'azure', 'swift', 'directory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** Where the constructs mount the Secret with the credentials of an object store. */
export const STORE_CREDENTIALS_MOUNT = '/var/run/secrets/stillpoint/store';
/** Where the constructs mount the certificates that an object store is trusted by. */
export const STORE_CA_MOUNT = '/var/run/secrets/stillpoint/store-ca';
/** Where the constructs mount the volume of a store of the kind `directory`. */
export const STORE_VOLUME_MOUNT = '/var/lib/stillpoint/store';

/** The keys that a Secret with credentials has, as KubeDB calls them: its Secrets are understood as they are. */
export const STORE_KEYS = {
  s3: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'CA_CERT_DATA'],
  gcs: ['GOOGLE_PROJECT_ID', 'GOOGLE_SERVICE_ACCOUNT_JSON_KEY'],
  azure: ['AZURE_ACCOUNT_NAME', 'AZURE_ACCOUNT_KEY'],
  swift: [
    'OS_AUTH_URL',
    'OS_USERNAME',
    'OS_PASSWORD',
    'OS_REGION_NAME',
    'OS_TENANT_ID',
    'OS_TENANT_NAME',
    'OS_USER_DOMAIN_NAME',
    'OS_PROJECT_ID',
    'OS_PROJECT_NAME',
    'OS_PROJECT_DOMAIN_NAME',
    'OS_APPLICATION_CREDENTIAL_ID',
    'OS_APPLICATION_CREDENTIAL_SECRET',
    'OS_STORAGE_URL',
    'OS_AUTH_TOKEN',
    'ST_AUTH',
    'ST_USER',
    'ST_KEY',
  ],
  directory: [],
} as const satisfies Record<StoreKind, readonly string[]>;

/** How long a request is tried again where the job config says nothing, in seconds. */
export const STORE_PATIENCE_SECONDS = 300;

const bucket = string({ pattern: '^[a-z0-9][a-z0-9._-]+$', maxLength: 222 });
const url = string({ pattern: '^https?://[^\\s@]+$', description: 'The address of the service, with http or https.' });

/** Where objects are kept. What is there of its own settings has the name of its kind. */
export const STORE_CONFIG = object(
  {
    kind: oneOf(STORE_KINDS),
    prefix: optional(
      string({
        pattern: '^[^/\\s]+(/[^/\\s]+)*$',
        maxLength: 512,
        description: 'What all keys begin with, as `backups/prod`.',
      }),
    ),
    credentialsDirectory: optional(
      string({
        description:
          'A folder with a file for each key of the Secret with the credentials. The identity of the workload when left out.',
      }),
    ),
    patienceSeconds: optional(
      integer({
        minimum: 1,
        maximum: 86400,
        description: 'How long one request is tried again when the store does not answer. 300 when left out.',
      }),
    ),
    s3: optional(
      object({
        bucket,
        endpoint: optional(url),
        region: optional(string()),
        pathStyle: optional(boolean('Whether the bucket is in the path of a request, not in the name of the host.')),
        caFile: optional(string({ description: 'The certificates that the endpoint is trusted by.' })),
        storageClass: optional(string({ pattern: '^[A-Z0-9_]+$' })),
        encryption: optional(oneOf(['AES256', 'aws:kms'], 'How the service encrypts what it keeps.')),
        kmsKeyId: optional(string()),
        lock: optional(
          object(
            { mode: oneOf(['GOVERNANCE', 'COMPLIANCE']), days: integer({ minimum: 1, maximum: 36500 }) },
            { description: 'Object lock: for so long nobody removes an object. The bucket has to have it.' },
          ),
        ),
      }),
    ),
    gcs: optional(
      object({
        bucket,
        endpoint: optional(url),
        storageClass: optional(string({ pattern: '^[A-Z0-9_]+$' })),
        kmsKeyName: optional(string()),
      }),
    ),
    azure: optional(
      object({
        container: string({ pattern: '^[a-z0-9$][a-z0-9-]+$', maxLength: 63 }),
        account: optional(
          string({ description: 'The account, where AZURE_ACCOUNT_NAME is not among the credentials.' }),
        ),
        endpoint: optional(url),
        tier: optional(oneOf(['Hot', 'Cool', 'Cold', 'Archive'])),
      }),
    ),
    swift: optional(
      object({
        container: string({ pattern: '^[^/]+$', maxLength: 256 }),
        region: optional(string()),
      }),
    ),
    directory: optional(
      object({
        path: string({ pattern: '^/', description: 'An absolute path.' }),
        volume: optional(string({ description: 'The claim that is mounted there: it tells one folder from another.' })),
      }),
    ),
  },
  {
    description:
      'A place for objects: a bucket, a container or a folder, how it is reached, and where the credentials are.',
  },
);

export type StoreConfig = Infer<typeof STORE_CONFIG>;

/** What is wrong with a store config beyond its schema; undefined when nothing is. */
export function storeProblem(config: StoreConfig): string | undefined {
  if (config[config.kind] === undefined) return `is of the kind ${config.kind}, and says nothing of it`;
  const other = STORE_KINDS.find((kind) => kind !== config.kind && config[kind] !== undefined);
  if (other !== undefined) return `is of the kind ${config.kind}, and has settings of ${other}`;
  if (config.s3?.kmsKeyId !== undefined && config.s3.encryption !== 'aws:kms') {
    return 'has a kmsKeyId, and its encryption is not aws:kms';
  }
  return undefined;
}

/** What a store is called by itself, without how it is reached: two configs of one place have the same. */
export function storePlace({ kind, prefix, s3, gcs, azure, swift, directory }: StoreConfig): string {
  const parts: Readonly<Record<StoreKind, readonly (string | undefined)[]>> = {
    s3: [s3?.endpoint, s3?.bucket],
    gcs: [gcs?.endpoint, gcs?.bucket],
    azure: [azure?.endpoint ?? azure?.account, azure?.container],
    swift: [swift?.region, swift?.container],
    directory: [directory?.volume ?? directory?.path],
  };
  return [kind, ...parts[kind], prefix].map((part) => part ?? '').join(' ');
}

/** A store as a record names it: where it is, and nothing of who may use it. */
export function withoutAccess({ credentialsDirectory: _, patienceSeconds: __, ...place }: StoreConfig): StoreConfig {
  if (place.s3?.caFile === undefined) return place;
  const { caFile: ___, ...s3 } = place.s3;
  return { ...place, s3 };
}
