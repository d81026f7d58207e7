/** What a clone will be, decided before anything is made. Pure: a record and a person's wishes in, a plan out. */
import { type BackupRecord, CLONE_NAME_MAX } from '../../src/contract';
import { StillpointError } from '../errors';
import { type ClaimWishes, planClaims, type RestorePlan } from '../restore/plan';

/** One clone. */
export interface ClonePlan {
  /** Its name, that of its restore too. */
  readonly name: string;
  /** The name under which it replaces the one before it. */
  readonly series?: string | undefined;
  /** The volumes that it is made of. */
  readonly restore: RestorePlan;
  /** Whether a server of its own runs on them. */
  readonly workload: boolean;
  /** The ConfigMap with what is run on it before it is opened. */
  readonly scripts?: string | undefined;
}

/** What a person may say of a clone. */
export interface CloneWishes extends Omit<ClaimWishes, 'claims'> {
  readonly to: string;
  readonly workload: boolean;
  readonly scripts?: string | undefined;
  /** Tells this clone apart from the one that it replaces, as `3fa91c02`; undefined: it replaces none. */
  readonly generation?: string | undefined;
}

/** Plans a clone. Throws usage-invalid, and what planClaims throws. */
export function planClone(record: BackupRecord, wishes: CloneWishes): ClonePlan {
  const { to, workload, scripts, generation, ...claims } = wishes;
  const name = generation === undefined ? to : `${to}-${generation}`;
  // A Service is called so too: its name begins with a letter.
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > CLONE_NAME_MAX) {
    const most = generation === undefined ? CLONE_NAME_MAX : CLONE_NAME_MAX - generation.length - 1;
    throw new StillpointError('usage-invalid', `"${to}" is no name for a clone`, {
      hint: `lower-case letters, digits and "-", a letter first, at most ${most} characters`,
    });
  }
  const restore = planClaims(record, { ...claims, claims: [name] });
  return { name, ...(generation === undefined ? {} : { series: to }), restore, workload, scripts };
}
