/** Each kind of object store on a server of its own, for the contract suite. */
import { ListMultipartUploadsCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import type { ObjectStoreFixture } from '../../integration/contract/object-store-fixture';
import { UnreliableProxy } from '../../support/unreliable-proxy';
import {
  BUCKET,
  S3_LOGIN,
  type Servers,
  StoreWorld,
  startAzurite,
  startFakeGcs,
  startSwift,
  startVersitygw,
} from './store-servers';

export async function s3Fixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new StoreWorld(servers);
  const {
    server,
    proxy,
    administrator,
    lockedBucket,
    credentialsDirectory,
    settings: s3,
  } = await startVersitygw(world);
  return {
    store: await world.open({ kind: 's3', credentialsDirectory, s3 }),
    patient: await world.open({ kind: 's3', credentialsDirectory, s3, patienceSeconds: 120 }),
    leftovers: async () => {
      const { Uploads = [] } = await administrator.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
      return Uploads.map(({ Key }) => `${Key}`);
    },
    wrongCredentials: async () => {
      const wrong = await world.secret({ ...S3_LOGIN, AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' });
      return await world.open({ kind: 's3', credentialsDirectory: wrong, s3 });
    },
    missingBucket: () => world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, bucket: 'not-there' } }),
    versions: {
      kept: await world.open({ kind: 's3', credentialsDirectory, s3: { ...s3, bucket: lockedBucket } }),
      locked: await world.open({
        kind: 's3',
        credentialsDirectory,
        s3: { ...s3, bucket: lockedBucket, lock: { mode: 'GOVERNANCE', days: 1 } },
      }),
      count: async () => {
        const { Versions = [], DeleteMarkers = [] } = await administrator.send(
          new ListObjectVersionsCommand({ Bucket: lockedBucket }),
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
    remove: world.remove,
  };
}

/** Swift itself; the Keystone before it is a stand-in. */
export async function swiftFixture(servers: Servers): Promise<ObjectStoreFixture> {
  const world = new StoreWorld(servers);
  const { server, proxy, login, raw, credentialsDirectory, settings: swift } = await startSwift(world);
  return {
    store: await world.open({ kind: 'swift', credentialsDirectory, swift }),
    patient: await world.open({ kind: 'swift', credentialsDirectory, swift, patienceSeconds: 120 }),
    leftovers: async () => {
      const beside = (await (await raw('?prefix=.stillpoint-segments/&limit=10000')).text())
        .split('\n')
        .filter(Boolean);
      const whole = new Map<string, string>();
      const left: string[] = [];
      for (const name of beside) {
        const [, key = '', id = ''] = /^[^/]+\/(.+)\/([^/]+)\/[^/]+$/.exec(name) ?? [];
        if (!whole.has(key)) whole.set(key, await (await raw(`/${key}?multipart-manifest=get`)).text());
        if (whole.get(key)?.includes(id) !== true) left.push(name);
      }
      return left;
    },
    wrongCredentials: async () => {
      const wrong = await world.secret({ ...login, OS_PASSWORD: 'a-wrong-secret' });
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
  const world = new StoreWorld(servers);
  const { server, proxy, account, credentialsDirectory, settings: gcs } = await startFakeGcs(world);
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
  return {
    store: await world.open({ kind: 'gcs', credentialsDirectory, gcs }),
    patient: await world.open({ kind: 'gcs', credentialsDirectory, gcs, patienceSeconds: 120 }),
    manyParts: true,
    // No listing shows sessions.
    leftovers: async () => [],
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
  const world = new StoreWorld(servers);
  const { server, proxy, login, credentialsDirectory, settings: azure } = await startAzurite(world);
  return {
    store: await world.open({ kind: 'azure', credentialsDirectory, azure }),
    patient: await world.open({ kind: 'azure', credentialsDirectory, azure, patienceSeconds: 120 }),
    // Blocks without a list are removed by Azure itself, in time.
    leftovers: async () => [],
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
