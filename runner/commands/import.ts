/** Registers a backup that somebody else has taken: of an exported record, of the one beside a dump, or by a bare handle. */
import {
  type BackupRecord,
  backupId,
  type EngineName,
  type ExportedBackup,
  type RecordedResource,
} from '../../src/contract';
import type { Engine } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Registry, StoredRecord } from '../ports';
import { assertRestorable, assertSnapshots } from '../restore/restorable';
import { type BareHandles, planBareHandles } from '../travel/bare';
import {
  differenceFrom,
  type ImportFacts,
  type ImportPlan,
  type ImportWishes,
  importedWith,
  planCopy,
  planImport,
} from '../travel/plan';
import { verified } from '../travel/signature';
import type { ImportClass, ImportSite } from '../travel/site';
import { PASSWORD_KEY } from './keep-resource';

/** What an import needs of the world. */
export interface ImportContext {
  readonly registry: Registry;
  readonly site: ImportSite;
  readonly engineNamed: (name: EngineName) => Promise<Engine>;
  readonly clock: Clock;
  readonly runnerVersion: string;
  /** Tells a person what happens, one line at a time. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** An exported backup, with the key that its signature is checked by. */
export interface ExportedSource extends ImportWishes {
  readonly document: ExportedBackup;
  readonly verifyKey?: { readonly pem: string; readonly file: string } | undefined;
  readonly className?: string | undefined;
}

/** The record that lies beside a dump in its store. */
export interface CopySource extends Pick<ImportWishes, 'namespace' | 'database'> {
  readonly copy: BackupRecord;
  readonly className?: undefined;
}

/** What a person knows of snapshots that no record is of. */
export interface HandleSource extends Omit<BareHandles, 'id' | 'resource'> {
  /** What the backup is to be called; when it is imported unless given. */
  readonly id?: string | undefined;
  /** What a control plane had made the database from. */
  readonly resource?: Omit<RecordedResource, 'plural'> | undefined;
  /** That of the administrator, as the files have it: it is kept beside the record. */
  readonly password?: string | undefined;
  readonly className?: string | undefined;
}

/** What came of an import. */
export interface ImportResult {
  readonly record: BackupRecord;
  /** Nothing was done: it had been imported before. */
  readonly already: boolean;
  readonly warnings: readonly string[];
}

/** Imports a backup. Nothing that exists is changed (safety rule 12), and an import that fails leaves nothing behind. */
export async function importBackup(
  context: ImportContext,
  source: ExportedSource | CopySource | HandleSource,
): Promise<ImportResult> {
  const { registry, site, say, signal } = context;

  // 1. The plan: checked by schema and signature, under names of our own.
  const { plan, warnings } = await planStep(context, source);

  // 2. What is there already is either this very backup, or in the way.
  const there = await sameStep(registry, plan);
  if (there !== undefined) return { record: await passwordStep(registry, there, source), already: true, warnings };
  for (const warning of warnings) say(`warning: ${warning}`);

  // Of a dump there is nothing to make: what it is, lies in its store.
  if (plan.record.mode === 'dump') {
    await site.checkNamespace(plan.record.namespace, signal);
    await registry.create(plan.record);
    return { record: plan.record, already: false, warnings };
  }

  // 3. Every check comes before anything is made.
  if ('password' in source && source.password !== undefined) assertKeepsSecrets(registry);
  const snapshotClass = await site.check(plan, source.className, signal);

  const { stored, already } = await madeStep(context, plan, snapshotClass);
  const own = already ? [] : (stored.record.warnings?.slice(plan.record.warnings?.length ?? 0) ?? []);

  // 6. What may not stand in the record. Without it the backup is there all the same, and the same command again goes on here.
  return { record: await passwordStep(registry, stored, source), already, warnings: [...warnings, ...own] };
}

/** Makes the objects, and the record last: where that fails nothing is left. */
async function madeStep(
  context: ImportContext,
  plan: ImportPlan,
  snapshotClass: ImportClass,
): Promise<{ readonly stored: StoredRecord; readonly already: boolean }> {
  const { registry, site, say, signal } = context;
  try {
    // 4. Contents and snapshots, bound to each other, known to the storage.
    for (const { volume, snapshot, handle } of plan.snapshots) {
      say(`making VolumeSnapshot ${plan.record.namespace}/${snapshot} of volume ${volume}: ${handle}`);
    }
    const imported = await site.make(plan, snapshotClass, signal);
    for (const warning of imported.warnings) say(`warning: ${warning}`);

    // 5. The record.
    const record = importedWith(plan, imported.cuts, imported.warnings);
    return { stored: await registry.create(record), already: false };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    const other = error.code === 'id-taken' ? await sameStep(registry, plan) : undefined;
    if (other !== undefined) return { stored: other, already: true };
    throw await undone(context, plan, error, recordPath(plan.record));
  }
}

async function planStep(
  { clock, site, registry, runnerVersion, engineNamed }: ImportContext,
  source: ExportedSource | CopySource | HandleSource,
): Promise<{ readonly plan: ImportPlan; readonly warnings: readonly string[] }> {
  const facts = { at: clock.now(), by: await site.whoami(), runnerVersion };
  if ('document' in source) return ofDocument(source, facts);
  if ('copy' in source) return ofCopy(source, facts);
  const { namespace, database, driver, engine, snapshots } = source;
  const { restore } = await engineNamed(engine);
  if (!restore.withoutRecord) {
    throw new StillpointError(
      'import-invalid',
      `a snapshot of ${engine} cannot be imported by its handle alone: restoring it takes what only a record says`,
      { hint: 'export the backup where it was taken: stillpoint export' },
    );
  }
  const known = (await registry.list({ namespace, database })).find(
    ({ record: { imported, cuts } }) =>
      imported !== undefined &&
      snapshots.every(({ handle }) => cuts.some((cut) => cut.handle === handle && cut.driver === driver)),
  );
  const [first] = snapshots;
  const begun = first && (await site.begun({ namespace, database, handle: first.handle }));
  const id = source.id ?? known?.record.id ?? begun ?? backupId(facts.at);
  const plan = planBareHandles({ ...source, id, resource: undefined }, facts);
  if (source.resource === undefined) return { plan, warnings: [] };
  const record = { ...plan.record, resource: resourceOf(source.resource, plan.record, restore.resource) };
  return { plan: { ...plan, record }, warnings: [] };
}

/** Of the kind that databases of this engine are made from: no record is to make a person create any other. */
function resourceOf(
  given: Omit<RecordedResource, 'plural'>,
  record: BackupRecord,
  anew: Engine['restore']['resource'],
): RecordedResource {
  const own = anew?.(record, { secretName: undefined, sizes: {} });
  if (own?.kind === given.kind && own.apiVersion === given.apiVersion) return { ...given, plural: own.plural };
  const of = own === undefined ? 'none' : `a ${own.kind} (${own.apiVersion})`;
  throw new StillpointError(
    'import-invalid',
    `the resource is a ${given.kind} (${given.apiVersion}), and a ${record.engine} is made from ${of}`,
    { hint: own === undefined ? 'leave --resource-file out' : `kubectl get ${own.plural} <name> -o yaml writes it` },
  );
}

/** Keeps the administrator's password in a Secret beside the record, and names it there. What was kept before stays. */
async function passwordStep(
  registry: Registry,
  stored: StoredRecord,
  source: ExportedSource | CopySource | HandleSource,
): Promise<BackupRecord> {
  const { resource } = stored.record;
  if (!('password' in source) || source.password === undefined || resource === undefined) return stored.record;
  if (resource.secret !== undefined) return stored.record;
  const secret = await assertKeepsSecrets(registry)(stored, { [PASSWORD_KEY]: source.password }).catch(
    (thrown: unknown) => {
      const { code, message, hint } = asStillpointError(thrown);
      const left = `backup ${recordPath(stored.record)} is imported, without the password: the same command again keeps it`;
      throw new StillpointError(code, message, { hint: [hint, left].filter(Boolean).join('; '), cause: thrown });
    },
  );
  return (await registry.update(stored, { ...stored.record, resource: { ...resource, secret } })).record;
}

function assertKeepsSecrets(registry: Registry): NonNullable<Registry['keepSecret']> {
  const keep = registry.keepSecret?.bind(registry);
  if (keep !== undefined) return keep;
  throw new StillpointError('usage-invalid', 'this registry keeps no passwords', { hint: 'leave --password-file out' });
}

function ofDocument(
  { document, verifyKey, ...wishes }: ExportedSource,
  facts: ImportFacts,
): { readonly plan: ImportPlan; readonly warnings: readonly string[] } {
  assertRestorable(document.record);
  assertSnapshots(document.record);
  const verifiedBy = verifyKey === undefined ? undefined : verified(document, verifyKey.pem, verifyKey.file);
  const plan = planImport(document, wishes, { ...facts, verifiedBy });
  if (verifiedBy !== undefined) return { plan, warnings: [] };
  const { runnerImage, workload } = plan.record;
  const left = [
    ...(runnerImage === undefined ? ["the runner's (--image)"] : []),
    ...(workload?.image === undefined ? ["the server's (--server-image)"] : []),
  ];
  const images = left.length === 0 ? '' : `, and the images that it names were left out: ${left.join(', ')}`;
  return { plan, warnings: [`no --verify-key was given: nothing shows who wrote this record${images}`] };
}

function ofCopy(
  { copy, ...wishes }: CopySource,
  facts: ImportFacts,
): { readonly plan: ImportPlan; readonly warnings: readonly string[] } {
  assertRestorable(copy);
  if (copy.mode !== 'dump') {
    throw new StillpointError(
      'import-invalid',
      `what is to be imported is the record of a ${copy.mode}, not of a dump`,
      {
        hint: 'export it where it was taken: stillpoint export; a record alone does not say what the storage calls its snapshots',
      },
    );
  }
  return { plan: planCopy(copy, wishes, facts), warnings: ['nothing shows who wrote this record'] };
}

/** The record that is there already, when it is of the same snapshots. Throws import-exists when it is not. */
async function sameStep(registry: Registry, plan: ImportPlan): Promise<StoredRecord | undefined> {
  const { namespace, database, id } = plan.record;
  const there = await registry.get(namespace, database, id);
  if (there === undefined) return undefined;
  const difference = differenceFrom(there.record, plan);
  if (difference === undefined) return there;
  throw new StillpointError(
    'import-exists',
    `there is a backup ${recordPath(plan.record)} already, and ${difference}`,
    { hint: 'import it under another name of the database, with --database; nothing was changed' },
  );
}

/** From the first object on, an error is one of the import's own (exit code 7), and what was made is removed. */
async function undone(
  { site }: ImportContext,
  plan: ImportPlan,
  error: StillpointError,
  path: string,
): Promise<StillpointError> {
  const left = await site.remove(plan).catch(() => undefined);
  const remains =
    left === undefined
      ? `what was made for backup ${path} could not be removed; the same command again goes on with it`
      : left.length === 0
        ? 'nothing of it is left'
        : `of it there is still ${left.join(', ')}`;
  return new StillpointError(error.exitCode === 7 ? error.code : 'import-failed', error.message, {
    hint: [...(error.hint === undefined ? [] : [error.hint]), remains].join('; '),
    cause: error,
  });
}
