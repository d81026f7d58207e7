/**
 * What an import will make and register, decided before anything is made. Pure. Of the file, only what a restore needs is
 * taken over; names, labels and namespaces are our own.
 */
import { createHash } from 'node:crypto';
import {
  API_VERSION,
  type BackupRecord,
  type Cut,
  DNS_LABEL_PATTERN,
  type ExportedBackup,
  type Imported,
  importContentName,
  RECORD_KIND,
  snapshotName,
} from '../../src/contract';
import { StillpointError } from '../errors';

/** One snapshot to import. */
export interface PlannedImport {
  readonly volume: string;
  readonly driver: string;
  readonly handle: string;
  readonly volumeMode: 'Filesystem' | 'Block';
  /** The VolumeSnapshot that is made, and its content. */
  readonly snapshot: string;
  readonly content: string;
  /** What is known of the cut until the storage says more. */
  readonly cut: Cut;
}

/** One import. */
export interface ImportPlan {
  /** The record to register; its cuts are filled in when they are there. */
  readonly record: BackupRecord;
  readonly snapshots: readonly PlannedImport[];
}

/** Where to, and what of the file is not taken as it is. */
export interface ImportWishes {
  readonly namespace: string;
  readonly database?: string | undefined;
  /** The runner's image that prepares restores of it. */
  readonly image?: string | undefined;
  /** The server's image that restores of it start. */
  readonly serverImage?: string | undefined;
}

/** Who imports, and when. */
export interface ImportFacts {
  readonly at: Date;
  readonly by: string | undefined;
  readonly runnerVersion: string;
  /** The key that the signature was checked with; undefined: it was not. */
  readonly verifiedBy?: string | undefined;
}

/**
 * Plans the import of an exported backup. An image is only taken from a file whose signature was checked: restores run
 * it, on the data.
 */
export function planImport(document: ExportedBackup, wishes: ImportWishes, facts: ImportFacts): ImportPlan {
  const { record: theirs, exported } = document;
  const volumes = new Set(theirs.volumes.map(({ name }) => name));
  for (const { volume } of document.snapshots) {
    if (!volumes.delete(volume)) throw unfit(`it has a snapshot of volume ${volume} too many`);
  }
  const [missing] = volumes;
  if (missing !== undefined) throw unfit(`it has no snapshot of volume ${missing}`);
  const trusted = facts.verifiedBy !== undefined;
  const { namespace, database = theirs.database } = wishes;
  const record = importedRecord(takenOver(theirs), { ...theirs, namespace, database }, facts, {
    ...defined({
      clusterUid: theirs.clusterUid,
      registry: exported.registry,
      namespace: theirs.namespace,
      database: theirs.database,
    }),
    exportedAt: exported.at,
  });
  const images = {
    runner: wishes.image ?? (trusted ? theirs.runnerImage : undefined),
    server: wishes.serverImage,
    trusted,
  };
  return planned(
    withImages(record, images),
    document.snapshots.map((snapshot) => ({
      ...snapshot,
      known: theirs.cuts.find(({ volume }) => volume === snapshot.volume),
    })),
  );
}

/**
 * Plans the import of a dump by the record that lies beside it in its store. Nobody signs that: what it names is read only
 * by a restore that was told of the store, which compares every byte.
 */
export function planCopy(theirs: BackupRecord, wishes: ImportWishes, facts: ImportFacts): ImportPlan {
  const { clusterUid, dump, store, storeName, objects = [] } = theirs;
  if (objects.length === 0) throw unfit('it names no object of a store');
  const { namespace, database = theirs.database } = wishes;
  // The images that it names are not ours to run.
  const { image: _, ...tool } = dump ?? { tool: 'unknown' };
  const { workload: __, ...rest } = takenOver(theirs);
  const content: TakenOver = {
    ...rest,
    ...defined({ store, storeName }),
    dump: tool,
    objects,
    volumes: [],
  };
  const from = defined({ clusterUid, namespace: theirs.namespace, database: theirs.database });
  const record = importedRecord(content, { ...theirs, namespace, database }, facts, from);
  return planned(record, []);
}

/** What restores run: as named, else as the file says where it is trusted. */
function withImages(
  { workload, members, ...record }: BackupRecord,
  images: { readonly runner: string | undefined; readonly server: string | undefined; readonly trusted: boolean },
): BackupRecord {
  const run = <T extends { readonly image?: string | undefined }>({ image, ...rest }: T): Omit<T, 'image'> => {
    return { ...rest, ...defined({ image: images.server ?? (images.trusted ? image : undefined) }) };
  };
  const each = members?.map((member) => ({
    ...member,
    ...(member.workload === undefined ? {} : { workload: run(member.workload) }),
  }));
  return { ...record, workload: run(workload ?? {}), ...defined({ runnerImage: images.runner, members: each }) };
}

