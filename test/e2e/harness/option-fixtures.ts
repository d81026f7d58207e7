/** What each kind of store can be told of how it keeps objects, on a server of its own: for the suite of their options. */
import { GetObjectRetentionCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { StoreConfig, StoreKind } from '../../../src/contract';
import type { StoreOption, StoreOptionsFixture } from '../../integration/contract/store-options';
import {
  LOCKED_BUCKET,
  type Servers,
  StoreWorld,
  startAzurite,
  startFakeGcs,
  startSwift,
  startVersitygw,
} from './store-servers';

type Settings<K extends StoreKind> = Partial<NonNullable<StoreConfig[K]>>;

const PREFIX = 'prod/cluster-1';

export async function s3Options(servers: Servers): Promise<StoreOptionsFixture<Settings<'s3'>>> {
  const world = new StoreWorld(servers);
  const { proxy, administrator, credentialsDirectory, settings: s3 } = await startVersitygw(world);
  return {
    open: (settings) => world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, ...settings } }),
    proxy,
    begins: ({ method, url }) =>
      (method === 'PUT' && !url.includes('partNumber=')) || (method === 'POST' && /[?&]uploads/.test(url)),
    ask: async (key, { bucket = s3.bucket }) => {
      const place = { Bucket: bucket, Key: `${PREFIX}/${key}` };
      const { Retention } = await administrator.send(new GetObjectRetentionCommand(place));
      return { ...(await administrator.send(new HeadObjectCommand(place))), Retention };
    },
    remove: world.remove,
  };
}

/** All headers by which S3 is told something of the kind: what was not asked for is not said. */
const S3_NOTHING = {
  'x-amz-server-side-encryption': null,
  'x-amz-server-side-encryption-aws-kms-key-id': null,
  'x-amz-storage-class': null,
  'x-amz-object-lock-mode': null,
};

export const S3_OPTIONS: readonly StoreOption<Settings<'s3'>>[] = [
  { title: 'nothing at all, seen in the requests', settings: {}, carried: S3_NOTHING },
  {
    title: 'encryption with keys of the service (SSE-S3), seen in the requests: versitygw encrypts nothing',
    settings: { encryption: 'AES256' },
    carried: { ...S3_NOTHING, 'x-amz-server-side-encryption': 'AES256' },
  },
  {
    title: "encryption with the account's own KMS key, seen in the requests: versitygw has no KMS",
    settings: { encryption: 'aws:kms' },
    carried: { ...S3_NOTHING, 'x-amz-server-side-encryption': 'aws:kms' },
  },
  {
    title: 'encryption with a KMS key, seen in the requests: versitygw has no KMS',
    settings: { encryption: 'aws:kms', kmsKeyId: 'alias/backups' },
    carried: {
      ...S3_NOTHING,
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/backups',
    },
  },
  {
    title: 'a storage class, seen in the requests: versitygw has one class alone',
    settings: { storageClass: 'STANDARD_IA' },
    carried: { ...S3_NOTHING, 'x-amz-storage-class': 'STANDARD_IA' },
  },
  ...(['GOVERNANCE', 'COMPLIANCE'] as const).map((mode) => ({
    title: `object lock of the mode ${mode}, answered by versitygw`,
    settings: { bucket: LOCKED_BUCKET, lock: { mode, days: 3 } },
    carried: { ...S3_NOTHING, 'x-amz-object-lock-mode': mode },
    kept: ({ lockedUntil = '' }) => {
      const until = new Date(lockedUntil);
      return {
        ObjectLockMode: mode,
        ObjectLockRetainUntilDate: until,
        Retention: { Mode: mode, RetainUntilDate: until },
      };
    },
  })),
];

export async function gcsOptions(servers: Servers): Promise<StoreOptionsFixture<Settings<'gcs'>>> {
  const world = new StoreWorld(servers);
  const { server, proxy, credentialsDirectory, settings: gcs } = await startFakeGcs(world);
  return {
    open: (settings) => world.open({ kind: 'gcs', credentialsDirectory, gcs: { ...gcs, ...settings } }),
    proxy,
    begins: ({ method, url }) => method === 'POST' && url.includes('uploadType=resumable'),
    ask: async (key) => {
      const path = `/storage/v1/b/${gcs.bucket}/o/${encodeURIComponent(`${PREFIX}/${key}`)}`;
      return (await (await fetch(new URL(path, server.url))).json()) as Record<string, unknown>;
    },
    remove: world.remove,
  };
}

const KMS_KEY = 'projects/shop/locations/eu/keyRings/backups/cryptoKeys/daily';

export const GCS_OPTIONS: readonly StoreOption<Settings<'gcs'>>[] = [
  {
    title: 'nothing at all, seen in the requests, and answered by fake-gcs-server',
    settings: {},
    carried: { kmsKeyName: null },
    kept: () => ({ storageClass: 'STANDARD' }),
  },
  {
    title: 'a storage class, answered by fake-gcs-server',
    settings: { storageClass: 'NEARLINE' },
    kept: () => ({ storageClass: 'NEARLINE' }),
  },
  {
    title: 'a KMS key, seen in the requests: fake-gcs-server has no KMS',
    settings: { kmsKeyName: KMS_KEY },
    carried: { kmsKeyName: KMS_KEY },
  },
];

export async function azureOptions(servers: Servers): Promise<StoreOptionsFixture<Settings<'azure'>>> {
  const world = new StoreWorld(servers);
  const { proxy, administrator, credentialsDirectory, settings: azure } = await startAzurite(world);
  return {
    open: (settings) => world.open({ kind: 'azure', credentialsDirectory, azure: { ...azure, ...settings } }),
    proxy,
    begins: ({ method, url }) => method === 'PUT' && url.includes('comp=blocklist'),
    ask: async (key) => ({ ...(await administrator.getBlobClient(`${PREFIX}/${key}`).getProperties()) }),
    remove: world.remove,
  };
}

export const AZURE_OPTIONS: readonly StoreOption<Settings<'azure'>>[] = [
  {
    title: 'nothing at all, answered by azurite',
    settings: {},
    carried: { 'x-ms-access-tier': null },
    kept: () => ({ accessTier: 'Hot', accessTierInferred: true }),
  },
  ...(['Hot', 'Cool', 'Cold', 'Archive'] as const).map((tier) => ({
    title: `the access tier ${tier}, answered by azurite`,
    settings: { tier },
    carried: { 'x-ms-access-tier': tier },
    kept: () => ({ accessTier: tier }),
  })),
];

export async function swiftOptions(servers: Servers): Promise<StoreOptionsFixture<Settings<'swift'>>> {
  const world = new StoreWorld(servers);
  const { proxy, login, raw, settings: swift } = await startSwift(world);
  const { OS_REGION_NAME: _, ...elsewhere } = login;
  const credentialsDirectory = await world.secret(elsewhere);
  return {
    open: (settings) => world.open({ kind: 'swift', credentialsDirectory, swift: { ...swift, ...settings } }),
    proxy,
    begins: ({ method, url }) => method === 'PUT' && !url.includes('.stillpoint-segments'),
    ask: async (key) => {
      const { headers } = await raw(`/${PREFIX}/${key}`, 'HEAD');
      return { bytes: Number(headers.get('content-length')) };
    },
    remove: world.remove,
  };
}

/** A container has its policy from whoever made it: of its objects Swift takes no wishes. */
export const SWIFT_OPTIONS: readonly StoreOption<Settings<'swift'>>[] = [
  {
    title: 'the region, which is all that Swift is told: another one comes first there, and nobody answers in it',
    settings: { region: 'here' },
    kept: ({ bytes }) => ({ bytes }),
  },
];
