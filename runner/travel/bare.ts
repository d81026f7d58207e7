/**
 * What is known of snapshots that no record is of: what a person says, and which volumes an engine has. Pure. Nothing proves
 * how they were cut; whether they belong together, the files themselves say when they are restored.
 */
import { BACKUP_ID_PATTERN, type BackupRecord, type EngineName, type RecordedResource } from '../../src/contract';
import type { BareVolume } from '../engine';
import { StillpointError } from '../errors';
import { perVolume } from '../restore/plan';
import { parseQuantity } from '../restore/quantity';
import {
  defined,
  type ImportFacts,
  type ImportPlan,
  type ImportWishes,
  importedRecord,
  planned,
  type TakenOver,
  unfit,
} from './plan';

/** One snapshot of which nothing is known but what a person says. */
export interface BareSnapshot extends BareVolume {
  /** The storage's own name of it. */
  readonly handle: string;
  /** A Kubernetes quantity; as the storage says unless given. */
  readonly size?: string | undefined;
}

/** A backup of which nothing else is known. */
export interface BareHandles extends ImportWishes {
  readonly id: string;
  readonly driver: string;
  readonly database: string;
  readonly engine: EngineName;
  readonly snapshots: readonly BareSnapshot[];
  readonly resource?: RecordedResource | undefined;
}

/** What a person gives of the snapshots: handles and sizes, with the name of their volume before them or without. */
export interface BareWords {
  readonly handles: readonly string[];
  readonly sizes: readonly string[];
  /** What a single volume is called. */
  readonly volume: string;
  readonly mountPath?: string | undefined;
}

/**
 * Tells which snapshot is of which volume. `known` are the volumes of the engine, where it has several of its own: then `name=handle`
 * for each of them, or one handle alone where all lie on the first. Throws usage-invalid.
 */
export function bareSnapshots(
  words: BareWords,
  engine: EngineName,
  known: readonly BareVolume[],
): readonly BareSnapshot[] {
  const named = words.handles.flatMap((word) => namedOf(word, known));
  if (named.length === 0) return [single(words, engine, known)];
  if (named.length !== words.handles.length) {
    throw usage(
      `some of the handles ${words.handles.join(', ')} are named and some are not`,
      `write each as ${known.map(({ name }) => `${name}=<handle>`).join(' ')}`,
    );
  }
  const sizes = perVolume(
    '--size',
    words.sizes,
    known.map(({ name }) => name),
  );
  return known.map((volume) => {
    const [own, ...more] = named.filter(({ name }) => name === volume.name);
    if (own === undefined || more.length > 0) {
      throw usage(
        `volume ${volume.name} of ${engine} has ${own === undefined ? 'no handle' : `${more.length + 1} handles`}`,
        `give one of each: ${known.map(({ name }) => `${name}=<handle>`).join(' ')}; a handle alone, without a name, is of a volume that all lie on`,
      );
    }
    return { ...volume, handle: own.value, ...defined({ size: sizes.of.get(volume.name) ?? sizes.all }) };
  });
}

function single(
  { handles, sizes, volume, mountPath }: BareWords,
  engine: EngineName,
  known: readonly BareVolume[],
): BareSnapshot {
  const [handle, ...more] = handles;
  if (handle === undefined || more.length > 0) {
    throw usage(
      `${handles.length} handles are given, and a ${engine} is imported by ${known.length > 1 ? 'one, or by one for each volume' : 'one'}`,
      known.length > 1
        ? `say whose they are: ${known.map(({ name }) => `${name}=<handle>`).join(' ')}`
        : 'several volumes of one database are imported by their record: stillpoint export',
    );
  }
  const [own] = known;
  const path = mountPath ?? own?.mountPath;
  if (path === undefined) {
    throw usage('import by a handle needs --mount-path too', 'the storage does not tell what is on a snapshot');
  }
  const name = own?.name ?? volume;
  const asked = perVolume('--size', sizes, [name]);
  return { name, role: 'data', mountPath: path, handle, ...defined({ size: asked.of.get(name) ?? asked.all }) };
}

/** A handle may hold "=" itself: only the names of the engine's own volumes count. */
function namedOf(
  word: string,
  known: readonly BareVolume[],
): readonly { readonly name: string; readonly value: string }[] {
  const at = word.indexOf('=');
  const name = word.slice(0, Math.max(at, 0));
  return known.some((volume) => volume.name === name) ? [{ name, value: word.slice(at + 1) }] : [];
}

/** Plans the import of bare handles: without any proof. Throws import-invalid. */
export function planBareHandles(bare: BareHandles, facts: ImportFacts): ImportPlan {
  const { engine, driver, snapshots, image, serverImage, resource } = bare;
  for (const { size, mountPath, handle, name } of snapshots) {
    if (handle === '') throw unfit(`volume ${name} has an empty handle`);
    if (size !== undefined && (parseQuantity(size) ?? 0n) === 0n) throw unfit(`"${size}" is no size`);
    if (!mountPath.startsWith('/')) throw unfit(`"${mountPath}" is no absolute path to mount a volume at`);
  }
  const content: TakenOver = {
    engine,
    policy: 'import',
    trigger: 'manual',
    mode: 'snapshot',
    times: { started: facts.at.toISOString() },
    budgetSeconds: 1,
    volumes: snapshots.map(({ name, role, mountPath, size }) => ({
      ...{ name, role, claim: name, mountPath, driver },
      ...defined({ capacity: size }),
    })),
    warnings: [nothingKnown(snapshots)],
    ...defined({ runnerImage: image }),
    ...(serverImage === undefined ? {} : { workload: { image: serverImage } }),
  };
  const record: BackupRecord = { ...importedRecord(content, bare, facts, {}), ...defined({ resource }) };
  return planned(
    record,
    snapshots.map(({ name, handle, size }) => ({
      ...{ volume: name, driver, handle, known: undefined },
      ...defined({ restoreSize: size }),
    })),
  );
}

function nothingKnown(snapshots: readonly BareSnapshot[]): string {
  return snapshots.length === 1
    ? 'imported by its handle: nothing is known of how it was cut, and nothing proves that it is consistent'
    : `imported by the handles of ${snapshots.map(({ name }) => name).join(' and ')}: nothing is known of how they were cut, and nothing proves that they are consistent; a restore refuses them unless they are of one backup`;
}

/** The id by which a person names a backup. Throws usage-invalid. */
export function bareId(id: string | undefined, path: string | undefined): string | undefined {
  const found = id ?? path?.split('/').at(-1);
  if (found === undefined || new RegExp(BACKUP_ID_PATTERN).test(found)) return found;
  throw usage(`"${found}" is no id of a backup`, 'an id is a time of UTC as yyyyMMddHHmmss: 20261126020000');
}

function usage(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}
