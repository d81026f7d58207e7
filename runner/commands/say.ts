/** What is said around a run, to people and to the pruner: nothing fails for want of it. */
import { asStillpointError } from '../errors';
import type { EventReason, Events, Log, Pruner } from '../ports';

/** Puts an Event on the Job. */
export async function say(
  { events, log }: { readonly events: Events; readonly log: Log },
  type: 'Normal' | 'Warning',
  reason: EventReason,
  message: string,
): Promise<void> {
  await events.emit(type, reason, message).catch((thrown: unknown) => {
    const error = asStillpointError(thrown);
    log.warn({ code: error.code }, `no Event ${reason}: ${error.message}`);
  });
}

/** Asks for a prune. What it finds to remove it would find by itself within the hour. */
export async function askPruner({
  pruner,
  log,
}: {
  readonly pruner?: Pruner | undefined;
  readonly log: Log;
}): Promise<void> {
  await pruner?.ask().catch((thrown: unknown) => {
    const { code, message } = asStillpointError(thrown);
    log.warn({ code }, `no prune was asked for: ${message}`);
  });
}
