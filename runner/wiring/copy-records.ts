/** What a prune does besides, where its stores say so: copies of the records in a store. */
import { readFile } from 'node:fs/promises';
import type { GlobalOptions } from '../cli/options';
import { copyRecords } from '../commands/copy-records';
import { readStores } from '../config';
import { StillpointError } from '../errors';
import { NAMESPACES } from '../kube/objects';
import { KubernetesSnapshotSource } from '../kube/snapshot-source';
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
  const namespace = await client.get(NAMESPACES, { name: options.registry }, world.signal);
  const uid = namespace?.metadata.uid;
  if (uid === undefined) {
    throw new StillpointError('namespace-not-found', `there is no namespace ${options.registry} of a registry`);
  }
  const { failed } = await copyRecords({
    ...world,
    registry: kubernetesRegistry(client, options.registry, world),
    gone,
    owner: { registry: options.registry, uid },
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

async function keyIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StillpointError('key-unusable', `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      hint: "the Secret of signingKey has to be in the registry's namespace, with the key that signingKeyKey names",
      cause,
    });
  }
}
