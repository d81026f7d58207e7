/**
 * The contract of object stores, on servers in the cluster. `npm run e2e` puts S3 to it, which most stores speak;
 * `npm run soak` (CONTRACT=all) the others, too.
 */
import { objectStoreContract } from '../integration/contract/object-store';
import { storeOptionsContract } from '../integration/contract/store-options';
import { SOAK } from '../support/soak';
import { azureFixture, gcsFixture, s3Fixture, swiftFixture } from './harness/object-fixtures';
import { inCluster } from './harness/object-servers';
import {
  AZURE_OPTIONS,
  azureOptions,
  GCS_OPTIONS,
  gcsOptions,
  S3_OPTIONS,
  SWIFT_OPTIONS,
  s3Options,
  swiftOptions,
} from './harness/option-fixtures';

objectStoreContract('S3 (versitygw)', async () => await s3Fixture(await inCluster('s3')));
storeOptionsContract('S3 (versitygw)', async () => await s3Options(await inCluster('s3-options')), S3_OPTIONS);
if (SOAK) {
  objectStoreContract('Swift, with a stand-in for Keystone', async () => await swiftFixture(await inCluster('swift')));
  objectStoreContract(
    'Google Cloud Storage (fake-gcs-server, an emulator)',
    async () => await gcsFixture(await inCluster('gcs')),
  );
  objectStoreContract(
    'Azure Blob Storage (azurite, an emulator)',
    async () => await azureFixture(await inCluster('azure')),
  );
  storeOptionsContract(
    'Google Cloud Storage (fake-gcs-server, an emulator)',
    async () => await gcsOptions(await inCluster('gcs-options')),
    GCS_OPTIONS,
  );
  storeOptionsContract(
    'Azure Blob Storage (azurite, an emulator)',
    async () => await azureOptions(await inCluster('azure-options')),
    AZURE_OPTIONS,
  );
  storeOptionsContract(
    'Swift, with a stand-in for Keystone',
    async () => await swiftOptions(await inCluster('swift-options')),
    SWIFT_OPTIONS,
  );
}
