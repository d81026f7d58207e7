/** What stays and what goes of all backups on record, with every reason. Pure. */
import { type BackupId, backupIdTime } from './names';
import { FAILED_KEPT_DAYS, type Policy } from './policy';
import { type BackupRecord, isProtected, isVerified, lockedUntil, mayHold, UNFINISHED } from './record';
import { applyRules, type RuleSays } from './retention';

/** A backup on record, and what is known of it beside its record. */
export interface Candidate {
  readonly record: BackupRecord;
  /** Somebody has asked for its deletion. */
  readonly deletionAsked?: boolean;
  /** Its removal has begun: what it stands for may be gone in part. */
  readonly removalBegun?: boolean;
  /** Somebody else is about to remove it: nothing can be built on it any more. */
  readonly marked?: boolean;
  /** Who works with it at present, as `restore shop/orders-copy`. */
  readonly usedBy?: readonly string[];
}

/** The rules beside those of a policy's retention. */
export type OwnRule =
  // for keeping it
  | 'last-good'
  | 'last-verified'
  | 'protected'
  | 'locked'
  | 'needed'
  | 'in-use'
  | 'no-retention'
  | 'imported'
  | 'newest'
  | 'recent'
  | 'unfinished'
  | 'holds'
  | 'marked'
  // for removing it
  | 'asked'
  | 'begun'
  | 'failed'
  | 'abandoned';

/** One reason for keeping or removing a backup. */
export interface Reason {
  readonly rule: RuleSays['rule'] | OwnRule;
  readonly text: string;
}

/** What is to become of a backup. */
export interface Verdict<C extends Candidate = Candidate> {
  readonly candidate: C;
  readonly keep: boolean;
  /** Of a kept one all that keep it; of one that goes why, and what each rule has against it. */
  readonly reasons: readonly Reason[];
}

const DAY_MS = 86_400_000;

/**
 * Decides on all records, newest first. What no retention is known for is kept, and whatever a retention says, safety rule
 * 10 holds: never the last good backup of a policy, nor its last verified one, nor one that is protected, that a kept one
 * needs, or that is being used. What a store keeps locked cannot be removed, and stays good until it can.
 */
export function planRetention<C extends Candidate>(
  candidates: readonly C[],
  policies: readonly Policy[],
  now: Date,
): readonly Verdict<C>[] {
  const drafts = new Map<C, Draft>();
  for (const group of groupsOf(candidates, policyKey).values()) {
    const [first] = group;
    const policy = first && policies.find((each) => isOf(each, first.record));
    for (const [candidate, draft] of judgePolicy(group, policy, now)) drafts.set(candidate, draft);
  }
  for (const group of groupsOf(candidates, databaseKey).values()) keepNeeded(group, drafts);
  return [...drafts].sort(([one], [other]) => byAge(one, other)).map(([candidate, draft]) => verdict(candidate, draft));
}

/** Reasons for and against, as they are found. */
interface Draft {
  readonly keeping: Reason[];
  readonly removing: Reason[];
}

function verdict<C extends Candidate>(candidate: C, { keeping, removing }: Draft): Verdict<C> {
  // What is gone in part cannot be kept, and what nothing speaks against stays.
  const begun = candidate.removalBegun === true;
  const keep = !begun && (keeping.length > 0 || removing.length === 0);
  return { candidate, keep, reasons: keep ? keeping : removing };
}

function judgePolicy<C extends Candidate>(
  group: readonly C[],
  policy: Policy | undefined,
  now: Date,
): ReadonlyMap<C, Draft> {
  const newestFirst = [...group].sort(byAge);
  const drafts = new Map<C, Draft>(newestFirst.map((each) => [each, { keeping: [], removing: [] }]));
  const good = newestFirst.filter(isGood);
  const lastGood = good[0];
  const lastVerified = good.find(({ record }) => isVerified(record));
  const says = policy && applyRules(good.map(idOf), policy.spec.retention, policy.spec.timeZone);
  for (const [candidate, { keeping, removing }] of drafts) {
    const keep = (rule: Reason['rule'], text: string): void => void keeping.push({ rule, text });
    const remove = (rule: Reason['rule'], text: string): void => void removing.push({ rule, text });
    const { record, usedBy = [] } = candidate;
    if (candidate.removalBegun === true) remove('begun', 'its removal has begun');
    else if (candidate.deletionAsked === true) askedFor(record, keep, remove);
    else if (record.imported !== undefined) keep('imported', 'it was imported: it stays until somebody deletes it');
    else if (candidate.marked === true) keep('marked', 'somebody else is about to remove it');
    else if (record.phase !== 'succeeded') notGood(candidate, candidate === newestFirst[0], policy, now, keep, remove);
    else if (policy === undefined) keep('no-retention', `nothing says what is kept of policy ${record.policy}`);
    for (const { rule, keeps, text } of says?.get(record.id) ?? []) (keeps ? keep : remove)(rule, text);
    if (candidate === lastGood) keep('last-good', `the last good one of policy ${record.policy}`);
    if (candidate === lastVerified) keep('last-verified', `the last verified one of policy ${record.policy}`);
    if (isProtected(record)) keep('protected', protectionText(record));
    const locked = lockedUntil(record, now);
    if (locked !== undefined) keep('locked', `locked in its store until ${locked}`);
    for (const user of usedBy) keep('in-use', `in use by ${user}`);
    // A policy whose retention has no rule left keeps what safety rule 10 keeps, and that alone.
    if (keeping.length === 0 && removing.length === 0) remove('keepLast', 'no rule keeps it');
  }
  return drafts;
}

