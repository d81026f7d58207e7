/**
 * The contract of object stores, on servers in the cluster. `npm run e2e` puts S3 to it, which most stores speak;
 * `npm run soak` (CONTRACT=all) the others, too.
 */
import { objectStoreContract } from '../integration/contract/object-store';
import { makeNamespace } from './harness/namespace';
import { azureFixture, gcsFixture, type Servers, s3Fixture, swiftFixture } from './harness/object-fixtures';
import { startObjectServer } from './harness/object-servers';

async function inCluster(purpose: string): Promise<Servers> {
  const namespace = await makeNamespace(purpose);
  return {
    start: (pod) => startObjectServer(namespace.name, pod),
    [Symbol.asyncDispose]: () => namespace[Symbol.asyncDispose](),
  };
}

objectStoreContract('S3 (versitygw)', async () => await s3Fixture(await inCluster('s3')));
if (process.env.CONTRACT === 'all') {
  objectStoreContract('Swift, with a stand-in for Keystone', async () => await swiftFixture(await inCluster('swift')));
  objectStoreContract(
    'Google Cloud Storage (fake-gcs-server, an emulator)',
    async () => await gcsFixture(await inCluster('gcs')),
  );
  objectStoreContract(
    'Azure Blob Storage (azurite, an emulator)',
    async () => await azureFixture(await inCluster('azure')),
  );
}
