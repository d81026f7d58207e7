/** All that can be known before a copy begins. */
import type { BackupRecord, CopyConfig } from '../../src/contract';
import { folderOf, keysOf } from '../dump/keys';
import { storeFindings } from '../dump/store-findings';
import { checkRecipients } from '../pipe/age-keys';
import type { Finding, Platform } from '../ports';
import { planClaims, type RestorePlan } from '../restore/plan';
import { assertSnapshots } from '../restore/restorable';
import type { ObjectStore } from '../storage/object-store';
import { type CopyKeys, copyKeys } from './keys';
import { placed } from './places';

export interface CopyCheckContext {
  readonly config: CopyConfig;
  readonly platform: Pick<Platform, 'checkAccess'>;
  readonly openStore: () => Promise<ObjectStore>;
  readonly signal: AbortSignal;
}

/** What is going to be used, and what was found of it. */
export interface CopyChecked {
  readonly findings: readonly Finding[];
  readonly store: ObjectStore;
  readonly keys: CopyKeys;
}

/** What needs no backup: rights, keys, and the store. */
export async function checkCopy(
  { config, platform, openStore, signal }: CopyCheckContext,
  record: Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'plannedObjects'>,
): Promise<CopyChecked> {
  const { compression, recipients } = config.spec.copy;
  const access = await platform.checkAccess();
  if (recipients !== undefined) await checkRecipients(recipients);
  const left = keysOf(record);
  const keys = copyKeys(record, { compression, encrypted: recipients !== undefined }, left);
  const store = await openStore();
  return { findings: [...access, ...(await storeFindings(store, folderOf(keys.archive), left, signal))], store, keys };
}

/**
 * The claims that are made of a backup. Throws what {@link planClaims} and {@link placed} throw: its volumes have to be those of the
 * policy, or to have places there, and to be file systems.
 */
export function planCopy(source: BackupRecord, { spec }: Pick<CopyConfig, 'spec'>): RestorePlan {
  assertSnapshots(source);
  const claims = placed(source, spec.copy);
  return planClaims(source, { claims, sizes: [], namespace: source.namespace, image: NO_IMAGE });
}

/** The pods of a copy are the worker's, which has its image. */
const NO_IMAGE = 'none';

/** Whether the worker is who may read the files, as far as the backup knows whose they are. */
export function readerFindings({ workload }: BackupRecord, { spec }: Pick<CopyConfig, 'spec'>): readonly Finding[] {
  const { runAsUser } = { ...workload?.podSecurity, ...workload?.containerSecurity };
  const { runAsUser: reader } = spec.copy;
  if (typeof runAsUser !== 'number' || runAsUser === 0 || reader === 0 || runAsUser === reader) return [];
  return [
    {
      severity: 'error',
      code: 'volume-mismatch',
      subject: `user ${reader}`,
      message: `the database ran as user ${runAsUser}, and its files would be read as user ${reader}`,
      hint: `set runAsUser to ${runAsUser}`,
    },
  ];
}
