/** The connection to Azure Blob Storage. */
import {
  BlobServiceClient,
  type ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { StoreConfig } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { needKey, readKey, unreadable } from '../credentials';
import type { Environment } from '../retrying';
import { WorkloadCredential } from './workload-identity';

export type AzureSettings = NonNullable<StoreConfig['azure']>;

/** One try: Retrying makes the others, with an end that is ours. */
const OPTIONS: StoragePipelineOptions = { retryOptions: { maxTries: 1 } };

export async function connect(
  { container, account, endpoint }: AzureSettings,
  folder: string | undefined,
  environment: Environment,
): Promise<ContainerClient> {
  const name = account ?? (folder === undefined ? undefined : await readKey(folder, 'AZURE_ACCOUNT_NAME'));
  if (name === undefined) {
    throw new StillpointError('config-invalid', 'the storage is of the kind azure, and names no account', {
      hint: 'give account, or the key AZURE_ACCOUNT_NAME in the Secret with the credentials',
    });
  }
  const url = endpoint ?? `https://${name}.blob.core.windows.net`;
  if (folder === undefined) {
    return new BlobServiceClient(url, new WorkloadCredential(environment), OPTIONS).getContainerClient(container);
  }
  const credential = sharedKey(folder, name, await needKey(folder, 'AZURE_ACCOUNT_KEY'));
  return new BlobServiceClient(url, credential, OPTIONS).getContainerClient(container);
}

function sharedKey(folder: string, name: string, key: string): StorageSharedKeyCredential {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) throw unreadable(folder, 'AZURE_ACCOUNT_KEY', 'is no key in base64');
  return new StorageSharedKeyCredential(name, key);
}
