/** What can be wrong with a policy, found at synth: each error says what to change. */
import type { Construct } from 'constructs';
import type { BackupPolicyProps, ConnectionProps, DatabaseProps, PolicyProps } from './backup-props';
import { checkDatabaseKinds, checkPolicyKinds, checkSnapshotKinds } from './check-kinds';
import { connectionProblem } from './connection';
import {
  CRON_JOB_NAME_MAX,
  DNS_LABEL_PATTERN,
  GUARDED_CRON_JOB_NAME_MAX,
  GUARDED_JOB_NAME_MAX,
  JOB_DEFAULTS,
  JOB_NAME_MAX,
} from './contract';
import { invalid } from './invalid';
import { DEFAULT_DEADLINE_SECONDS, type PolicyNames } from './job-config';

/**
 * Checks what holds for every policy. Throws the first problem.
 *
 * @internal
 */
export function checkPolicy(construct: Construct, props: PolicyProps, names: PolicyNames): void {
  checkPolicyKinds(construct, props);
  checkNames(construct, names);
}

/**
 * Checks what holds for every policy that takes snapshots. Throws the first problem.
 *
 * @internal
 */
export function checkSnapshots(construct: Construct, props: BackupPolicyProps): void {
  checkSnapshotKinds(construct, props);
  checkTimes(construct, props);
  checkDirectCut(construct, props);
  if (props.snapshotClass === undefined && props.groupSnapshotClass === undefined) {
    throw invalid(
      construct,
      'names no snapshot class',
      "set snapshotClass: SnapshotClass.fromName('…') for one of the cluster, new SnapshotClass(…) for one of your own, SnapshotClass.fromClusterDefault() to take what the cluster has",
    );
  }
}

/**
 * Checks what holds for every database with a server. Throws the first problem.
 *
 * @internal
 */
export function checkDatabase(construct: Construct, props: DatabaseProps): void {
  checkDatabaseKinds(construct, props);
  checkVolumes(construct, props);
  checkConnection(construct, props);
}

/**
 * Checks how a server is reached. Throws what is wrong with it.
 *
 * @internal
 */
export function checkConnection(construct: Construct, props: ConnectionProps): void {
  const problem = connectionProblem(props);
  if (problem !== undefined) throw invalid(construct, ...problem);
}

function checkDirectCut(construct: Construct, { directCut, snapshotClass }: BackupPolicyProps): void {
  if (directCut !== true || snapshotClass?.snapshotClassName !== undefined) return;
  throw invalid(
    construct,
    'has a direct cut, and names no snapshot class',
    "set snapshotClass to one that has a name: SnapshotClass.fromName('…'), or a new SnapshotClass(…)",
  );
}

function checkNames(construct: Construct, { name, database }: PolicyNames): void {
  checkLabel(construct, 'name', name);
  checkLabel(construct, 'database', database);
  if (name.length > CRON_JOB_NAME_MAX) {
    throw invalid(
      construct,
      `would make a CronJob named "${name}" with ${name.length} characters, and a CronJob may have ${CRON_JOB_NAME_MAX}`,
      'set name to a shorter one; what backups are listed under is the prop database',
    );
  }
}

/**
 * Checks what the Jobs of a policy with a guard make of its name.
 *
 * @internal
 */
export function checkGuardedName(construct: Construct, name: string): void {
  if (name.length <= GUARDED_CRON_JOB_NAME_MAX) return;
  throw invalid(
    construct,
    `would make a CronJob named "${name}" with ${name.length} characters, and one whose Jobs have a guard may have ${GUARDED_CRON_JOB_NAME_MAX}`,
    'set name to a shorter one; what backups are listed under is the prop database',
  );
}

/**
 * Checks that a name is a DNS label.
 *
 * @internal
 */
export function checkLabel(construct: Construct, prop: string, value: string): void {
  if (new RegExp(DNS_LABEL_PATTERN).test(value)) return;
  throw invalid(
    construct,
    `has the ${prop} "${value}", which is no DNS label`,
    `set ${prop} to lower-case letters, digits and "-", at most 63 characters`,
  );
}

/**
 * Checks that there are volumes, each once.
 *
 * @internal
 */
export function checkVolumes(construct: Construct, { volumes }: Pick<DatabaseProps, 'volumes'>): void {
  if (volumes.length === 0) {
    throw invalid(
      construct,
      'has no volumes',
      "name them, as volumes: [BackupVolume.fromClaimName('data-orders-db-0')]",
    );
  }
  const claim = repeated(volumes.map(({ claimName }) => claimName));
  if (claim !== undefined) {
    throw invalid(
      construct,
      `has the claim "${claim}" twice`,
      'name each claim once, with the role of what lies on it',
    );
  }
  const name = repeated(volumes.map((volume) => volume.name));
  if (name !== undefined) {
    throw invalid(construct, `has two volumes named "${name}"`, 'give each a name of its own, as { name: "fast" }');
  }
}

function checkTimes(construct: Construct, { budget, deadline }: BackupPolicyProps): void {
  const budgetSeconds = budget?.toSeconds() ?? JOB_DEFAULTS.budgetSeconds;
  const deadlineSeconds = deadline?.toSeconds() ?? DEFAULT_DEADLINE_SECONDS;
  if (budgetSeconds >= deadlineSeconds) {
    throw invalid(
      construct,
      `has a budget of ${budgetSeconds} s, and ${deadlineSeconds} s for the whole backup`,
      'lower budget, or raise deadline: the storage needs time to have the snapshots ready as well',
    );
  }
}

function repeated(values: readonly (string | undefined)[]): string | undefined {
  return values.find((value, index) => value !== undefined && values.indexOf(value) !== index);
}

/**
 * Refuses a Job's name that is too long for the labels of its pods.
 *
 * @internal
 */
export function checkJobName(construct: Construct, name: string, guarded: boolean): void {
  const longest = guarded ? GUARDED_JOB_NAME_MAX : JOB_NAME_MAX;
  if (name.length <= longest) return;
  throw invalid(
    construct,
    `would make a Job named "${name}" with ${name.length} characters, and a Job${guarded ? ' with a guard' : ''} may have ${longest}`,
    'give the construct a shorter id, or the policy a shorter name',
  );
}
