/** The pruner's stores, looked at from where it stands: with its network and its credentials. */
import { ownsData, type StoreConfig, type StoresConfig, storePlace } from '../../src/contract';
import { storeOf } from '../dump/record';
import { deletionFindings, reach } from '../dump/store-look';
import type { Finding, Registry } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { readOwner } from '../storage/texts';
import { nameOfPrivate } from '../travel/signature';
import { assertOwnCopies, COPIES_OWNER, type CopiesOwner } from '../travel/stored-copies';
import { asFinding } from './doctor';

export interface StoresDoctorContext {
  readonly spec: StoresConfig['spec'];
  readonly open: (config: StoreConfig) => Promise<ObjectStore>;
  /** The text of the mounted key that copies are signed with. */
  readonly readKey: (file: string) => Promise<string>;
  readonly registry: Pick<Registry, 'pages'>;
  readonly owner: () => Promise<CopiesOwner>;
  readonly signal: AbortSignal;
}

/** What the next prune would meet in its stores. */
export async function doctorStores(context: StoresDoctorContext): Promise<readonly Finding[]> {
  const { spec } = context;
  const { recordCopies } = spec;
  const looks = [
    ...spec.stores.map((config) => () => storeFindings(context, config)),
    ...(recordCopies === undefined ? [] : [() => copiesFindings(context, recordCopies)]),
    () => notPrunedFindings({ ...context, stores: spec.stores }),
  ];
  return (await Promise.all(looks.map((look) => look()))).flat();
}

async function storeFindings(context: StoresDoctorContext, config: StoreConfig): Promise<readonly Finding[]> {
  return await found(context, placeOf(config), async () => {
    const store = await (await reach(() => context.open(config), context.signal))();
    return await deletionFindings(store, context.signal);
  });
}

/** What is said of a store that has no name yet. */
function placeOf({ kind, s3, gcs, azure, swift, directory }: StoreConfig): string {
  const { bucket } = s3 ?? gcs ?? {};
  const { container } = azure ?? swift ?? {};
  return `storage ${bucket ?? container ?? directory?.volume ?? directory?.path ?? kind}`;
}

/** An error that ends one look is a finding; the others are made all the same. */
async function found(
  { signal }: Pick<StoresDoctorContext, 'signal'>,
  subject: string,
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    signal.throwIfAborted();
    return [asFinding(subject, thrown)];
  }
}

async function copiesFindings(
  context: StoresDoctorContext,
  { storage, signKeyFile }: NonNullable<StoresConfig['spec']['recordCopies']>,
): Promise<readonly Finding[]> {
  const { signal } = context;
  const subject = `copies of records in ${placeOf(storage)}`;
  const store = await reach(() => context.open(storage), signal);
  const looks = [
    async () => (await deletionFindings(await store(), signal)).map((finding) => ({ ...finding, subject })),
    async () => await ownerFindings(context, await store()),
    async () => await copiesLockFindings(context, storage, await store(), subject),
    async () => await keyFindings(context, signKeyFile, subject),
  ];
  const findings = (await Promise.all(looks.map((look) => found(context, subject, look)))).flat();
  // A store that is out of reach is so for each of them.
  return findings.filter(({ message }, index) => findings.findIndex((other) => other.message === message) === index);
}

async function ownerFindings(context: StoresDoctorContext, store: ObjectStore): Promise<readonly Finding[]> {
  const owned = await readOwner(store, COPIES_OWNER, context.signal);
  if (owned !== undefined) assertOwnCopies(store, await context.owner(), owned);
  return [];
}

/** A record goes after its copy. */
async function copiesLockFindings(
  { signal }: StoresDoctorContext,
  { s3 }: StoreConfig,
  store: ObjectStore,
  subject: string,
): Promise<readonly Finding[]> {
  const lock = s3?.lock ?? (await store.placeLock?.({ signal }))?.byDefault;
  if (lock === undefined) return [];
  return [
    {
      severity: 'warning',
      code: 'lock-mismatch',
      subject,
      message: `whatever is put into ${store.name} is locked for ${lock.days} days: a backup that is to go before stays listed as deleting until then`,
      hint: 'name a storage in recordCopies that locks nothing by itself',
    },
  ];
}

async function keyFindings(
  { readKey }: StoresDoctorContext,
  file: string | undefined,
  subject: string,
): Promise<readonly Finding[]> {
  if (file === undefined) return [];
  return [
    { severity: 'ok', code: 'ok', subject, message: `signed by key ${nameOfPrivate(await readKey(file), file)}` },
  ];
}

/** Where backups lie whose store nobody has named to the pruner. */
export async function notPrunedFindings({
  stores,
  registry,
  signal,
}: Pick<StoresDoctorContext, 'registry' | 'signal'> & {
  readonly stores: readonly StoreConfig[];
}): Promise<readonly Finding[]> {
  const known = new Set(stores.map(storePlace));
  return await found({ signal }, 'registry', async () => {
    const counts = new Map<string, number>();
    for await (const page of registry.pages({ phases: ['succeeded'] })) {
      for (const { record } of page) {
        const store = record.mode === 'dump' ? storeOf(record) : undefined;
        if (store === undefined || !ownsData(record) || known.has(storePlace(store))) continue;
        const name = record.storeName ?? placeOf(store);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    return [...counts].map(([name, count]) => ({
      severity: 'warning',
      code: 'store-not-pruned',
      subject: name,
      message: `${count === 1 ? 'one backup lies' : `${count} backups lie`} in ${name}, which the pruner was not told of: nothing is removed there`,
      hint: 'name it in storages of the Registry, with a Secret in its namespace',
    }));
  });
}
