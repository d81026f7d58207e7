/** Reads a dump to its end, and compares it with its record. */
import type { BackupRecord, RecordedObject } from '../../src/contract';
import { openingOf } from '../dump/opening';
import { passedOf } from '../dump/record';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import type { CheckedDump } from '../output/dumps';
import { recordPath } from '../output/records';
import type { Identity } from '../pipe/age-keys';
import { logProgress } from '../pipe/progress';
import { confirmStored, opened } from '../pipe/restore';
import type { Clock, Log, RecordFilter, Registry } from '../ports';
import { assertRestorable } from '../restore/restorable';
import type { ObjectStore } from '../storage/object-store';

export interface CheckContext {
  readonly registry: Registry;
  readonly openStore: (record: BackupRecord) => Promise<ObjectStore>;
  /** What opens an encrypted dump; undefined where nothing was given. */
  readonly readIdentities: () => Promise<readonly Identity[] | undefined>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Checks one dump. Returns what was found to be good; throws where something is not. */
export async function check(context: CheckContext, name: string, where: RecordFilter): Promise<CheckedDump> {
  const { registry, openStore, readIdentities, signal } = context;
  const { record } = await findRecord(registry, name, where);
  assertRestorable(record);
  const { objects = [] } = record;
  if (record.mode !== 'dump' || objects.length === 0) {
    throw new StillpointError('usage-invalid', `backup ${recordPath(record)} is no dump: there is nothing to read`, {
      hint: 'snapshots are looked at by a restore: stillpoint restore --start',
    });
  }
  const store = await openStore(record);
  const identities = await readIdentities();
  const found = { backup: recordPath(record), store: store.name, bytes: sum(objects.map(({ bytes }) => bytes)) };
  let sealed = false;
  // A copy has its manifest beside the archive.
  for (const object of objects) {
    const content = counted(context, await store.get(object.key, { signal }), object);
    if (object.encryption !== undefined && identities === undefined) {
      sealed = true;
      await confirmStored(content, passedOf(object));
      continue;
    }
    for await (const _ of opened(content, passedOf(object), openingOf(object, identities))) signal.throwIfAborted();
  }
  return sealed ? found : { ...found, plainBytes: sum(objects.map(({ plainBytes }) => plainBytes)) };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

async function* counted(
  context: CheckContext,
  content: AsyncIterable<Uint8Array>,
  { bytes: all }: RecordedObject,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  using _ = logProgress(context, 'reading', () => bytes, all);
  for await (const chunk of content) {
    bytes += chunk.length;
    yield chunk;
  }
}
