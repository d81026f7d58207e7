/** Buckets of a running versitygw, each with an account that may do there what a test says, and nothing else. */
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { StoreConfig } from '../../../src/contract';
import { S3_LOGIN, type StoreWorld, startVersitygw } from './store-servers';

/** What an account may that reads, writes and deletes where no versions are kept. */
export const USUAL = [
  's3:ListBucket',
  's3:GetBucketVersioning',
  's3:GetBucketObjectLockConfiguration',
  's3:GetObject',
  's3:PutObject',
  's3:DeleteObject',
  's3:AbortMultipartUpload',
  's3:ListBucketMultipartUploads',
];

/** A bucket, and the account of a store in it. */
export interface AccountBucket {
  /** By the account. */
  readonly config: StoreConfig & { readonly s3: NonNullable<StoreConfig['s3']> };
  readonly bucket: string;
  /** All that lies there, by other ways than the store's: versions with what hides them, and uploads that have not ended. */
  left(): Promise<{ readonly versions: number; readonly uploads: number }>;
}

export class S3Accounts {
  readonly #world: StoreWorld;
  readonly #started: Awaited<ReturnType<typeof startVersitygw>>;
  #made = 0;

  private constructor(world: StoreWorld, started: Awaited<ReturnType<typeof startVersitygw>>) {
    this.#world = world;
    this.#started = started;
  }

  static async start(world: StoreWorld): Promise<S3Accounts> {
    return new S3Accounts(world, await startVersitygw(world));
  }

  get administrator(): S3Client {
    return this.#started.administrator;
  }

  get proxy(): Awaited<ReturnType<typeof startVersitygw>>['proxy'] {
    return this.#started.proxy;
  }

  /** Makes a bucket and an account that may do this in it. */
  async bucket(may: readonly string[], { versions = false, locks = false } = {}): Promise<AccountBucket> {
    const { administrator, server, settings } = this.#started;
    const bucket = `of-account-${++this.#made}`;
    const [access, secret] = [`${bucket}-user`, `${bucket}-secret`];
    const { AWS_ACCESS_KEY_ID: root, AWS_SECRET_ACCESS_KEY: rootSecret } = S3_LOGIN;
    const login = ['--access', root, '--secret', rootSecret, '--endpoint-url', 'http://127.0.0.1:7070'];
    const user = ['--access', access, '--secret', secret, '--role', 'user'];
    await server.run(['versitygw', 'admin', ...login, 'create-user', ...user]);
    await administrator.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: locks }));
    if (versions && !locks) {
      const VersioningConfiguration = { Status: 'Enabled' as const };
      await administrator.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
    }
    const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
    const statement = { Effect: 'Allow', Principal: { AWS: [access] }, Action: may, Resource };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await administrator.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    const credentialsDirectory = await this.#world.secret({
      AWS_ACCESS_KEY_ID: access,
      AWS_SECRET_ACCESS_KEY: secret,
    });
    return {
      bucket,
      config: { kind: 's3', prefix: 'prod', patienceSeconds: 6, credentialsDirectory, s3: { ...settings, bucket } },
      left: async () => {
        const { Versions = [], DeleteMarkers = [] } = await administrator.send(
          new ListObjectVersionsCommand({ Bucket: bucket }),
        );
        const { Uploads = [] } = await administrator.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        return { versions: Versions.length + DeleteMarkers.length, uploads: Uploads.length };
      },
    };
  }
}
