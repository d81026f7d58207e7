/** A server for each kind of object store, with a bucket, and the config that leads there by a proxy. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { systemClock } from '../../../runner/clock';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { StoreConfig } from '../../../src/contract';
import { PATIENCE_SECONDS } from '../../integration/contract/object-store-fixture';
import { startKeystone } from '../../support/keystone';
import { UnreliableProxy } from '../../support/unreliable-proxy';
import type { ObjectServer, ServerPod } from './object-servers';
import { eventually } from './wait';

export const BUCKET = 'backups';
/** Keeps versions, and has object lock. */
export const LOCKED_BUCKET = 'locked-backups';

/** How servers are started: in a namespace that goes with the fixture. */
export interface Servers extends AsyncDisposable {
  start(pod: ServerPod): Promise<ObjectServer>;
}

/** What the fixtures have in common. */
export class StoreWorld implements AsyncDisposable {
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

/** A running server of one kind. */
interface Started<Kind extends keyof StoreConfig> {
  readonly server: ObjectServer;
  readonly proxy: UnreliableProxy;
  readonly credentialsDirectory: string;
  /** What a config says of it: by the proxy, the bucket that is there. */
  readonly settings: NonNullable<StoreConfig[Kind]>;
}

export const S3_LOGIN = { AWS_ACCESS_KEY_ID: 'stillpoint', AWS_SECRET_ACCESS_KEY: 'the-right-secret' };

const ROOT = { ROOT_ACCESS_KEY: S3_LOGIN.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: S3_LOGIN.AWS_SECRET_ACCESS_KEY };

/** S3, with a bucket that keeps no versions and one that locks them. */
export async function startVersitygw(
  world: StoreWorld,
  region = 'us-east-1',
): Promise<Started<'s3'> & { readonly administrator: S3Client; readonly lockedBucket: string }> {
  const server = await world.servers.start({
    name: 'versitygw',
    image: 'versitygw:1',
    port: 7070,
    data: '/data',
    more: '/versions',
    args: ['posix', '--versioning-dir', '/versions', '/data'],
    // Accounts lie beside the versions.
    env: { ...ROOT, VGW_REGION: region, VGW_IAM_DIR: '/versions' },
  });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  const administrator = new S3Client({
    endpoint: server.url.href,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: S3_LOGIN.AWS_ACCESS_KEY_ID, secretAccessKey: S3_LOGIN.AWS_SECRET_ACCESS_KEY },
  });
  world.uses({ [Symbol.asyncDispose]: async () => administrator.destroy() });
  await administrator.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await administrator.send(new CreateBucketCommand({ Bucket: LOCKED_BUCKET, ObjectLockEnabledForBucket: true }));
  return {
    server,
    proxy,
    credentialsDirectory: await world.secret(S3_LOGIN),
    settings: { bucket: BUCKET, endpoint: proxy.url, region, pathStyle: true },
    administrator,
    lockedBucket: LOCKED_BUCKET,
  };
}

/** Swift itself; the Keystone before it is a stand-in. */
export async function startSwift(world: StoreWorld): Promise<
  Started<'swift'> & {
    readonly login: Readonly<Record<string, string>>;
    /** Asks for something below the container, by no way of the store's. */
    raw(path: string, method?: string): Promise<Response>;
  }
> {
  const server = await world.servers.start({ name: 'swift', image: 'swift:2', port: 8080, data: '/srv' });
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
  // Its proxy answers before the servers behind it do: what it could not make is made again.
  await eventually('the container is there', async () => (await raw('', 'PUT')).ok && (await raw('', 'HEAD')).ok);
  const keystone = world.uses(
    await startKeystone({
      user: 'tester',
      password: 'testing',
      project: 'shop',
      token: async () => (await logIn()).token,
      storageUrl: () => proxy.url + account,
    }),
  );
  const login = {
    OS_AUTH_URL: `${keystone.url}/v3`,
    OS_USERNAME: 'tester',
    OS_PASSWORD: 'testing',
    OS_PROJECT_NAME: 'shop',
    OS_REGION_NAME: 'here',
  };
  const credentialsDirectory = await world.secret(login);
  return { server, proxy, credentialsDirectory, settings: { container: BUCKET }, login, raw };
}

/** An emulator, which asks nobody who they are. */
export async function startFakeGcs(
  world: StoreWorld,
): Promise<
  Started<'gcs'> & { readonly login: Readonly<Record<string, string>>; account(client_email: string): Promise<string> }
> {
  const server = await world.servers.start({
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
  const loginOf = (client_email: string): Readonly<Record<string, string>> => ({
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
  const login = loginOf('backup@shop');
  return {
    server,
    proxy,
    credentialsDirectory: await world.secret(login),
    settings: { bucket: BUCKET, endpoint: proxy.url },
    login,
    account: (client_email) => world.secret(loginOf(client_email)),
  };
}

/** Of the account that azurite has from its makers. */
export const AZURE_LOGIN = {
  AZURE_ACCOUNT_NAME: 'devstoreaccount1',
  AZURE_ACCOUNT_KEY: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};

/** An emulator, with the account that it has from its makers. */
export async function startAzurite(
  world: StoreWorld,
): Promise<
  Started<'azure'> & { readonly login: Readonly<Record<string, string>>; readonly administrator: ContainerClient }
> {
  const server = await world.servers.start({
    name: 'azurite',
    image: 'azurite:3',
    port: 10_000,
    data: '/data',
    args: ['azurite', '-l', '/data', '--blobHost', '0.0.0.0', '--skipApiVersionCheck'],
  });
  const proxy = world.uses(await UnreliableProxy.to(() => server.url));
  const { AZURE_ACCOUNT_NAME: name, AZURE_ACCOUNT_KEY: key } = AZURE_LOGIN;
  const administrator = new BlobServiceClient(
    `${server.url.href}${name}`,
    new StorageSharedKeyCredential(name, key),
  ).getContainerClient(BUCKET);
  await administrator.create();
  return {
    server,
    proxy,
    credentialsDirectory: await world.secret(AZURE_LOGIN),
    settings: { container: BUCKET, endpoint: `${proxy.url}/${name}` },
    login: AZURE_LOGIN,
    administrator,
  };
}
