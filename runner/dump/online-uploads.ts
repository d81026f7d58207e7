/**
 * The files of an online backup on their way into an object store: the tool writes them to a volume of the pod alone, and what is
 * good is uploaded, encrypted where that was wanted. Nothing of the volume outlives the pod.
 */
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import type { RecordedObject } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Recipient } from '../pipe/age-keys';
import { ENCRYPTED_EXTENSION } from '../pipe/encryption';
import { Packing } from '../pipe/pack';
import type { ObjectStore } from '../storage/object-store';
import type { OnlinePlace, Work } from './online-place';
import { recordedObject } from './record';
import { foldersIn, freeOf, removeAt, WorkFiles } from './work-folders';

export class OnlineUploads extends WorkFiles implements OnlinePlace {
  readonly #root: string;
  #store: Promise<ObjectStore> | undefined;

  constructor(
    readonly scratch: string,
    private readonly recipients: readonly Recipient[] | undefined,
    private readonly openStore: () => Promise<ObjectStore>,
  ) {
    super();
    // The volume itself has a folder of its file system's own.
    this.#root = join(scratch, 'online');
  }

  async work(): Promise<Work> {
    await this.forget();
    return await foldersIn(this.#root);
  }

  async forget(): Promise<void> {
    await removeAt(this.#root);
  }

  async linkInto(_folder: string, keys: readonly string[]): Promise<void> {
    if (keys.length > 0) throw new StillpointError('config-invalid', `${keys[0]} is not at hand in an object store`);
  }

  nameOf(file: string): string {
    return `${basename(file)}${this.recipients === undefined ? '' : ENCRYPTED_EXTENSION}`;
  }

  async publish(file: string, key: string, signal: AbortSignal): Promise<RecordedObject> {
    this.#store ??= this.openStore();
    const store = await this.#store;
    const packing = new Packing();
    const how = { compression: 'none', recipients: this.recipients } as const;
    const content = packing.of(createReadStream(file, { signal }), how);
    const stored = await store.put(key, content, { signal, expectedBytes: await this.sizeOf(file) });
    const passed = packing.passed();
    if (packing.whole && stored.bytes === passed.storedBytes) return recordedObject(passed, stored, how);
    throw new StillpointError(
      'checksum-mismatch',
      `${store.name} has ${stored.bytes} bytes under ${key}, and ${passed.storedBytes} were sent`,
    );
  }

  freeBytes(): Promise<number> {
    return freeOf(this.scratch);
  }
}
