/**
 * Each example of docs/storage.md on a server of its kind: what the construct wrote into the job config is opened, with a Secret of KubeDB's
 * keys as the pod has it mounted, and takes an object, gives it back and removes it. Google's and Azure's servers are emulators, before
 * Swift stands a stand-in for Keystone, and a folder of this machine stands for the volume.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { openStore } from '../../runner/storage';
import type { StoreConfig } from '../../src/contract';
import { content } from '../integration/contract/object-store-fixture';
import { gathered } from '../support/gathered';
import { type RunExample, runExample, STORAGE_EXAMPLES } from '../support/storage-examples';
import { selfSigned } from './harness/certificate';
import { inCluster } from './harness/object-servers';
import {
  AZURE_LOGIN,
  S3_LOGIN,
  StoreWorld,
  startAzurite,
  startFakeGcs,
  startSwift,
  startVersitygw,
} from './harness/store-servers';

type Secret = Readonly<Record<string, string>>;

/** Where a server is, by its own words; which bucket is meant, the example says. */
interface Address {
  readonly endpoint: string;
  /** Of S3, where the example has AWS's own names of hosts. */
  readonly pathStyle?: boolean;
}

/** What has to be there for an example to run. */
interface Place {
  /** By their names in the example. */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** The address of the server, where the example names another one, or none since it means the cloud. */
  readonly address?: Address;
  /** All that the server has, asked by other ways than the store's; or, of a server that asks nobody, seen in requests. */
  readonly names: () => Promise<readonly string[]>;
}

const KEY = 'docs/example.bin';
const BYTES = 300_000;
const signal = AbortSignal.timeout(600_000);

let root: string;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stillpoint-docs-'));
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await rm(root, { recursive: true });
});

/** Puts what the pod's volumes say of the Secrets where the pod would have it, below the root: files of the keys that are there. */
async function mount({ mounts }: RunExample, secrets: Place['secrets']): Promise<void> {
  for (const [path, { projected, persistentVolumeClaim }] of mounts) {
    if (persistentVolumeClaim !== undefined) await mkdir(join(root, path), { recursive: true });
    for (const { secret } of projected?.sources ?? []) {
      for (const item of secret?.items ?? []) {
        const value = secrets[secret.name]?.[item.key];
        if (value === undefined) continue;
        const file = join(root, path, item.path);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, value);
      }
    }
  }
}

/** What the construct wrote, with the paths below the root, and another address. */
function opened({ config }: RunExample, address?: Address): StoreConfig {
  const below = JSON.stringify(config.spec.storage).replaceAll('"/var/', `"${root}/var/`);
  const store = JSON.parse(below) as StoreConfig;
  if (address === undefined) return store;
  const { endpoint } = address;
  return {
    ...store,
    ...(store.s3 && { s3: { ...store.s3, ...address } }),
    ...(store.gcs && { gcs: { ...store.gcs, endpoint } }),
    ...(store.azure && { azure: { ...store.azure, endpoint } }),
  };
}

async function world(purpose: string): Promise<StoreWorld> {
  return stack.use(new StoreWorld(await inCluster(purpose)));
}

/** Ends TLS before a server, and hands on what it gets as it is. */
async function behindTls(onward: string): Promise<{ readonly url: string; readonly authority: string }> {
  const { key, certificate } = await selfSigned('DNS:localhost');
  const { hostname, port } = new URL(onward);
  const server: Server = createServer({ key, cert: certificate }, (socket) => {
    const there = connect(Number(port), hostname);
    socket.on('error', () => there.destroy()).pipe(there);
    there.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => new Promise((resolve) => server.close(() => resolve())));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `https://localhost:${address.port}`, authority: certificate };
}

async function s3(
  bucket: string,
  region?: string,
): Promise<Place & { readonly settings: NonNullable<StoreConfig['s3']> }> {
  const started = await startVersitygw(await world('docs-s3'), region);
  if (bucket !== started.settings.bucket) {
    await started.administrator.send(new CreateBucketCommand({ Bucket: bucket }));
  }
  const { endpoint = '' } = started.settings;
  return {
    secrets: { s3: S3_LOGIN, minio: S3_LOGIN },
    address: { endpoint, pathStyle: true },
    names: async () => started.proxy.seen,
    settings: started.settings,
  };
}

const PLACES: readonly { readonly title: string; readonly make: () => Promise<Place> }[] = [
  { title: 'S3', make: () => s3('backups-of-shop', 'eu-central-1') },
  {
    title: 'What speaks S3: MinIO, Ceph, versitygw, …',
    make: async () => {
      const place = await s3('backups');
      const { url, authority } = await behindTls(place.settings.endpoint ?? '');
      const secrets = { ...place.secrets, 'minio-ca': { 'ca.crt': authority } };
      return { ...place, secrets, address: { endpoint: url } };
    },
  },
  {
    title: 'Google Cloud Storage',
    make: async () => {
      const bucket = 'backups-of-shop';
      const { server, proxy, settings, login } = await startFakeGcs(await world('docs-gcs'));
      await fetch(new URL('/storage/v1/b', server.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: bucket }),
      });
      const { endpoint = '' } = settings;
      return { secrets: { gcs: login }, address: { endpoint }, names: async () => proxy.seen };
    },
  },
  {
    title: 'Azure Blob Storage',
    make: async () => {
      const { proxy, settings } = await startAzurite(await world('docs-azure'));
      const { endpoint = '' } = settings;
      return { secrets: { azure: AZURE_LOGIN }, address: { endpoint }, names: async () => proxy.seen };
    },
  },
  {
    title: 'OpenStack Swift',
    make: async () => {
      const { proxy, login } = await startSwift(await world('docs-swift'));
      return { secrets: { openstack: login }, names: async () => proxy.seen };
    },
  },
  {
    title: 'A mounted volume: NFS, or any claim',
    make: async () => ({
      secrets: {},
      names: () => readdir(join(root, 'var/lib/stillpoint/store'), { recursive: true }),
    }),
  },
];

test.each(PLACES)('$title', async ({ title, make }) => {
  const { secrets, address, names } = await make();
  const example = runExample(title);
  await mount(example, secrets);
  // None of this machine's credentials.
  const world = { clock: systemClock, random: Math.random, environment: {} };
  const store = await openStore(opened(example, address), world);
  const stored = await store.put(KEY, content(BYTES), { signal });
  expect(stored.bytes).toBe(BYTES);
  expect((await names()).map(decodeURIComponent).join('\n')).toContain(KEY);
  const back = Buffer.concat(await gathered(await store.get(KEY, { signal })));
  expect(back.equals(Buffer.concat(await gathered(content(BYTES))))).toBe(true);
  expect((await gathered(store.list('docs/', { signal }))).flat().map(({ key }) => key)).toEqual([KEY]);
  await store.delete([KEY], { signal });
  expect(await store.head(KEY, { signal })).toBeUndefined();
});

test('are all that name credentials, or none since there is nobody to ask', () => {
  const named = [...STORAGE_EXAMPLES.keys()].filter((title) => title !== 'S3 with the identity of the pod');
  expect(PLACES.map(({ title }) => title)).toEqual(named);
});