type Note = (rule: Reason['rule'], text: string) => void;

/** A person's will counts for more than a retention; what a runner is at work on is left alone all the same. */
function askedFor(record: BackupRecord, keep: Note, remove: Note): void {
  remove('asked', 'its deletion was asked for');
  if (UNFINISHED.includes(record.phase)) keep('unfinished', `it is ${record.phase}: its runner may be at work`);
}

/** Backups that failed, and such as never came to an end: to be looked at for a while, and no longer. */
function notGood(
  { record }: Candidate,
  newest: boolean,
  policy: Policy | undefined,
  now: Date,
  keep: Note,
  remove: Note,
): void {
  const what = record.phase === 'failed' ? 'it failed' : `it is ${record.phase}`;
  const at = record.times.finished ?? record.times.started;
  const old = now.getTime() - Date.parse(at) >= FAILED_KEPT_DAYS * DAY_MS;
  if (policy === undefined) keep('no-retention', `nothing says what is kept of policy ${record.policy}`);
  if (!old) keep('recent', `${what}, less than ${FAILED_KEPT_DAYS} days ago`);
  else remove(record.phase === 'failed' ? 'failed' : 'abandoned', `${what}, since ${at}`);
  if (newest) keep('newest', `the newest of policy ${record.policy}`);
  if (mayHold(record)) keep('holds', 'what it holds at the server may still be in force');
}

function protectionText({ retention, trigger }: BackupRecord): string {
  if (retention?.protected !== true) return `taken before a deployment (${trigger}), and not released`;
  const { by, reason } = retention;
  return `protected${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${reason}`}`;
}

/** What a kept backup needs is kept, and what that needs. */
function keepNeeded<C extends Candidate>(group: readonly C[], drafts: ReadonlyMap<C, Draft>): void {
  const byId = new Map(group.map((each) => [each.record.id, each]));
  const stays = (candidate: C): boolean => {
    const draft = drafts.get(candidate);
    return draft !== undefined && verdict(candidate, draft).keep;
  };
  // In the order of ids, so that reasons do not depend on that of the input.
  const queue = [...byId.values()].sort(byAge).filter(stays);
  for (let candidate = queue.shift(); candidate !== undefined; candidate = queue.shift()) {
    for (const id of candidate.record.needs ?? []) {
      const needed = byId.get(id);
      const draft = needed && drafts.get(needed);
      if (needed === undefined || draft === undefined) continue;
      const already = stays(needed);
      draft.keeping.push({ rule: 'needed', text: `backup ${candidate.record.id} needs it` });
      if (!already && stays(needed)) queue.push(needed);
    }
  }
}

/**
 * Good is what can be restored, and what nobody is about to remove. One that was imported counts for no policy here: what it
 * stands for may be another cluster's to delete.
 */
function isGood({ record, deletionAsked, removalBegun, marked }: Candidate): boolean {
  if (record.imported !== undefined) return false;
  return record.phase === 'succeeded' && deletionAsked !== true && removalBegun !== true && marked !== true;
}

function idOf({ record }: Candidate): BackupId {
  return record.id;
}

/** Newest first; of two databases that of the lesser name. */
function byAge(one: Candidate, other: Candidate): number {
  const age = backupIdTime(other.record.id).getTime() - backupIdTime(one.record.id).getTime();
  return age === 0 ? compare(policyKey(one), policyKey(other)) : age;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Retentions of one database's policies each count their own. */
function policyKey({ record }: Candidate): string {
  return `${record.namespace}/${record.database}/${record.policy}`;
}

function databaseKey({ record }: Candidate): string {
  return `${record.namespace}/${record.database}`;
}

function isOf({ metadata, spec }: Policy, record: BackupRecord): boolean {
  return (
    metadata.name === record.policy && metadata.namespace === record.namespace && spec.database === record.database
  );
}

function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
