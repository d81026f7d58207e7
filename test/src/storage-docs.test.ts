/** The examples of docs/storage.md, one a store, synthesised as they stand there. */
import { readFileSync } from 'node:fs';
import * as cdk8s from 'cdk8s';
import * as plus from 'cdk8s-plus-28';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as stillpoint from '../../src';
import { DUMP_CONFIG, fits, type StoreConfig } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

const examples = new Map(
  [...readFileSync('docs/storage.md', 'utf8').matchAll(/^## ([^\n]+)\n\n```ts\n(.*?)^```$/gms)].map(
    ([, title = '', code = '']) => [title, code],
  ),
);

/** Runs an example as a program of its reader would be run. */
function synth(code: string): Manifest[] {
  const chart = shop();
  const known = { ...stillpoint, Secret: plus.Secret, Duration: cdk8s.Duration, chart };
  const script = ts.transpile(code, { target: ts.ScriptTarget.ES2022 });
  new Function(...Object.keys(known), script)(...Object.values(known));
  return cdk8s.Testing.synth(chart);
}

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
      },
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
    const manifests = synth(examples.get(title) ?? '');
    const document: unknown = parse(only(manifests, 'ConfigMap').data['backup.yaml']);
    if (!fits(DUMP_CONFIG, document)) throw new Error('the config does not fit its schema');
    expect(document.spec.storage).toEqual(store);
    const [runner] = podOf(only(manifests, 'CronJob')).spec.containers;
    const mounted = runner.volumeMounts.map(({ mountPath }: Manifest) => mountPath);
    expect(mounted.filter((path: string) => path.includes('/stillpoint/store'))).toEqual(mounts);
  });

  it('are all that there are', () => {
    expect(examples.size).toBe(6);
  });

  it('give the account of a pod the identity that the cloud knows it by', () => {
    const account = only(synth(examples.get('S3') ?? ''), 'ServiceAccount');
    expect(account.metadata.annotations).toMatchObject({ 'eks.amazonaws.com/role-arn': expect.any(String) });
  });
});
