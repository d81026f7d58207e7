/** The other pod of a backup's Job: undoes what outlives the session of a runner that is gone (safety rule 8). */
import { type EngineName } from '../../src/contract';
import type { Engine, Target } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { watchOver } from '../guard-watch';
import type { Clock, Events, GuardPost, Log } from '../ports';

/** How long to wait for an order before the Job is looked at again. */
const IDLE_MS = 1_000;

export interface GuardContext {
  readonly engine: Engine;
  readonly readTarget: () => Promise<Target>;
  readonly post: GuardPost;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Watches over each order of its Job's runner until that needs no guard any more, or until it is told to stop. */
export async function guard(context: GuardContext): Promise<void> {
  const { post, signal, engine, log } = context;
  const engineGuard = engine.guard ?? hasNone(engine.name);
  try {
    while (!post.ended && !signal.aborted) {
      const { order } = post;
      if (order === undefined) await post.pause(IDLE_MS);
      else await watchOver(order, { ...context, guard: engineGuard, target: await context.readTarget() });
    }
    // Not as one whose work is done: the Job makes another one in its place, for what its runner may still begin.
    if (!post.ended) throw asStillpointError(signal.reason);
    log.info({}, 'the Job needs no guard any more');
  } finally {
    await post.close();
  }
}

function hasNone(engine: EngineName): never {
  throw new StillpointError('config-invalid', `the engine ${engine} has no guard, and needs none`, {
    hint: 'synthesise the policy again with a version of the constructs that fits this runner',
  });
}
