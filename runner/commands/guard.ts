/** The other pod of a backup's Job: undoes what outlives the session of a runner that is gone (safety rule 8). */
import type { EngineName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { type Reach, watchOver } from '../guard-watch';
import { type MemberSource, sourceOf } from '../member';
import { guardOf, isHeldFromOutside, targetOf, undoExtraMs } from '../outside';
import type { Clock, Events, GuardOrder, GuardPost, Log, Outside } from '../ports';

/** How long to wait for an order before the Job is looked at again. */
const IDLE_MS = 1_000;

export interface GuardContext {
  readonly sources: readonly MemberSource[];
  readonly post: GuardPost;
  readonly outside?: Outside | undefined;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Watches over each order of its Job's runner until that needs no guard any more, or until it is told to stop. */
export async function guard(context: GuardContext): Promise<void> {
  const { post, signal, sources, log } = context;
  const [only] = sources;
  const guarded = sources.some((source) => source.engine.guard !== undefined || isHeldFromOutside(source.config));
  if (!guarded && only !== undefined) hasNone(only.engine.name);
  try {
    while (!post.ended && !signal.aborted) {
      const { order } = post;
      if (order === undefined) await post.pause(IDLE_MS);
      else await watchOver(order, { ...context, reach: await reachAll(order, context) });
    }
    // Not as one whose work is done: the Job makes another one in its place, for what its runner may still begin.
    if (!post.ended) throw asStillpointError(signal.reason);
    log.info({}, 'the Job needs no guard any more');
  } finally {
    await post.close();
  }
}

/** What leads to each server of an order. */
async function reachAll({ held }: GuardOrder, context: GuardContext): Promise<readonly Reach[]> {
  return await Promise.all(
    held.map(async (one) => {
      const source = sourceOf(context.sources, one);
      const guard = guardOf(one, source, context) ?? hasNone(source.engine.name);
      return { held: one, guard, target: await targetOf(one, source), extraMs: undoExtraMs(one, source) };
    }),
  );
}

function hasNone(engine: EngineName): never {
  throw new StillpointError('config-invalid', `the engine ${engine} has no guard, and needs none`, {
    hint: 'synthesise the policy again with a version of the constructs that fits this runner',
  });
}
