/** `stillpoint import --from`: backups by the records that lie in a store, where their own cluster is lost. */
import type { ImportCommandOptions } from '../cli/travel';
import type { CopySource, ExportedSource, ImportResult } from '../commands/import';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { formatImports } from '../output/travel';
import type { StoredRecord } from '../ports';
import { StoreRegistry } from '../registry/store';
import { storeAt } from '../storage/location';
import type { ObjectStore } from '../storage/object-store';
import { readStoredCopy } from '../travel/stored-copies';
import { storeFor } from './dump';
import type { World } from './world';

export type StoreSource = ExportedSource | CopySource;

/** What an import does with one source. */
export type ImportOne = (source: StoreSource) => Promise<ImportResult>;

type Wishes = Pick<ExportedSource, 'database' | 'image' | 'serverImage' | 'className' | 'verifyKey'>;

/** Imports the backup of that name, or all that the store has. One that cannot be imported does not keep the others. */
export async function importFromStore(
  from: string,
  name: string | undefined,
  { all = false, namespace, output, ...options }: ImportCommandOptions,
  wishes: Wishes,
  importOne: ImportOne,
  world: World,
): Promise<string> {
  refuseUnclear(name, { ...options, all, namespace });
  const store = await storeFor(storeAt(from), world);
  const registry = new StoreRegistry(store, world);
  // Oldest first: what a later one needs is there before it.
  const found =
    name === undefined
      ? [...(await registry.list({ phases: ['succeeded'] }))].reverse()
      : [await findRecord(registry, name, {})];
  const results: ImportResult[] = [];
  const failures: string[] = [];
  for (const { record } of found) {
    try {
      results.push(await importOne(await sourceOf(store, record, { ...wishes, namespace }, world.signal)));
    } catch (thrown) {
      world.signal.throwIfAborted();
      const { code, message } = asStillpointError(thrown);
      if (name !== undefined) throw thrown;
      world.log.error({ backup: `${record.namespace}/${record.database}/${record.id}`, code }, message);
      failures.push(`${record.namespace}/${record.database}/${record.id} (${code})`);
    }
  }
  const text = formatImports(results, output, { alone: name !== undefined });
  if (failures.length === 0) return text;
  throw new StillpointError(
    'import-failed',
    `${results.length} of ${found.length} backups in ${store.name} were imported, not ${failures.join(', ')}`,
    { hint: 'the log says why; the same command again goes on with them' },
  );
}

function refuseUnclear(
  name: string | undefined,
  {
    all,
    namespace,
    database,
  }: { readonly all: boolean; readonly namespace: string | undefined; readonly database?: string },
): void {
  if ((name === undefined) === !all) {
    throw usage(
      all
        ? `--all and the backup ${name} are two things to import`
        : 'import --from needs the name of a backup, or --all',
      'stillpoint list --from shows which there are',
    );
  }
  if (!all || (namespace === undefined && database === undefined)) return;
  throw usage(
    '--all imports each backup into its own namespace, under the name of its own database',
    'leave -n and --database out',
  );
}

/** Of a dump the record that lies beside it; of snapshots the export that was kept of them. */
async function sourceOf(
  store: ObjectStore,
  record: StoredRecord['record'],
  { namespace = record.namespace, ...wishes }: Wishes & { readonly namespace: string | undefined },
  signal: AbortSignal,
): Promise<StoreSource> {
  if (record.mode !== 'dump') {
    const document = await readStoredCopy(store, record, signal);
    if (document !== undefined) return { document, namespace, ...wishes };
  }
  if (wishes.verifyKey === undefined) return { copy: record, namespace, database: wishes.database };
  throw new StillpointError('signature-invalid', `nobody signs the record of a dump, as that of backup ${record.id}`, {
    hint: 'leave --verify-key out, and look whose store it is',
  });
}

function usage(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}
