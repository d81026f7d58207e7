/** Records through a backup's life. Pure: what happened goes in, the next record comes out. */
import {
  API_VERSION,
  type BackupRecord,
  type Failure,
  type HeldUndone,
  isSnapshot,
  JOB_DEFAULTS,
  mayHold,
  type PolicyConfig,
} from '../src/contract';
import type { Plan } from './engine';
import type { StillpointError } from './errors';
import type { FrozenOutcome } from './frozen';
import type { Run } from './ports';
import type { Preflight } from './preflight';
import { recordedMembers, sharedFacts, spreadOf, withOutcome } from './record-members';

export { mayHold, ownsData, UNFINISHED } from '../src/contract';

/** The record of a backup of which nothing is held any more. */
export function undoneRecord(record: BackupRecord, undone: HeldUndone): BackupRecord {
  return mayHold(record) ? { ...record, heldUndone: undone } : record;
}

/** The record of a backup that has been asked for and of which nothing is known yet. */
export function pendingRecord(
  config: PolicyConfig,
  run: Run,
  now: Date,
  about: {
    readonly engine: BackupRecord['engine'];
    readonly namespace: string;
    readonly runnerVersion: string;
    readonly clusterUid: string | undefined;
  },
): BackupRecord {
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    id: run.id,
    namespace: about.namespace,
    database: config.spec.database,
    engine: about.engine,
    clusterUid: about.clusterUid,
    policy: config.metadata.name,
    trigger: config.spec.trigger ?? run.trigger,
    ...(config.spec.revision === undefined ? {} : { revision: config.spec.revision }),
    mode: isSnapshot(config) ? 'snapshot' : 'dump',
    owner: run.owner,
    phase: 'pending',
    times: { started: now.toISOString() },
    budgetSeconds: (isSnapshot(config) ? config.spec.budgetSeconds : undefined) ?? JOB_DEFAULTS.budgetSeconds,
    volumes: [],
    cuts: [],
    runnerVersion: about.runnerVersion,
    runnerImage: run.image,
  };
}

/** The record just before the freeze: all that was found, and the names of all snapshots that are going to be made. */
export function freezingRecord(
  record: BackupRecord,
  found: Preflight,
  plan: Plan,
  plannedSnapshots: readonly string[],
): BackupRecord {
  const warnings = found.findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
  return {
    ...record,
    phase: 'freezing',
    ...sharedFacts(found.members),
    layout: plan.layout,
    freezes: plan.freezes,
    ...(plan.pausesBriefly === true ? { pausesBriefly: true } : {}),
    volumes: found.volumes.map(({ namespace: _, ...volume }) => volume),
    ...(found.merged === undefined ? {} : { members: recordedMembers(found.members) }),
    plannedSnapshots,
    ...(plan.held === undefined || plan.held.length === 0 ? {} : { held: plan.held }),
    warnings: [...(record.warnings ?? []), ...warnings],
  };
}

/** The record after every cut was seen and the proof was made: from here on the backup can be finished by anybody. */
export function cutRecord(
  record: BackupRecord,
  outcome: FrozenOutcome,
  { members, merged }: Pick<Preflight, 'members' | 'merged'>,
): BackupRecord {
  return {
    ...record,
    phase: 'cut',
    cuts: outcome.cuts,
    proof: outcome.proof,
    ...(merged === undefined
      ? { position: outcome.results.position, artifacts: outcome.results.artifacts }
      : { members: withOutcome(record.members ?? [], members, merged), spreadMs: spreadOf(outcome.cuts) }),
    warnings: [...(record.warnings ?? []), ...outcome.results.warnings],
    freezeWindowMs: Math.round(outcome.windowMs),
    times: {
      ...record.times,
      frozen: outcome.frozenAt.toISOString(),
      firstAsked: outcome.firstAskedAt.toISOString(),
      lastCutSeen: outcome.lastCutSeenAt.toISOString(),
      thawed: outcome.thawedAt.toISOString(),
    },
  };
}

/** The record of a backup that can be restored. */
export function succeededRecord(record: BackupRecord, cuts: BackupRecord['cuts'], now: Date): BackupRecord {
  return {
    ...record,
    phase: 'succeeded',
    cuts,
    times: { ...record.times, ready: now.toISOString(), finished: now.toISOString() },
  };
}

/** The record of a backup that is none. Its proof and cuts are kept to be read; the phase keeps it from being restored. */
export function failedRecord(record: BackupRecord, error: StillpointError, now: Date): BackupRecord {
  const failure: Failure = { code: error.code, message: error.message, hint: error.hint, at: now.toISOString() };
  const leftovers = [...new Set([...(record.leftovers ?? []), ...error.leftovers])];
  return {
    ...record,
    phase: 'failed',
    error: failure,
    times: { ...record.times, finished: now.toISOString() },
    ...(leftovers.length === 0 ? {} : { leftovers }),
  };
}

/** The record of a Job's next attempt, after what an earlier pod had begun was undone. */
export function resumedRecord(
  record: BackupRecord,
  run: Run,
  undone: { readonly leftovers: readonly string[]; readonly now: Date },
): BackupRecord {
  const { error, held, heldUndone, ...rest } = record;
  const earlier =
    error === undefined
      ? `an earlier pod (${record.owner.pod ?? 'unknown'}) ended in phase ${record.phase}; what it had begun was undone`
      : `an earlier attempt failed: ${error.code}: ${error.message}`;
  const leftovers = [...new Set([...(record.leftovers ?? []), ...undone.leftovers])];
  return {
    ...rest,
    phase: 'pending',
    owner: run.owner,
    cuts: [],
    proof: undefined,
    times: { started: undone.now.toISOString() },
    warnings: [...(record.warnings ?? []), earlier, ...undoneInWords(heldUndone)],
    // What is not undone yet stays on record until it is.
    ...(mayHold(record) ? { held } : {}),
    ...(leftovers.length === 0 ? {} : { leftovers }),
  };
}

/** What is kept of an earlier attempt's freeze: who undid it, where that was not its own runner. */
function undoneInWords(undone: HeldUndone | undefined): readonly string[] {
  if (undone === undefined || undone.by === 'runner') return [];
  const done = undone.done.length === 0 ? 'nothing was held any more' : undone.done.join('; ');
  return [`what the earlier attempt held was undone by ${BY[undone.by]}: ${done}`];
}

const BY: Readonly<Record<HeldUndone['by'], string>> = {
  runner: 'its own runner',
  guard: 'its guard',
  'later-run': 'this run',
  heal: 'stillpoint heal',
};
