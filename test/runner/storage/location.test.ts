import { expect, it } from 'vitest';
import { storeAt } from '../../../runner/storage/location';
import type { StoreConfig } from '../../../src/contract';

it.each<[location: string, config: StoreConfig]>([
  ['s3://backups', { kind: 's3', s3: { bucket: 'backups' } }],
  ['s3://backups/prod/eu/', { kind: 's3', prefix: 'prod/eu', s3: { bucket: 'backups' } }],
  [
    's3://backups/prod?endpoint=https://minio:9000&credentials=/keys',
    {
      kind: 's3',
      prefix: 'prod',
      credentialsDirectory: '/keys',
      s3: { bucket: 'backups', endpoint: 'https://minio:9000', pathStyle: true },
    },
  ],
  ['s3://backups?region=eu-central-1', { kind: 's3', s3: { bucket: 'backups', region: 'eu-central-1' } }],
  ['gs://backups/prod', { kind: 'gcs', prefix: 'prod', gcs: { bucket: 'backups' } }],
  ['azure://backups?account=shop', { kind: 'azure', azure: { container: 'backups', account: 'shop' } }],
  ['swift://backups?region=here', { kind: 'swift', swift: { container: 'backups', region: 'here' } }],
  ['file:///mnt/backups', { kind: 'directory', directory: { path: '/mnt/backups' } }],
])('%s is a store', (location, config) => {
  expect(storeAt(location)).toEqual(config);
});

it.each([
  ['backups', 'begins with none of s3://'],
  ['ftp://backups', 'begins with none of s3://'],
  ['file://backups', 'begins with none of s3://'],
  ['s3://', 's3.bucket'],
  ['s3://backups?secret=x', 'has a parameter secret'],
  ['s3://backups?account=shop', 'has a parameter account, which s3:// does not take'],
  ['gs://backups?region=eu', 'has a parameter region, which gs:// does not take'],
  ['azure://backups?region=eu', 'has a parameter region'],
  ['swift://backups?endpoint=https://x', 'has a parameter endpoint'],
  ['file:///mnt?credentials=/keys', 'has a parameter credentials'],
  ['s3://backups?endpoint=minio', 's3.endpoint'],
  ['constructor://x', 'begins with none'],
])('%s is none: %s', (location, why) => {
  expect(() => storeAt(location)).toThrow(why);
});
