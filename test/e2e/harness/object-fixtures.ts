/** Each kind of object store on a server of its own, for the contract suite. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { systemClock } from '../../../runner/clock';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { StoreConfig } from '../../../src/contract';
import { type ObjectStoreFixture, PATIENCE_SECONDS } from '../../integration/contract/object-store';
import { startKeystone } from '../../support/keystone';
import { UnreliableProxy } from '../../support/unreliable-proxy';
import type { ObjectServer, ServerPod } from './object-servers';

const BUCKET = 'backups';
const LOCKED_BUCKET = 'locked-backups';

/** How servers are started: in a namespace that goes with the fixture. */
export interface Servers extends AsyncDisposable {
  start(pod: ServerPod): Promise<ObjectServer>;
}

/** What the fixtures have in common. */
class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  constructor(readonly servers: Servers) {
    this.uses(servers);
  }

  /** A Secret as it is mounted: a file for each key. */
  async secret(values: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-store-'));
    this.#stack.defer(() => rm(folder, { recursive: true }));
    for (const [key, value] of Object.entries(values)) await writeFile(join(folder, key), value);
    return folder;
  }

  async open(config: StoreConfig): Promise<ObjectStore> {
    const store: StoreConfig = { prefix: 'prod/cluster-1', patienceSeconds: PATIENCE_SECONDS, ...config };
    return await openStore(store, { clock: systemClock, random: Math.random, environment: {} });
  }

  uses<T extends AsyncDisposable>(what: T): T {
    return this.#stack.use(what);
  }

  readonly remove = (): Promise<void> => this.#stack.disposeAsync();

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

const S3_LOGIN = { AWS_ACCESS_KEY_ID: 'stillpoint', AWS_SECRET_ACCESS_KEY: 'the-right-secret' };

export async function s3Fixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new World(servers);
  const server = await servers.start({
    name: 'versitygw',
    image: 'versitygw:1',
    port: 7070,
    data: '/data',
    more: '/versions',
    args: ['posix', '--versioning-dir', '/versions', '/data'],
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
  await administrator.send(new CreateBucketCommand({ Bucket: LOCKED_BUCKET, ObjectLockEnabledForBucket: true }));
  const credentialsDirectory = await world.secret(S3_LOGIN);
  const s3 = { bucket: BUCKET, endpoint: proxy.url, region: 'us-east-1', pathStyle: true };
  return {
    store: await world.open({ kind: 's3', credentialsDirectory, s3 }),
    patient: await world.open({ kind: 's3', credentialsDirectory, s3, patienceSeconds: 120 }),
    leftovers: async () => {
      const { Uploads = [] } = await administrator.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
      return Uploads.length;
    },
    wrongCredentials: async () => {
      const wrong = await world.secret({ ...S3_LOGIN, AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' });
      return await world.open({ kind: 's3', credentialsDirectory: wrong, s3 });
    },
    missingBucket: () => world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, bucket: 'not-there' } }),
    versions: {
      kept: await world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, bucket: LOCKED_BUCKET } }),
      locked: await world.open({
        kind: 's3',
        credentialsDirectory,
        s3: { ...s3, bucket: LOCKED_BUCKET, lock: { mode: 'GOVERNANCE', days: 1 } },
      }),
      count: async () => {
        const { Versions = [], DeleteMarkers = [] } = await administrator.send(
          new ListObjectVersionsCommand({ Bucket: LOCKED_BUCKET }),
        );
        return Versions.length + DeleteMarkers.length;
      },
    },
    proxy,
    lie: ({ headers, body }) => ({
      headers: { ...headers, 'x-amz-checksum-crc32': 'AAAAAA==' },
      body: Buffer.from(body.toString().replace(/<ChecksumCRC32>[^<]*</, '<ChecksumCRC32>AAAAAA==<')),
    }),
    kill: server.kill,
    remove: async () => {
      administrator.destroy();
      await world.remove();
    },
  };
}

/** Swift itself; the Keystone before it is a stand-in. */
export async function swiftFixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new World(servers);
  const server = await servers.start({ name: 'swift', image: 'swift:2', port: 8080, data: '/srv' });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  const logIn = async (): Promise<{ readonly token: string; readonly account: string }> => {
    const headers = { 'x-auth-user': 'test:tester', 'x-auth-key': 'testing' };
    const answer = await fetch(new URL('/auth/v1.0', server.url), { headers });
    const account = new URL(answer.headers.get('x-storage-url') ?? '').pathname;
    return { token: answer.headers.get('x-auth-token') ?? '', account };
  };
  const { account } = await logIn();
  const raw = async (path: string, method = 'GET'): Promise<Response> =>
    await fetch(new URL(`${account}/${BUCKET}${path}`, server.url), {
      method,
      headers: { 'x-auth-token': (await logIn()).token },
    });
  await raw('', 'PUT');
  const keystone = world.uses(
    await startKeystone({
      user: 'tester',
      password: 'testing',
      project: 'shop',
      token: async () => (await logIn()).token,
      storageUrl: () => proxy.url + account,
    }),
  );
  const values = {
    OS_AUTH_URL: `${keystone.url}/v3`,
    OS_USERNAME: 'tester',
    OS_PASSWORD: 'testing',
    OS_PROJECT_NAME: 'shop',
    OS_REGION_NAME: 'here',
  };
  const credentialsDirectory = await world.secret(values);
  const swift = { container: BUCKET };
  return {
    store: await world.open({ kind: 'swift', credentialsDirectory, swift }),
    patient: await world.open({ kind: 'swift', credentialsDirectory, swift, patienceSeconds: 120 }),
    leftovers: async () => {
      const beside = (await (await raw('?prefix=.stillpoint-segments/&limit=10000')).text())
        .split('\n')
        .filter(Boolean);
      const whole = new Map<string, string>();
      let left = 0;
      for (const name of beside) {
        const [, key = '', id = ''] = /^[^/]+\/(.+)\/([^/]+)\/[^/]+$/.exec(name) ?? [];
        if (!whole.has(key)) whole.set(key, await (await raw(`/${key}?multipart-manifest=get`)).text());
        if (whole.get(key)?.includes(id) !== true) left += 1;
      }
      return left;
    },
    wrongCredentials: async () => {
      const wrong = await world.secret({ ...values, OS_PASSWORD: 'a-wrong-secret' });
      return await world.open({ kind: 'swift', credentialsDirectory: wrong, swift });
    },
    missingBucket: () => world.open({ kind: 'swift', credentialsDirectory, swift: { container: 'not-there' } }),
    proxy,
    slow: true,
    lie: ({ headers, body }) => ({ headers: { ...headers, etag: '"0123456789abcdef0123456789abcdef"' }, body }),
    kill: server.kill,
    remove: world.remove,
  };
}

