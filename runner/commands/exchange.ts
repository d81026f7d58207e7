/** The exchange of volumes of a restore in place, or of its undoing: from the database going away until it is back. */
import { leaseName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Lease, Locks } from '../ports';
import { type Action, next } from '../restore/in-place/machine';
import { incoming, type Operation, outgoing, type StoredOperation, undoCommand } from '../restore/in-place/operation';
import type { InPlaceSite } from '../restore/in-place/site';

/** What the exchange needs of the world. */
export interface ExchangeContext {
  readonly site: InPlaceSite;
  /** The locks of the database's namespace: no backup begins meanwhile. */
  readonly locks: Locks;
  readonly clock: Clock;
  /** Tells a person what happens, one line at a time. */
  readonly say: (line: string) => void;
  /** Aborts when the process is told to stop, or its time is up. */
  readonly signal: AbortSignal;
}

/** Goes on until the database is back on the volumes that the operation's direction says, wherever an earlier run ended. */
export async function exchange(context: ExchangeContext, stored: StoredOperation): Promise<StoredOperation> {
  const { locks, signal } = context;
  const { id, database } = stored.operation;
  let lease: Lease | undefined;
  try {
    // The same holder for every run of it: one that was killed is not waited for, and of two at once the first stops.
    lease = await locks.acquire(leaseName(database), `in-place-${id}`);
    const within = { ...context, signal: AbortSignal.any([signal, lease.lost]) };
    return await new Exchange(within, stored).run();
  } catch (thrown) {
    throw stopped(stored.operation, asStillpointError(thrown));
  } finally {
    await lease?.release().catch(() => undefined);
  }
}

class Exchange {
  readonly #context: ExchangeContext;
  #stored: StoredOperation;
  /** Whether this run has taken the replicas away: who puts them back then is somebody else. */
  #scaledDown = false;
  #waitedFor = '';
  #downAt: string | undefined;

  constructor(context: ExchangeContext, stored: StoredOperation) {
    this.#context = context;
    this.#stored = stored;
  }

  async run(): Promise<StoredOperation> {
    const { clock } = this.#context;
    if (this.#operation.phase !== 'up') {
      await this.#write({ ...this.#operation, phase: 'down' });
      await this.#settle();
      await this.#write({ ...this.#operation, phase: 'up', downAt: this.#operation.downAt ?? this.#downAt });
    }
    await this.#settle();
    await this.#write({ ...this.#operation, phase: 'done', upAt: clock.now().toISOString() });
    return this.#stored;
  }

  get #operation(): Operation {
    return this.#stored.operation;
  }

  async #write(operation: Operation): Promise<void> {
    this.#stored = await this.#context.site.write(this.#stored, operation);
  }

  /** Looks, and does what comes next, until there is nothing left to do in this phase. */
  async #settle(): Promise<void> {
    const { site, signal } = this.#context;
    for (;;) {
      signal.throwIfAborted();
      const then = next(this.#operation, await site.see(this.#operation, signal));
      if (then.kind === 'settled') return;
      if (then.kind === 'stop') throw new StillpointError('in-place-stopped', then.why);
      for (const action of then.actions) {
        if (action.do !== 'wait') await this.#take(action);
      }
      await this.#wait(then.actions.flatMap((action) => (action.do === 'wait' ? [action.for] : [])));
    }
  }

  async #take(action: Exclude<Action, { readonly do: 'wait' }>): Promise<void> {
    const { site, signal, say, clock } = this.#context;
    this.#refuseContest(action);
    if (action.do !== 'nudge') say(inWords(this.#operation, action));
    await site.act(this.#operation, action, signal);
    if (action.do === 'scale' && action.replicas === 0) this.#downAt ??= clock.now().toISOString();
  }

  async #wait(reasons: readonly string[]): Promise<void> {
    const { site, signal, say } = this.#context;
    if (reasons.length === 0) return;
    const why = reasons.join(', ');
    if (why !== this.#waitedFor) say(`waiting for ${why}`);
    this.#waitedFor = why;
    await site.pause(signal);
  }

  /** Something else sets the replicas: to take them away again and again would be a race for the volumes. */
  #refuseContest(action: Exclude<Action, { readonly do: 'wait' }>): void {
    if (action.do !== 'scale' || action.replicas !== 0) return;
    const { workload, namespace } = this.#operation;
    if (this.#scaledDown) {
      throw new StillpointError(
        'workload-contested',
        `something else has scaled ${workload.kind} ${namespace}/${workload.name} up again while its volumes were exchanged`,
        {
          exitCode: 7,
          hint: `find out what (an autoscaler, a GitOps tool, an operator: kubectl get ${workload.kind.toLowerCase()} -n ${namespace} ${workload.name} -o yaml --show-managed-fields), and stop it`,
        },
      );
    }
    this.#scaledDown = true;
  }
}

function inWords(
  { workload, volumes }: Operation,
  action: Exclude<Action, { readonly do: 'wait' } | { readonly do: 'nudge' }>,
): string {
  if (action.do === 'policy') return `persistent volume ${action.volume}: ${action.reclaimPolicy}`;
  if (action.do === 'scale') return `scaling ${workload.kind} ${workload.name} to ${action.replicas}`;
  if (action.do === 'release') return `claim ${action.claim} lets its volume go; the volume stays`;
  if (action.do === 'reserve') return `persistent volume ${action.volume} is kept for claim ${action.claim}`;
  const own = volumes.some(({ claim }) => claim === action.claim);
  return `claim ${action.claim} ${own ? 'gets' : 'keeps'} persistent volume ${action.volume}`;
}

/** Whatever it was that stopped it in the middle: what there is now, and the two ways on. */
function stopped(operation: Operation, error: StillpointError): StillpointError {
  const { id, namespace, workload, volumes } = operation;
  const both = volumes.map((volume) => `${incoming(operation, volume)} and ${outgoing(operation, volume)}`).join(', ');
  const again = 'the same command again goes on with it';
  const back = operation.direction === 'restore' ? `; \`${undoCommand(operation)}\` puts back what there was` : '';
  return new StillpointError(
    error.exitCode === 7 || error.exitCode === 6 ? error.code : 'in-place-stopped',
    error.message,
    {
      cause: error,
      hint: [
        ...(error.hint === undefined ? [] : [error.hint]),
        `restore in place ${id} of ${workload.kind} ${namespace}/${workload.name} is not done: do not scale it by hand`,
        `no data is lost: it is on the persistent volumes ${both}`,
        `${again}${back}`,
      ].join('; '),
      ...(error.exitCode === 6 ? {} : { exitCode: 7 }),
    },
  );
}
