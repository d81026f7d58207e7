/** The dump that is restored: its record, marked as in use, and the object that the record names. */
import type { BackupRecord, DumpRestoreConfig, RecordedObject } from '../../src/contract';
import { asStillpointError, type ErrorCode, StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Identity } from '../pipe/age-keys';
import type { Opening } from '../pipe/restore';
import type { Log, Registry, Use, Uses } from '../ports';
import { assertRestorable } from '../restore/restorable';
import type { ObjectStore } from '../storage/object-store';
import { copyBeside } from './copy';
import { openingOf, tryOpening } from './opening';

/** What a dump is found and opened by. */
export interface SourceContext {
  readonly config: Pick<DumpRestoreConfig, 'metadata'> & { readonly spec: Pick<DumpRestoreConfig['spec'], 'backup'> };
  readonly registry: Pick<Registry, 'get'>;
  readonly uses: Pick<Uses, 'begin'>;
  /** What opens an encrypted dump; undefined where nothing was given. */
  readonly readIdentities: () => Promise<readonly Identity[] | undefined>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A dump that can be read. */
export interface DumpSource {
  readonly record: BackupRecord;
  readonly store: ObjectStore;
  readonly object: RecordedObject;
  readonly opening: Opening;
}

/** How a cluster without a registry answers: what may be done in a namespace is asked before whether it is there. */
const NO_REGISTRY: readonly ErrorCode[] = ['registry-not-found', 'permission-missing'];

/** The record, marked as in use; where the registry has none, or there is no registry yet, the copy that lies beside the dump. */
export async function findRecord(
  { config, registry, uses, log, signal }: SourceContext,
  store: ObjectStore,
  kind: StoredKind = 'dump',
): Promise<Use> {
  const { namespace, database, id } = config.spec.backup;
  const stored = await registry.get(namespace, database, id).catch((thrown: unknown) => {
    const { code, message } = asStillpointError(thrown);
    // A registry that is there has the last word, also when it does not answer just now.
    if (!NO_REGISTRY.includes(code)) throw thrown;
    log.warn({ code }, `the registry cannot be read, the record beside the dump is taken: ${message}`);
    return undefined;
  });
  if (stored !== undefined) {
    assertKind(stored.record, kind);
    return await uses.begin(stored, `restore ${config.metadata.namespace ?? namespace}/${config.metadata.name}`);
  }
  const record = await copyBeside(store, { namespace, database, id }, signal);
  assertKind(record, kind);
  log.info({ id, store: store.name }, 'the record beside the dump is taken: the registry has none');
  return unmarked(record);
}

/** Of a record that bears no marks: who reads a store from outside writes nothing there. */
export function unmarked(record: BackupRecord): Use {
  return { record, lost: new AbortController().signal, [Symbol.asyncDispose]: async () => undefined };
}

/** What a backup in a store is: a stream of an engine's tool, files of databases that one wrote, or files of snapshots. */
export type StoredKind = 'dump' | 'online' | 'copy';

const WORDS: Readonly<Record<StoredKind, string>> = { dump: 'dump', online: 'online backup', copy: 'copy' };

/** What is done with each. */
export const STORED_HINTS: Readonly<Record<StoredKind, string>> = {
  dump: 'it is a dump, which goes into a server: PostgresDumpRestore and its like',
  online: 'it is of files that neo4j-admin takes: Neo4jOnlineRestore makes a database of them',
  copy: 'it is a copy of files: SnapshotCopyRestore makes claims of it',
};

/** Undefined of what lies in no store. */
export function storedKindOf(record: Pick<BackupRecord, 'mode' | 'copy' | 'dump'>): StoredKind | undefined {
  if (record.mode !== 'dump') return undefined;
  if (record.copy !== undefined) return 'copy';
  return record.dump?.databases === undefined ? 'dump' : 'online';
}

function assertKind(record: BackupRecord, kind: StoredKind): void {
  assertRestorable(record);
  const is = storedKindOf(record);
  if (is === kind) return;
  if (is !== undefined) {
    throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} is no ${WORDS[kind]}`, {
      hint: STORED_HINTS[is],
    });
  }
  throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} is no ${WORDS[kind]}`, {
    hint: 'its snapshots are restored into claims: stillpoint restore',
  });
}

/** The object, which has the length that the record says at least (the rest shows as it is read), and how it is opened. */
export async function openSource(
  context: Pick<SourceContext, 'readIdentities' | 'signal'>,
  record: BackupRecord,
  store: ObjectStore,
): Promise<DumpSource> {
  const [object] = record.objects ?? [];
  if (object === undefined) {
    throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} names no object`);
  }
  return { record, store, object, opening: await openObject(context, object, store) };
}

/** How one object is opened; that it is there, and that this does open it, is tried. */
export async function openObject(
  { readIdentities, signal }: Pick<SourceContext, 'readIdentities' | 'signal'>,
  object: RecordedObject,
  store: ObjectStore,
): Promise<Opening> {
  await assertThere(object, store, signal);
  const opening = openingOf(object, await readIdentities());
  await tryOpening(store, object, opening, signal);
  return opening;
}

async function assertThere(object: RecordedObject, store: ObjectStore, signal: AbortSignal): Promise<void> {
  const found = await store.head(object.key, { signal });
  if (found === undefined) {
    throw new StillpointError('object-not-found', `there is no object ${object.key} in ${store.name}`, {
      hint: `the record says that it is at ${object.location}: name that storage`,
    });
  }
  if (found.bytes === object.bytes) return;
  throw new StillpointError(
    'stream-broken',
    `${object.key} in ${store.name} has ${found.bytes} bytes, and had ${object.bytes} when it was written`,
  );
}
