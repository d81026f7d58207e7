/** The contract of object stores on servers in the cluster: S3 by versitygw. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../runner/clock';
import { openStore } from '../../runner/storage';
import type { ObjectStore } from '../../runner/storage/object-store';
import type { StoreConfig } from '../../src/contract';
import { type ObjectStoreFixture, objectStoreContract, PATIENCE_SECONDS } from '../integration/contract/object-store';
import { UnreliableProxy } from '../support/unreliable-proxy';
import { makeNamespace } from './harness/namespace';
import { startObjectServer } from './harness/object-servers';

const BUCKET = 'backups';

/** What the fixtures have in common. */
class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  /** A Secret as it is mounted: a file for each key. */
  async secret(values: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-store-'));
    this.#stack.defer(() => rm(folder, { recursive: true }));
    for (const [key, value] of Object.entries(values)) await writeFile(join(folder, key), value);
    return folder;
  }

  async open(config: StoreConfig): Promise<ObjectStore> {
    const store: StoreConfig = { prefix: 'prod/cluster-1', patienceSeconds: PATIENCE_SECONDS, ...config };
    return await openStore(store, { clock: systemClock, random: Math.random });
  }

  uses<T extends AsyncDisposable>(what: T): T {
    return this.#stack.use(what);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const S3_LOGIN = { AWS_ACCESS_KEY_ID: 'stillpoint', AWS_SECRET_ACCESS_KEY: 'the-right-secret' };

async function versitygw(): Promise<ObjectStoreFixture> {
  const world = new World();
  const { name: namespace } = world.uses(await makeNamespace('s3'));
  const server = await startObjectServer(namespace, {
    name: 'versitygw',
    image: 'versitygw:1',
    port: 7070,
    data: '/data',
    env: { ROOT_ACCESS_KEY: S3_LOGIN.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: S3_LOGIN.AWS_SECRET_ACCESS_KEY },
  });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  const administrator = new S3Client({
    endpoint: server.url.href,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: S3_LOGIN.AWS_ACCESS_KEY_ID, secretAccessKey: S3_LOGIN.AWS_SECRET_ACCESS_KEY },
  });
  await administrator.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const credentialsDirectory = await world.secret(S3_LOGIN);
  const s3 = { bucket: BUCKET, endpoint: proxy.url, region: 'us-east-1', pathStyle: true };
  return {
    store: await world.open({ kind: 's3', credentialsDirectory, s3 }),
    leftovers: async () => {
      const { Uploads = [] } = await administrator.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
      return Uploads.length;
    },
    wrongCredentials: async () => {
      const wrong = await world.secret({ ...S3_LOGIN, AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' });
      return await world.open({ kind: 's3', credentialsDirectory: wrong, s3 });
    },
    missingBucket: () => world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, bucket: 'not-there' } }),
    proxy,
    lie: ({ headers, body }) => ({
      headers: { ...headers, 'x-amz-checksum-crc32': 'AAAAAA==' },
      body: Buffer.from(body.toString().replace(/<ChecksumCRC32>[^<]*</, '<ChecksumCRC32>AAAAAA==<')),
    }),
    kill: server.kill,
    remove: async () => {
      administrator.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

objectStoreContract('S3 (versitygw)', versitygw);
