/**
 * What the worker of a copy does: it reads the files of the volumes that it has mounted, and stores them. It has no right on the API;
 * what came of it stands in its termination message. Kubernetes starts its container again, so it does each order once.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CopyConfig } from '../../src/contract';
import { type CopyAnswer, type CopyOrder, orderIn, shorterAnswer } from '../copy/order';
import { storeFiles } from '../copy/store-files';
import { StillpointError } from '../errors';
import type { Clock, Log } from '../ports';
import { reporting } from '../restore/outcome';
import type { ObjectStore } from '../storage/object-store';

export interface CopyFilesContext {
  readonly config: CopyConfig;
  readonly openStore: () => Promise<ObjectStore>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface CopyFilesOptions {
  readonly orderFile: string;
  /** The folder of the volumes, each under its name. */
  readonly volumes: string;
  /** A folder that stays when the container is started again. */
  readonly state: string;
  /** Where the outcome is written as JSON, for whoever watches the pod. */
  readonly resultFile?: string | undefined;
}

/** Marks in the state that the order there was begun. */
const BEGUN = 'turn';

/** Does what the order says. Returns undefined when it was begun before: then there is nothing to do until it is taken back. */
export async function copyFiles(context: CopyFilesContext, options: CopyFilesOptions): Promise<CopyAnswer | undefined> {
  const order = orderIn(await readFile(options.orderFile, 'utf8'));
  const begun = join(options.state, BEGUN);
  if ((await readFile(begun, 'utf8').catch(() => undefined)) === order.turn) {
    context.log.info({ turn: order.turn }, 'this order was begun before: it is not done twice');
    await untilStopped(context.signal);
    return undefined;
  }
  await writeFile(begun, order.turn);
  return await reporting(options.resultFile, shorterAnswer, () => stored(context, order, options.volumes));
}

async function stored(
  { openStore, config, ...context }: CopyFilesContext,
  order: CopyOrder,
  folder: string,
): Promise<CopyAnswer> {
  const store = await openStore();
  const { compression, recipients } = config.spec.copy;
  const volumes = order.volumes.map((volume) => ({ ...volume, path: join(folder, volume.folder ?? volume.name) }));
  const { archive, manifest, ...found } = await storeFiles(
    volumes,
    {
      // The folder is this Job's: what is there under these names is of a pod of it that was taken away.
      archive: (content, signal) =>
        store.put(order.archive, content, { signal, replace: true, expectedBytes: order.expected?.bytes }),
      manifest: (content, signal) => store.put(order.manifest, content, { signal, replace: true }),
    },
    { ...context, compression, recipients, expectedBytes: order.expected?.plainBytes },
  );
  for (const each of [archive, manifest]) {
    if (each.stored.bytes === each.storedBytes) continue;
    throw new StillpointError(
      'checksum-mismatch',
      `${store.name} has ${each.stored.bytes} bytes under ${each.stored.key}, and ${each.storedBytes} were sent`,
    );
  }
  return { turn: order.turn, archive, manifest, ...found };
}

function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
    // Something has to keep the process: a signal alone does not.
    const keep = setInterval(() => undefined, 2 ** 30);
    signal.addEventListener('abort', () => clearInterval(keep), { once: true });
    if (signal.aborted) clearInterval(keep);
  });
}
