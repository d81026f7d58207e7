/**
 * Puts a backup in the database's own place. The copy is made, prepared and looked at beside the running database; only then
 * is the database scaled down, and its volumes change places with those of the copy (docs/decisions/0051-in-place-is-an-exchange.md).
 */
import { type BackupRecord, backupId } from '../../src/contract';
import type { Engine, Inspection } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { refuseOnErrors } from '../findings';
import { describePlan } from '../output/in-place';
import { recordPath } from '../output/records';
import type { Finding, RecordFilter, Registry, Uses } from '../ports';
import { isAway, type Operation, type StoredOperation, undoCommand } from '../restore/in-place/operation';
import { type InPlaceWishes, inPlaceFindings, memberFindings, newOperation, planCopy } from '../restore/in-place/plan';
import { type InPlaceResult, resultOf } from '../restore/in-place/result';
import type { Target } from '../restore/in-place/site';
import type { RestorePlan } from '../restore/plan';
import { assertRestorable, assertSnapshots, assertStartable } from '../restore/restorable';
import { type RestoreSite, SOCKET_DIRECTORY } from '../restore/site';
import { type ExchangeContext, exchange, untouched } from './exchange';

/** What a restore in place needs of the world. */
export interface InPlaceContext extends Omit<ExchangeContext, 'locks'> {
  readonly registry: Registry;
  readonly uses: Pick<Uses, 'begin'>;
  readonly locksOf: (namespace: string) => ExchangeContext['locks'];
  /** Makes the copy. */
  readonly copies: RestoreSite;
  readonly engineOf: (record: BackupRecord) => Promise<Engine>;
  /** Takes a backup of the database as it is now, by its policy; answers with its id when it has succeeded. */
  readonly saveNow: (record: BackupRecord) => Promise<string>;
  /** Rights that the account lacks. */
  readonly missingRights: (namespace: string) => Promise<readonly Finding[]>;
  /** Shows what will be done; asks the person at the terminal. Without one: no. */
  readonly show: (text: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}

export interface InPlaceOptions extends InPlaceWishes {
  readonly backup: string;
  readonly filter: RecordFilter;
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** Undefined: where the database answers, and without it when that fails. */
  readonly backupFirst: boolean | undefined;
}

/** Restores one backup in place, or goes on with a restore in place that was begun. */
export async function restoreInPlace(context: InPlaceContext, options: InPlaceOptions): Promise<InPlaceResult> {
  // 1. The record; an earlier run of this workload's that never came to its end goes first.
  const { record } = await findRecord(context.registry, options.backup, options.filter);
  const begun = await context.site.unfinished(record.namespace, record.workload?.name ?? '');
  if (begun !== undefined) return await goOn(context, options, assertSame(begun, options.backup, record));
  assertRestorable(record);
  assertSnapshots(record);
  if (record.members !== undefined) throw severalServers(record);
  assertStartable(record, await context.engineOf(record));

  // 2. Every check comes before anything is made.
  const target = await context.site.look(record, context.signal);
  const operation = newOperation(record, target, backupId(context.clock.now()));
  const plan = planCopy(operation, record, options.image);
  const findings = await checkStep(context, record, target, plan, options);

  // 3. What will be done, said and agreed to.
  context.show(describePlan({ record, target, operation, plan, findings, backupFirst: saves(options, target) }));
  if (options.dryRun) return { operation, backup: recordPath(record), dryRun: true };
  await confirmStep(context, operation, options);

  // 4. The journal, and from there on as after a crash.
  return await goOn(context, options, await context.site.begin(operation, record));
}

async function checkStep(
  { copies, engineOf, missingRights, signal }: InPlaceContext,
  record: BackupRecord,
  target: Target,
  plan: RestorePlan,
  options: InPlaceOptions,
): Promise<readonly Finding[]> {
  const engine = await engineOf(record);
  const findings = [
    ...(await missingRights(record.namespace)),
    ...(engine.restore.inPlace?.(record) ?? []),
    ...inPlaceFindings(record, target, options),
  ];
  refuseOnErrors(findings);
  return [...findings, ...(await copies.check(plan, signal))].filter(({ severity }) => severity === 'warning');
}

async function confirmStep({ confirm }: InPlaceContext, operation: Operation, { yes }: InPlaceOptions): Promise<void> {
  const { workload, namespace } = operation;
  const name = `${workload.kind} ${namespace}/${workload.name}`;
  if (yes || (await confirm(`restore ${name} in place?`))) return;
  throw new StillpointError('restore-declined', `${name} was not restored: nobody said yes`, {
    hint: 'answer y, or give --yes',
  });
}

async function goOn(context: InPlaceContext, options: InPlaceOptions, begun: StoredOperation): Promise<InPlaceResult> {
  const { site, copies, say } = context;
  const { record } = begun;
  const { id, namespace, workload } = begun.operation;
  say(`restore in place ${id} of ${workload.kind} ${namespace}/${workload.name}: ${begun.operation.phase}`);
  let stored = begun;
  let inspection: Inspection | undefined;
  if (!isAway(stored.operation)) {
    const plan = planCopy(stored.operation, record, options.image);
    try {
      if (stored.operation.phase === 'staging') {
        inspection = await copyStep(context, stored, plan);
        stored = await site.write(stored, { ...stored.operation, phase: 'checked' });
      }
      if (stored.operation.phase === 'checked') stored = await attachStep(context, stored, plan);
      // What only served the making goes: the pods of the steps before had it mounted.
      await copies.finish(plan);
      stored = await saveStep(context, stored, options);
    } catch (thrown) {
      throw untouched(stored.operation, asStillpointError(thrown));
    }
  }
  // Who was told of several members at the beginning has agreed; of those that came since nobody was asked.
  const agreed = stored.operation.replicas > 1;
  const { operation } = await exchange({ ...context, locks: context.locksOf(namespace) }, stored, {
    direction: 'restore',
    admit: (found) => refuseOnErrors(agreed ? [] : memberFindings(record, found, options)),
  });
  return { ...resultOf(operation, record), inspection };
}

/** The copy: made beside the database, which goes on; prepared, started on its own, and looked at. */
async function copyStep(
  context: InPlaceContext,
  { record, operation }: StoredOperation,
  plan: RestorePlan,
): Promise<Inspection> {
  const { registry, uses, copies, engineOf, say } = context;
  // As long as the copy is being made, neither a prune nor a deletion takes the backup away. A registry that has lost the
  // record is no reason to stop: what is needed of it is in the journal.
  const stored = await registry.get(record.namespace, record.database, record.id);
  await using use = stored && (await uses.begin(stored, `restore in place ${operation.id}`));
  const signal = use === undefined ? context.signal : AbortSignal.any([context.signal, use.lost]);
  for (const { claim, size, name } of plan.volumes)
    say(`making claim ${claim} (${size}) from volume ${name} of the backup`);
  await copies.makeVolumes(plan, signal);
  const prepared = await copies.prepare(plan, signal);
  for (const done of prepared.done) say(`prepared: ${done}`);
  say('starting a server on the copy, to look at it');
  const command = (await engineOf(record)).restore.server(record, prepared, SOCKET_DIRECTORY);
  const { inspection } = await copies.start(plan, prepared, command, signal);
  await copies.stop(plan);
  const differences = inspection.findings.filter(({ severity }) => severity === 'error');
  for (const { message } of inspection.findings) say(message);
  if (differences.length === 0) return inspection;
  throw new StillpointError(
    'restore-differs',
    `the copy is not what backup ${recordPath(record)} says: ${differences.map(({ message }) => message).join('; ')}`,
    { hint: 'do not put it in the place of the database; take another backup' },
  );
}

/** The copy is let back into the original's world. From here on no server may start on it but the original's. */
async function attachStep(
  { site, say, signal }: InPlaceContext,
  stored: StoredOperation,
  plan: RestorePlan,
): Promise<StoredOperation> {
  const attached = await site.attach(plan, signal);
  for (const done of attached.done) say(done);
  const bound = await site.boundVolumes(plan, signal);
  const volumes = stored.operation.volumes.map((volume) => ({ ...volume, restored: bound[volume.name] }));
  return await site.write(stored, { ...stored.operation, phase: 'staged', volumes });
}

/** A backup of the present state, as late as it can be. The present volume is kept with or without. */
async function saveStep(
  { site, say, saveNow, signal }: InPlaceContext,
  stored: StoredOperation,
  options: InPlaceOptions,
): Promise<StoredOperation> {
  if (stored.operation.saved !== undefined || options.backupFirst === false) return stored;
  const target = await site.look(stored.record, signal);
  if (!saves(options, target)) {
    say('no backup of the present state: no pod is ready; the present volume is kept');
    return stored;
  }
  try {
    say('taking a backup of the present state');
    const saved = await saveNow(stored.record);
    say(`backup ${saved} holds the present state: it is the latest from now on`);
    return await site.write(stored, { ...stored.operation, saved });
  } catch (thrown) {
    signal.throwIfAborted();
    if (options.backupFirst === true) throw thrown;
    const { message, code } = asStillpointError(thrown);
    say(`no backup of the present state: ${message} (${code}); the present volume is kept`);
    return stored;
  }
}

/** Whether a backup of the present state is to be tried. */
function saves({ backupFirst }: InPlaceOptions, { ready }: Target): boolean {
  return backupFirst ?? ready > 0;
}

function assertSame(begun: StoredOperation, name: string, record: BackupRecord): StoredOperation {
  const { operation } = begun;
  const { id, workload, namespace, backup, direction } = operation;
  // `latest` may be the backup by now that was taken of the present state.
  const same = backup === record.id || name.split('/').at(-1) === 'latest';
  if (same && direction === 'restore') return begun;
  const what = direction === 'undo' ? 'is being undone' : `of backup ${backup} is not done`;
  throw new StillpointError(
    'restore-exists',
    `restore in place ${id} of ${workload.kind} ${namespace}/${workload.name} ${what}`,
    {
      hint: `${undoCommand(operation)} puts back what there was${direction === 'undo' ? '' : `; the same command with ${backup} goes on with it`}`,
    },
  );
}

function severalServers(record: BackupRecord): StillpointError {
  return new StillpointError(
    'backup-not-restorable',
    `backup ${recordPath(record)} is of several servers, and is not put in place`,
    { hint: 'restore it beside the original: stillpoint restore, which makes the claims of all of them' },
  );
}
