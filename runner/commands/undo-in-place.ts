/** Goes back from a restore in place: the kept volumes are put back, and the restored ones are kept likewise. */
import { StillpointError } from '../errors';
import { planCopy } from '../restore/in-place/plan';
import { type InPlaceResult, resultOf } from '../restore/in-place/result';
import { exchange } from './exchange';
import type { InPlaceContext } from './restore-in-place';

/** Which one to undo. */
export interface UndoInPlaceOptions {
  readonly id: string;
  readonly namespace: string;
  readonly yes: boolean;
}

/** Undoes one, or goes on with undoing it. */
export async function undoInPlace(
  context: InPlaceContext,
  { id, namespace, yes }: UndoInPlaceOptions,
): Promise<InPlaceResult> {
  const { site, copies, confirm, signal, say } = context;
  const stored = await site.find(namespace, id);
  const { operation, record } = stored;
  const name = `${operation.workload.kind} ${namespace}/${operation.workload.name}`;
  if (operation.phase === 'abandoned' || (operation.phase === 'done' && operation.direction === 'undo')) {
    throw new StillpointError('restore-exists', `restore in place ${id} of ${name} is undone already`);
  }
  const other = await site.unfinished(namespace, operation.workload.name);
  if (other !== undefined && other.operation.id !== id) {
    throw new StillpointError('restore-exists', `restore in place ${other.operation.id} of ${name} is not done`, {
      hint: 'let that one come to its end first',
    });
  }

  // The database was never touched: only the copy goes.
  if (['staging', 'checked', 'staged'].includes(operation.phase)) {
    const plan = planCopy(operation, record, record.runnerImage);
    const { removed } = await copies.undo(namespace, plan.name);
    for (const each of removed) say(`${each} removed`);
    const abandoned = await site.write(stored, { ...operation, phase: 'abandoned' });
    return resultOf(abandoned.operation, record);
  }

  const seen = await site.see(operation, signal);
  const astray = operation.volumes.find(({ claim, restored }) => seen.claims[claim]?.volume !== restored);
  if (operation.phase === 'done' && astray !== undefined) {
    throw new StillpointError(
      'in-place-unsuitable',
      `claim ${namespace}/${astray.claim} is on volume ${seen.claims[astray.claim]?.volume ?? 'none'} now, not on ${astray.restored}: another restore came after this one`,
      { hint: 'undo the newest first' },
    );
  }
  if (!yes && !(await confirm(`put back the volumes that ${name} had before restore in place ${id}?`))) {
    throw new StillpointError('restore-declined', `${name} was left as it is: nobody said yes`, {
      hint: 'answer y, or give --yes',
    });
  }
  const within = { ...context, locks: context.locksOf(namespace) };
  const done = await exchange(within, stored, { direction: 'undo' });
  return resultOf(done.operation, record);
}
