/**
 * The custom resource of a copy, made anew from what the record keeps of the original's: beside it, under a name of its own, with
 * a password of its own. Pure, and the port of where it is made.
 */
import { type BackupRecord, type RecordedResource, recordName } from '../../src/contract';
import type { ResourceOfCopy } from '../engine-copy';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { RestorePlan } from './plan';

/** What is made. */
export interface PlannedResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Undefined where the record keeps no password. */
  readonly secret:
    | { readonly name: string; readonly recordedIn: string; readonly keys: ResourceOfCopy['keys'] }
    | undefined;
}

/** Where it is made. */
export interface ResourceSite {
  /** Throws restore-exists, and what making it would throw. */
  check(plan: RestorePlan, planned: PlannedResource, signal: AbortSignal): Promise<void>;
  /** What an earlier run of the same restore has made stays as it is. Answers with what there is, as `Database shop/copy`. */
  make(plan: RestorePlan, planned: PlannedResource, signal: AbortSignal): Promise<readonly string[]>;
}

/** Plans it. Throws usage-invalid where there is nothing to make it from. */
export function planResource(
  { record, namespace, volumes }: RestorePlan,
  name: string,
  resourceOf:
    | ((record: BackupRecord, copy: { secretName: string | undefined; sizes: Sizes }) => ResourceOfCopy)
    | undefined,
): PlannedResource {
  const { resource: recorded } = record;
  if (recorded === undefined || resourceOf === undefined) throw nothingKept(record);
  if (recorded.name === name && record.namespace === namespace) throw ownName(recorded);
  const sizes = Object.fromEntries(volumes.map((volume) => [volume.name, volume.size]));
  const secretName = recorded.secret === undefined ? undefined : `${name}-credentials`;
  const { apiVersion, kind, plural, spec, keys } = resourceOf(record, { secretName, sizes });
  if (recorded.kind !== kind || recorded.apiVersion !== apiVersion) throw otherKind(record, recorded);
  return {
    apiVersion,
    kind,
    plural,
    name,
    namespace,
    labels: recorded.labels ?? {},
    spec,
    // By the names of our own: a record could name the Secret of somebody else's.
    secret:
      secretName === undefined
        ? undefined
        : { name: secretName, recordedIn: recordName(record.namespace, record.database, record.id), keys },
  };
}

type Sizes = Readonly<Record<string, string | undefined>>;

function nothingKept(record: BackupRecord): StillpointError {
  return new StillpointError(
    'usage-invalid',
    `backup ${recordPath(record)} keeps no resource that --resource could make anew`,
    {
      hint: 'leave --resource out; a policy keeps one where it names it, as databaseResource of a NuoDbBackup',
    },
  );
}

function otherKind(record: BackupRecord, { kind, apiVersion }: RecordedResource): StillpointError {
  return new StillpointError(
    'backup-not-restorable',
    `backup ${recordPath(record)} says that it was made from a ${kind} (${apiVersion}), which databases of its engine are not`,
  );
}

/** Rule 12: the original stays what it is. */
function ownName({ kind, name }: RecordedResource): StillpointError {
  return new StillpointError('restore-exists', `${kind} ${name} is the one that the backup is of`, {
    hint: 'give the copy a name of its own, or a namespace: --to-namespace',
  });
}