/** How a record that is there differs from what is to be imported; undefined when it is the same. */
export function differenceFrom(there: BackupRecord, plan: ImportPlan): string | undefined {
  if (there.imported === undefined) return 'it was not imported, but taken here';
  if (there.phase !== 'succeeded') return `it is ${there.phase}`;
  const other = plan.snapshots.find(({ volume, driver, handle }) => {
    const cut = there.cuts.find((each) => each.volume === volume);
    return cut?.driver !== driver || cut.handle !== handle;
  });
  if (other !== undefined) return `its snapshot of volume ${other.volume} is another one than ${other.handle}`;
  const [object] = plan.record.objects ?? [];
  const [its] = there.objects ?? [];
  if (object?.location !== its?.location || object?.sha256 !== its?.sha256) {
    return `its dump is another one than ${object?.location ?? 'none'}`;
  }
  return there.cuts.length === plan.snapshots.length ? undefined : 'it has other volumes';
}

/** The record with what the storage has said. */
export function importedWith(plan: ImportPlan, cuts: readonly Cut[], warnings: readonly string[]): BackupRecord {
  const { record } = plan;
  return { ...record, cuts, warnings: [...(record.warnings ?? []), ...warnings] };
}

/** What an import has of a backup besides names that are our own. */
export type TakenOver = Omit<
  BackupRecord,
  'apiVersion' | 'kind' | 'id' | 'namespace' | 'database' | 'owner' | 'phase' | 'cuts' | 'imported' | 'runnerVersion'
>;

/** By a list of what is kept: a record also says what to delete, to undo and to keep, and that is not theirs to say. */
function takenOver(theirs: BackupRecord): TakenOver {
  const { engine, flavour, serverVersion, serverIdentity, clusterUid, policy, trigger, mode, layout } = theirs;
  const { times, freezeWindowMs, budgetSeconds, freezes, position, proof, volumes, artifacts, settings } = theirs;
  const { members, spreadMs } = theirs;
  return {
    ...{ engine, policy, trigger, mode, times, budgetSeconds, volumes },
    ...defined({
      flavour,
      serverVersion,
      serverIdentity,
      clusterUid,
      layout,
      freezeWindowMs,
      freezes,
      position,
      proof,
    }),
    ...defined({ artifacts, settings, members, spreadMs, warnings: theirs.warnings, workload: theirs.workload }),
  };
}

/** The record of an import under a name of our own. Throws import-invalid where that is no name. */
export function importedRecord(
  content: TakenOver,
  { namespace, database, id }: Pick<BackupRecord, 'namespace' | 'database' | 'id'>,
  { at, by, verifiedBy, runnerVersion }: ImportFacts,
  from: Imported['from'],
): BackupRecord {
  for (const [what, value] of Object.entries({ namespace, database })) {
    if (!new RegExp(DNS_LABEL_PATTERN).test(value)) throw unfit(`"${value}" is no name for a ${what}`);
  }
  return {
    ...content,
    apiVersion: API_VERSION,
    kind: RECORD_KIND,
    id,
    namespace,
    database,
    owner: { jobUid: '' },
    phase: 'succeeded',
    cuts: [],
    imported: { at: at.toISOString(), ...defined({ by, verifiedBy }), from, ownsData: false },
    runnerVersion,
  };
}

interface Known {
  readonly volume: string;
  readonly driver: string;
  readonly handle: string;
  readonly restoreSize?: string | undefined;
  readonly volumeMode?: 'Filesystem' | 'Block' | undefined;
  readonly known: Cut | undefined;
}

/** The plan of what the storage has: a snapshot for each volume. Throws import-invalid. */
export function planned(record: BackupRecord, known: readonly Known[]): ImportPlan {
  const { namespace, database, id, times } = record;
  const snapshots = known.map(({ volume, driver, handle, restoreSize, volumeMode, known: theirs }): PlannedImport => {
    if (!new RegExp(DNS_LABEL_PATTERN).test(volume)) throw unfit(`"${volume}" is no name for a volume`);
    const snapshot = snapshotName(database, volume, id);
    const { claim, cutAt, seenBy = 'readyToUse', driverKnown = false, askedAt, seenAt, readyAt } = theirs ?? {};
    const unknown = { askedAt: askedAt ?? times.started, seenAt: seenAt ?? times.started };
    return {
      ...{ volume, driver, handle, snapshot },
      volumeMode: volumeMode ?? 'Filesystem',
      content: importContentName(namespace, snapshot),
      cut: {
        ...{ volume, snapshot, driver, handle, seenBy, driverKnown, ...unknown },
        ...defined({ claim, cutAt, readyAt, restoreSize }),
      },
    };
  });
  const jobUid = ownerOf([namespace, database, id, ...snapshots.map(({ driver, handle }) => `${driver} ${handle}`)]);
  return { record: { ...record, owner: { jobUid } }, snapshots };
}

/** Says whose the objects of an import are. It comes from what is imported, so that a second run finds the first one's. */
function ownerOf(parts: readonly string[]): string {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

/** What has a value: an undefined one is no field of a record. */
export function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** import-invalid, before anything was made. */
export function unfit(why: string): StillpointError {
  return new StillpointError('import-invalid', `what is to be imported does not fit: ${why}`, {
    hint: 'nothing was made',
  });
}
