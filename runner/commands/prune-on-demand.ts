/** A prune that others ask for, by one pruner that rests when it is done. */
import type { Pruner } from '../ports';
import { pathOf } from '../removal';
import { type PruneContext, type PruneResult, planPrune, prune } from './prune';

/**
 * Prunes and rests. Whoever asked while the prune was at work asked somebody who is there already, and perhaps too late for
 * it: so it looks again when it rests, and asks for the next one where there is something to do. What could not be removed
 * waits for the hour: it would be tried for ever.
 */
export async function pruneOnDemand(
  context: PruneContext,
  pruner: Pruner,
  afterwards: (result: PruneResult) => Promise<void> = async () => undefined,
): Promise<void> {
  const result = await prune(context);
  const { left } = result;
  await afterwards(result);
  await pruner.rest();
  const going = (await planPrune(context)).filter(({ keep }) => !keep).map(({ candidate }) => pathOf(candidate));
  if (going.some((path) => !left.includes(path))) await pruner.ask();
}
