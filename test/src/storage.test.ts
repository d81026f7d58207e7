import { App, Chart, Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { AzureTier, BackupStorage, ObjectLockMode, S3Encryption } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { STORE_CONFIG, validate } from '../../src/contract';

const login = Secret.fromSecretName(new Chart(new App(), 'shop'), 'login', 'store-login');
const CREDENTIALS = '/var/run/secrets/stillpoint/store';

describe('a storage', () => {
  it.each([
    [
      's3, by the identity of the workload',
      BackupStorage.s3({ bucket: 'b1', region: 'eu-central-1' }),
      {
        kind: 's3',
        s3: { bucket: 'b1', region: 'eu-central-1' },
      },
    ],
    [
      's3 of another server',
      BackupStorage.s3({
        bucket: 'b1',
        endpoint: 'https://minio.storage.svc',
        credentials: login,
        certificateAuthority: login,
      }),
      {
        kind: 's3',
        credentialsDirectory: CREDENTIALS,
        s3: {
          bucket: 'b1',
          endpoint: 'https://minio.storage.svc',
          pathStyle: true,
          caFile: '/var/run/secrets/stillpoint/store-ca/ca.crt',
        },
      },
    ],
    [
      's3, locked and encrypted',
      BackupStorage.s3({
        bucket: 'b1',
        prefix: 'a/b',
        encryption: S3Encryption.KMS,
        kmsKeyId: 'alias/b',
        lockDays: 30,
        storageClass: 'STANDARD_IA',
      }),
      {
        kind: 's3',
        prefix: 'a/b',
        s3: {
          bucket: 'b1',
          encryption: 'aws:kms',
          kmsKeyId: 'alias/b',
          lock: { mode: 'GOVERNANCE', days: 30 },
          storageClass: 'STANDARD_IA',
        },
      },
    ],
    [
      'gcs',
      BackupStorage.gcs({ bucket: 'b1', credentials: login, patience: Duration.minutes(1) }),
      {
        kind: 'gcs',
        credentialsDirectory: CREDENTIALS,
        patienceSeconds: 60,
        gcs: { bucket: 'b1' },
      },
    ],
    [
      'azure',
      BackupStorage.azure({ container: 'c-1', account: 'shop', tier: AzureTier.COOL }),
      {
        kind: 'azure',
        azure: { container: 'c-1', account: 'shop', tier: 'Cool' },
      },
    ],
    [
      'swift',
      BackupStorage.swift({ container: 'c', credentials: login }),
      {
        kind: 'swift',
        credentialsDirectory: CREDENTIALS,
        swift: { container: 'c' },
      },
    ],
    [
      'volume',
      BackupStorage.volume({ claimName: 'backups' }),
      {
        kind: 'directory',
        directory: { path: '/var/lib/stillpoint/store', volume: 'backups' },
      },
    ],
  ])('of the kind %s says what the runner reads', (_, storage, config) => {
    expect(storage._toConfig()).toEqual(config);
    expect(validate(STORE_CONFIG, storage._toConfig())).toEqual([]);
  });

  it("mounts KubeDB's keys of the Secret, as files, and no others", () => {
    const [mounted] = BackupStorage.gcs({ bucket: 'b1', credentials: login })._volumes();
    expect(mounted).toEqual({
      path: CREDENTIALS,
      volume: {
        name: 'store',
        projected: {
          defaultMode: 0o440,
          sources: [
            {
              secret: {
                name: 'store-login',
                optional: true,
                items: [
                  { key: 'GOOGLE_PROJECT_ID', path: 'GOOGLE_PROJECT_ID' },
                  { key: 'GOOGLE_SERVICE_ACCOUNT_JSON_KEY', path: 'GOOGLE_SERVICE_ACCOUNT_JSON_KEY' },
                ],
              },
            },
          ],
        },
      },
    });
  });

  it('mounts nothing where the workload has an identity, and the volume writable', () => {
    expect(BackupStorage.s3({ bucket: 'b1' })._volumes()).toEqual([]);
    expect(BackupStorage.volume({ claimName: 'backups' })._volumes()).toMatchObject([
      { volume: { persistentVolumeClaim: { claimName: 'backups' } }, writable: true },
    ]);
  });

  it.each([
    ['a bucket that is none', () => BackupStorage.s3({ bucket: 'My Bucket' }), 's3.bucket must match'],
    [
      'an endpoint without a scheme',
      () => BackupStorage.s3({ bucket: 'b1', endpoint: 'minio:9000' }),
      's3.endpoint must match',
    ],
    [
      'an endpoint with a password',
      () => BackupStorage.s3({ bucket: 'b1', endpoint: 'https://a:b@minio' }),
      's3.endpoint must match',
    ],
    ['a prefix with an empty part', () => BackupStorage.gcs({ bucket: 'b1', prefix: '/a' }), 'prefix must match'],
    [
      'a key without encryption by it',
      () => BackupStorage.s3({ bucket: 'b1', kmsKeyId: 'k' }),
      'has a kmsKeyId, and its encryption is not aws:kms',
    ],
    [
      'a lock without a time',
      () => BackupStorage.s3({ bucket: 'b1', lockMode: ObjectLockMode.COMPLIANCE }),
      'has a lockMode and no lockDays',
    ],
    ['a lock for no day', () => BackupStorage.s3({ bucket: 'b1', lockDays: 0 }), 's3.lock.days must be at least 1'],
  ])('is refused with %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});
