/** The exchange of volumes of a restore in place, or of its undoing: from the database going away until it is back. */
import { leaseName } from '../../src/contract';
import { asStillpointError, type ErrorCode, StillpointError } from '../errors';
import type { Clock, Lease, Locks } from '../ports';
import { goingDown, startedMeanwhile, tooSmall, undoing } from '../restore/in-place/as-found';
import { type Action, next, type Seen } from '../restore/in-place/machine';
import {
  type Direction,
  incoming,
  isAway,
  type Operation,
  outgoing,
  type StoredOperation,
  undoCommand,
} from '../restore/in-place/operation';
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

/** Which way it is to go. */
export interface ExchangeOrder {
  readonly direction: Direction;
  /** Throws where the workload, as it is found when its turn comes, is not to be taken away. */
  readonly admit?: (found: Operation) => void;
}

/** Goes on until the database is back on the volumes that the direction says, wherever an earlier run ended. */
export async function exchange(
  context: ExchangeContext,
  stored: StoredOperation,
  order: ExchangeOrder,
): Promise<StoredOperation> {
  const { locks, signal } = context;
  const { id, database } = stored.operation;
  let lease: Lease | undefined;
  let begun: Exchange | undefined;
  try {
    // The same holder for every run of it: one that was killed is not waited for, and of two at once the first stops.
    lease = await locks.acquire(leaseName(database), `in-place-${id}`);
    const within = { ...context, signal: AbortSignal.any([signal, lease.lost]) };
    begun = new Exchange(within, stored, order);
    return await begun.run();
  } catch (thrown) {
    const { direction } = order;
    const operation = { ...(begun?.operation ?? stored.operation), direction };
    const error = asStillpointError(thrown);
    throw isAway(operation) ? stopped(operation, error) : untouched(operation, error);
  } finally {
    await lease?.release().catch(() => undefined);
  }
}

class Exchange {
  readonly #context: ExchangeContext;
  readonly #order: ExchangeOrder;
  #stored: StoredOperation;
  /** Whether this run has taken the replicas away: who puts them back then is somebody else. */
  #scaledDown = false;
  #waitedFor = '';
  #downAt: string | undefined;

  constructor(context: ExchangeContext, stored: StoredOperation, order: ExchangeOrder) {
    this.#context = context;
    this.#stored = stored;
    this.#order = order;
  }

  async run(): Promise<StoredOperation> {
    const { clock } = this.#context;
    const begun = await this.#look();
    if (begun.phase !== 'up') {
      await this.#write(begun);
      await this.#settle();
      await this.#write({ ...this.operation, phase: 'up', downAt: this.operation.downAt ?? this.#downAt });
    }
    this.#sayWhatIsKept(await this.#settle());
    await this.#write({ ...this.operation, phase: 'done', upAt: clock.now().toISOString() });
    return this.#stored;
  }

  get operation(): Operation {
    return this.#stored.operation;
  }

  /** Under the Lease: a backup that had stopped the workload by this policy has started it again. */
  async #look(): Promise<Operation> {
    const { site, signal, say } = this.#context;
    const { direction, admit } = this.#order;
    const seen = await site.see(this.operation, signal);
    const found = direction === 'undo' ? undoing(this.operation, seen) : goingDown(this.operation, seen);
    if (isAway(this.operation)) return found;
    admit?.(found);
    for (const line of tooSmall(found, seen)) say(line);
    return found;
  }

  async #write(operation: Operation): Promise<void> {
    this.#stored = await this.#context.site.write(this.#stored, operation);
  }

  /** Looks, and does what comes next, until there is nothing left to do in this phase. Answers with what was seen last. */
  async #settle(): Promise<Seen> {
    const { site, signal } = this.#context;
    for (;;) {
      signal.throwIfAborted();
      const seen = await site.see(this.operation, signal);
      const then = next(this.operation, seen);
      if (then.kind === 'settled') return seen;
      if (then.kind === 'stop') throw new StillpointError('in-place-stopped', then.why);
      for (const action of then.actions) {
        if (action.do !== 'wait') await this.#take(action, seen);
      }
      await this.#wait(then.actions.flatMap((action) => (action.do === 'wait' ? [action.for] : [])));
    }
  }

  async #take(action: Exclude<Action, { readonly do: 'wait' }>, seen: Seen): Promise<void> {
    const { site, signal, say, clock } = this.#context;
    const scalesDown = action.do === 'scale' && action.replicas === 0;
    if (scalesDown) {
      this.#refuseContest();
      const started = startedMeanwhile(this.operation, seen);
      if (started !== this.operation) await this.#write(started);
    }
    if (action.do !== 'nudge') say(inWords(this.operation, action));
    await site.act(this.operation, action, signal);
    if (scalesDown) this.#downAt ??= clock.now().toISOString();
  }

  /** A person may have meant it; whoever was quicker in scaling it up has not put back what was put off. */
  #sayWhatIsKept({ deletesWhenScaled }: Seen): void {
    const { workload, namespace, ...operation } = this.operation;
    if (deletesWhenScaled || !operation.deletesWhenScaled) return;
    const name = `${workload.kind} ${namespace}/${workload.name}`;
    const meanwhile = 'somebody has set that, or has scaled it up, meanwhile';
    this.#context.say(`${name} keeps its claims when it is scaled down (whenScaled: Retain): ${meanwhile}`);
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
  #refuseContest(): void {
    const { workload, namespace } = this.operation;
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

/** Before the database is touched, an error leaves it as it was. */
export function untouched(operation: Operation, error: StillpointError): StillpointError {
  const { namespace, workload } = operation;
  return ended(error, 'restore-failed', [
    `${workload.kind} ${namespace}/${workload.name} was not touched`,
    'the same command again goes on',
    ...(operation.direction === 'restore' ? [`\`${undoCommand(operation)}\` removes the copy`] : []),
  ]);
}

/** Whatever it was that stopped it in the middle: what there is now, and the two ways on. */
function stopped(operation: Operation, error: StillpointError): StillpointError {
  const { id, namespace, workload, volumes } = operation;
  const both = volumes.map((volume) => `${incoming(operation, volume)} and ${outgoing(operation, volume)}`).join(', ');
  const hints = [
    `restore in place ${id} of ${workload.kind} ${namespace}/${workload.name} is not done: do not scale it by hand`,
    `no data is lost: it is on the persistent volumes ${both}`,
    'the same command again goes on with it',
    ...(operation.direction === 'restore' ? [`\`${undoCommand(operation)}\` puts back what there was`] : []),
  ];
  return ended(error, 'in-place-stopped', hints, error.exitCode === 6 ? {} : { exitCode: 7 });
}

/** An error with what it means to the operation; one that has a code of a stopped or hindered command keeps it. */
function ended(
  error: StillpointError,
  code: ErrorCode,
  hints: readonly string[],
  exit: { readonly exitCode?: StillpointError['exitCode'] } = {},
): StillpointError {
  const kept = error.exitCode === 7 || error.exitCode === 6 ? error.code : code;
  const hint = [...(error.hint === undefined ? [] : [error.hint]), ...hints].join('; ');
  return new StillpointError(kept, error.message, { cause: error, hint, ...exit });
}