/** An emulator, which asks nobody who they are: a stand-in before it does. */
export async function gcsFixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new World(servers);
  const server = await servers.start({
    name: 'fake-gcs-server',
    image: 'fake-gcs-server:1',
    port: 4443,
    data: '/storage',
  });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  await fetch(new URL('/storage/v1/b', server.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: BUCKET }),
  });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = (client_email: string): Promise<string> =>
    world.secret({
      GOOGLE_PROJECT_ID: 'shop',
      GOOGLE_SERVICE_ACCOUNT_JSON_KEY: JSON.stringify({
        type: 'service_account',
        project_id: 'shop',
        private_key_id: '1',
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
        client_email,
        client_id: '1',
      }),
    });
  const guarded = world.uses(await UnreliableProxy.to(() => server.url));
  guarded.spoil = (asked, answer) => {
    const [, claims = ''] = asked.headers.authorization?.split('.') ?? [];
    if (JSON.parse(Buffer.from(claims, 'base64url').toString()).iss === 'backup@shop') return undefined;
    asked.resume();
    asked.on('end', () =>
      answer
        .writeHead(401, { 'content-type': 'application/json' })
        .end('{"error":{"errors":[{"reason":"authError"}]}}'),
    );
    return 'spoilt';
  };
  const credentialsDirectory = await account('backup@shop');
  const gcs = { bucket: BUCKET, endpoint: proxy.url };
  return {
    store: await world.open({ kind: 'gcs', credentialsDirectory, gcs }),
    patient: await world.open({ kind: 'gcs', credentialsDirectory, gcs, patienceSeconds: 120 }),
    // No listing shows sessions.
    leftovers: async () => 0,
    wrongCredentials: async () => {
      const credentials = await account('wrong-secret@shop');
      return await world.open({
        kind: 'gcs',
        credentialsDirectory: credentials,
        gcs: { ...gcs, endpoint: guarded.url },
      });
    },
    missingBucket: () => world.open({ kind: 'gcs', credentialsDirectory, gcs: { ...gcs, bucket: 'not-there' } }),
    proxy,
    lie: ({ headers, body }) => ({
      headers,
      body: Buffer.from(body.toString().replace(/"md5Hash": ?"[^"]*"/, '"md5Hash":"AAAA"')),
    }),
    kill: server.kill,
    losesUploads: true,
    whenChanged: 'checksum-mismatch',
    remove: world.remove,
  };
}

/** An emulator, with the account that it has from its makers. */
export async function azureFixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new World(servers);
  const server = await servers.start({
    name: 'azurite',
    image: 'azurite:3',
    port: 10_000,
    data: '/data',
    args: ['azurite', '-l', '/data', '--blobHost', '0.0.0.0', '--skipApiVersionCheck'],
  });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  const login = {
    AZURE_ACCOUNT_NAME: 'devstoreaccount1',
    AZURE_ACCOUNT_KEY: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  };
  const { AZURE_ACCOUNT_NAME: name, AZURE_ACCOUNT_KEY: key } = login;
  await new BlobServiceClient(`${server.url.href}${name}`, new StorageSharedKeyCredential(name, key))
    .getContainerClient(BUCKET)
    .create();
  const credentialsDirectory = await world.secret(login);
  const azure = { container: BUCKET, endpoint: `${proxy.url}/${name}` };
  return {
    store: await world.open({ kind: 'azure', credentialsDirectory, azure }),
    patient: await world.open({ kind: 'azure', credentialsDirectory, azure, patienceSeconds: 120 }),
    // Blocks without a list are removed by Azure itself, in time.
    leftovers: async () => 0,
    wrongCredentials: async () => {
      const wrong = await world.secret({
        ...login,
        AZURE_ACCOUNT_KEY: Buffer.from('a-wrong-secret').toString('base64'),
      });
      return await world.open({ kind: 'azure', credentialsDirectory: wrong, azure });
    },
    missingBucket: () =>
      world.open({ kind: 'azure', credentialsDirectory, azure: { ...azure, container: 'not-there' } }),
    proxy,
    // What Azure calls Md5Mismatch is an InvalidOperation of the emulator's.
    whenChanged: 'store-refused',
    kill: server.kill,
    remove: world.remove,
  };
}
