/** What a prune does besides, where its stores say so: copies of the records in a store. */
import { readFile } from 'node:fs/promises';
import type { GlobalOptions } from '../cli/options';
import { copyRecords } from '../commands/copy-records';
import { readStores } from '../config';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { NAMESPACES } from '../kube/objects';
import { KubernetesSnapshotSource } from '../kube/snapshot-source';
import type { Remover } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { CopiesRemover } from '../travel/copies-remover';
import type { CopiesOwner } from '../travel/stored-copies';
import { storeFor } from './dump';
import { connect, kubernetesRegistry } from './kubernetes';
import type { World } from './world';

/** Brings the copies up to date, where the file with the stores says where they are kept. */
export async function copyRecordsHandler(
  file: string,
  gone: readonly string[],
  options: GlobalOptions,
  world: World,
): Promise<void> {
  const { recordCopies } = (await readStores(file)).spec;
  if (recordCopies === undefined) return;
  const { storage, signKeyFile } = recordCopies;
  const client = await connect(options, world);
  const { failed } = await copyRecords({
    ...world,
    registry: kubernetesRegistry(client, options.registry, world),
    gone,
    owner: await ownerOfCopies(client, options.registry, world),
    store: await storeFor(storage, world),
    source: new KubernetesSnapshotSource(client),
    signKey: signKeyFile === undefined ? undefined : { pem: await keyIn(signKeyFile), file: signKeyFile },
    runnerVersion: world.version,
  });
  if (failed.length === 0) return;
  throw new StillpointError(
    'store-refused',
    `the records of these backups are not up to date in the store: ${failed.join(', ')}`,
    {
      hint: 'the log says why; the next prune tries again',
    },
  );
}

/** What removes backups, with the copies of their records where the file with the stores says where they are kept. */
export async function withCopies(
  data: Remover,
  file: string,
  client: KubeClient,
  registry: string,
  world: World,
): Promise<Remover> {
  const { recordCopies } = (await readStores(file)).spec;
  if (recordCopies === undefined) return data;
  const open = (): Promise<ObjectStore> => storeFor(recordCopies.storage, world);
  return new CopiesRemover(data, { open, owner: () => ownerOfCopies(client, registry, world) }, world);
}

/** Who keeps the copies of a registry. Throws namespace-not-found. */
export async function ownerOfCopies(client: KubeClient, registry: string, { signal }: World): Promise<CopiesOwner> {
  const uid = (await client.get(NAMESPACES, { name: registry }, signal))?.metadata.uid;
  if (uid !== undefined) return { registry, uid };
  throw new StillpointError('namespace-not-found', `there is no namespace ${registry} of a registry`);
}

/** The key that copies are signed with. Throws key-unusable. */
export async function keyIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StillpointError('key-unusable', `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      hint: "the Secret of signingKey has to be in the registry's namespace, with the key that signingKeyKey names",
      cause,
    });
  }
}
