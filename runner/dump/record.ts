/** The record of a dump from step to step. Pure: the earlier record and what happened go in, the next comes out. */
import { stringify } from 'yaml';
import {
  type BackupRecord,
  type DumpConfig,
  type RecordedObject,
  type StoreConfig,
  withoutAccess,
} from '../../src/contract';
import type { Server } from '../engine';
import type { Passed } from '../pipe/dump';
import type { StoredObject } from '../storage/object-store';

/** What the checks found out. */
export interface DumpFacts {
  /** Without a version where no server was asked. */
  readonly server: Pick<Server, 'flavour' | 'identity'> & { readonly version?: string };
  readonly tool: string;
  readonly storeName: string;
  readonly warnings: readonly string[];
}

/** The record just before the tool runs: the names of all that is going to be written are there before any of it is. */
export function dumpingRecord(
  record: BackupRecord,
  { spec }: Pick<DumpConfig, 'spec'>,
  facts: DumpFacts,
  planned: { readonly keys: readonly string[]; readonly now: Date },
): BackupRecord {
  const { server, tool, storeName, warnings } = facts;
  const { only, databases, image, layout, position } = spec.dump;
  return {
    ...record,
    ...(server.flavour === undefined ? {} : { flavour: server.flavour }),
    ...(server.version === undefined ? {} : { serverVersion: server.version }),
    serverIdentity: server.identity,
    layout,
    dump: {
      tool,
      ...(only === undefined ? {} : { only }),
      ...(databases === undefined ? {} : { some: databases }),
      ...(position === undefined ? {} : { position }),
      ...(image === undefined ? {} : { image }),
    },
    store: withoutAccess(spec.storage),
    storeName,
    // And what an earlier attempt has left there, which goes when the backup does.
    plannedObjects: [...new Set([...(record.plannedObjects ?? []), ...planned.keys])],
    times: { ...record.times, dumping: planned.now.toISOString() },
    warnings: [...(record.warnings ?? []), ...warnings],
  };
}

/** What the record says of the stored dump. */
export function recordedObject(
  passed: Passed,
  stored: StoredObject,
  { compression, recipients }: Pick<DumpConfig['spec']['dump'], 'compression' | 'recipients'>,
): RecordedObject {
  const { key, location, bytes, checksum, version, lockedUntil } = stored;
  return {
    key,
    location,
    bytes,
    sha256: passed.storedSha256,
    plainBytes: passed.plainBytes,
    plainSha256: passed.plainSha256,
    compression,
    ...(recipients === undefined ? {} : { encryption: { format: 'age', recipients } }),
    checksum: `${checksum.algorithm} ${checksum.value}`,
    ...(version === undefined ? {} : { version }),
    ...(lockedUntil === undefined ? {} : { lockedUntil }),
  };
}

/** The record of a dump that can be restored. */
export function dumpedRecord(record: BackupRecord, object: RecordedObject, now: Date): BackupRecord {
  const at = now.toISOString();
  return { ...record, phase: 'succeeded', objects: [object], times: { ...record.times, ready: at, finished: at } };
}

/** The record of which nothing is in the store any more. */
export function withoutObjects({ objects: _, plannedObjects: __, ...record }: BackupRecord): BackupRecord {
  return record;
}

/** What was written of a dump, as the pipe has it. */
export function passedOf({ bytes, sha256, plainBytes, plainSha256 }: RecordedObject): Passed {
  return { plainBytes, plainSha256, storedBytes: bytes, storedSha256: sha256 };
}

/** The record as it lies beside the dump. */
export function recordText(record: BackupRecord): string {
  return stringify(record, { lineWidth: 0 });
}

/** The store that a record names; undefined where it names none. */
export function storeOf({ store }: BackupRecord): StoreConfig | undefined {
  return store as StoreConfig | undefined;
}
