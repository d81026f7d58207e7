/** The examples of docs/storage.md, one a store, synthesised as they stand there; test/e2e/storage-docs.test.ts has servers for them. */
import { describe, expect, it } from 'vitest';
import type { StoreConfig } from '../../src/contract';
import { runExample, STORAGE_EXAMPLES } from '../support/storage-examples';
import { only } from './synth';

describe('the examples of stores', () => {
  it.each<[title: string, store: StoreConfig, mounts: readonly string[]]>([
    [
      'S3',
      {
        kind: 's3',
        prefix: 'prod',
        s3: {
          bucket: 'backups-of-shop',
          region: 'eu-central-1',
          encryption: 'aws:kms',
          kmsKeyId: 'alias/backups',
          storageClass: 'STANDARD_IA',
        },
        credentialsDirectory: '/var/run/secrets/stillpoint/store',
      },
      ['/var/run/secrets/stillpoint/store'],
    ],
    [
      'S3 with the identity of the pod',
      { kind: 's3', s3: { bucket: 'backups-of-shop', region: 'eu-central-1', lock: { mode: 'GOVERNANCE', days: 14 } } },
      [],
    ],
    [
      'What speaks S3: MinIO, Ceph, versitygw, …',
      {
        kind: 's3',
        s3: {
          bucket: 'backups',
          endpoint: 'https://minio.storage.svc:9000',
          pathStyle: true,
          caFile: '/var/run/secrets/stillpoint/store-ca/ca.crt',
        },
        credentialsDirectory: '/var/run/secrets/stillpoint/store',
      },
      ['/var/run/secrets/stillpoint/store', '/var/run/secrets/stillpoint/store-ca'],
    ],
    [
      'Google Cloud Storage',
      {
        kind: 'gcs',
        gcs: { bucket: 'backups-of-shop', storageClass: 'NEARLINE' },
        credentialsDirectory: '/var/run/secrets/stillpoint/store',
      },
      ['/var/run/secrets/stillpoint/store'],
    ],
    [
      'Azure Blob Storage',
      {
        kind: 'azure',
        azure: { container: 'backups', tier: 'Cool' },
        credentialsDirectory: '/var/run/secrets/stillpoint/store',
      },
      ['/var/run/secrets/stillpoint/store'],
    ],
    [
      'OpenStack Swift',
      { kind: 'swift', swift: { container: 'backups' }, credentialsDirectory: '/var/run/secrets/stillpoint/store' },
      ['/var/run/secrets/stillpoint/store'],
    ],
    [
      'A mounted volume: NFS, or any claim',
      { kind: 'directory', directory: { path: '/var/lib/stillpoint/store', volume: 'backups' } },
      ['/var/lib/stillpoint/store'],
    ],
  ])('%s', (title, store, mounts) => {
    const { config, mounts: mounted } = runExample(title);
    expect(config.spec.storage).toEqual(store);
    expect([...mounted.keys()].filter((path) => path.includes('/stillpoint/store'))).toEqual(mounts);
  });

  it('are all that there are', () => {
    expect(STORAGE_EXAMPLES.size).toBe(7);
  });

  it('give the account of a pod the identity that the cloud knows it by', () => {
    const account = only(runExample('S3 with the identity of the pod').manifests, 'ServiceAccount');
    expect(account.metadata.annotations).toMatchObject({ 'eks.amazonaws.com/role-arn': expect.any(String) });
  });
});
