/** Restores in place, in a namespace of a cluster. */
import { type BackupRecord, restoreNames } from '../../../src/contract';
import type { PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Clock } from '../../ports';
import type { Action, Seen } from '../../restore/in-place/machine';
import type { Operation, StoredOperation } from '../../restore/in-place/operation';
import type { InPlaceSite, Target } from '../../restore/in-place/site';
import type { RestorePlan } from '../../restore/plan';
import type { KubeClient } from '../client';
import { isAlreadyThere } from '../errors';
import { CLAIMS, JOBS, type Job } from '../objects';
import { attachJob } from '../restore/pods';
import { untilPrepared } from '../restore/runs';
import { remove } from '../restore/undo';
import type { Waiting } from '../until';
import { wait } from '../wait';
import { act, see } from './exchange';
import { beginJournal, findJournal, unfinishedJournal, writeJournal } from './journal';
import { lookAtWorkload } from './workload';

/** Between two looks: what is waited for is pods that end and claims that are bound. */
const PAUSE_MS = 300;

export class KubernetesInPlaceSite implements InPlaceSite {
  readonly #client: KubeClient;
  readonly #clock: Clock;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  look(record: BackupRecord, signal: AbortSignal): Promise<Target> {
    return lookAtWorkload(this.#client, record, signal);
  }

  unfinished(namespace: string, workload: string): Promise<StoredOperation | undefined> {
    return unfinishedJournal(this.#client, namespace, workload);
  }

  find(namespace: string, id: string): Promise<StoredOperation> {
    return findJournal(this.#client, namespace, id);
  }

  begin(operation: Operation, record: BackupRecord): Promise<StoredOperation> {
    return beginJournal(this.#client, operation, record);
  }

  write(stored: StoredOperation, operation: Operation): Promise<StoredOperation> {
    return writeJournal(this.#client, stored, operation);
  }

  async boundVolumes(plan: RestorePlan, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const { namespace } = plan;
    const bound = await Promise.all(
      plan.volumes.map(async ({ name, claim }): Promise<[string, string]> => {
        const found = await this.#client.get(CLAIMS, { name: claim, namespace }, signal);
        if (found?.spec.volumeName !== undefined) return [name, found.spec.volumeName];
        throw new StillpointError('restore-failed', `claim ${namespace}/${claim} of the copy has no volume`);
      }),
    );
    return Object.fromEntries(bound);
  }

  async attach(plan: RestorePlan, signal: AbortSignal): Promise<PreparedFiles> {
    const waiting: Waiting = { client: this.#client, clock: this.#clock, signal };
    const job = await this.#attachJob(plan, waiting);
    const attached = await untilPrepared(waiting, job);
    await remove(waiting, { kind: JOBS, object: job });
    return attached;
  }

  async see(operation: Operation, signal: AbortSignal): Promise<Seen> {
    const seen = await see(this.#client, operation, signal);
    if (seen !== undefined) return seen;
    const { kind, name } = operation.workload;
    throw new StillpointError(
      'workload-not-found',
      `${kind} ${operation.namespace}/${name} is gone, or was made anew: its volumes are where they were`,
      { hint: 'apply it again with no replicas, and restore beside, with --claim' },
    );
  }

  act(operation: Operation, action: Exclude<Action, { readonly do: 'wait' }>, signal: AbortSignal): Promise<void> {
    return act({ client: this.#client, clock: this.#clock }, operation, action, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return wait(this.#clock, PAUSE_MS, signal);
  }

  /** That of an earlier run may have failed, or hang: attaching can be done again. */
  async #attachJob(plan: RestorePlan, waiting: Waiting): Promise<Job> {
    const ref = { name: restoreNames(plan.name).attach, namespace: plan.namespace };
    const earlier = await this.#client.get(JOBS, ref, waiting.signal);
    if (earlier !== undefined) await remove(waiting, { kind: JOBS, object: earlier });
    try {
      return await this.#client.create(JOBS, attachJob(plan), waiting.signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      const message = `somebody else is at work on restore ${plan.namespace}/${plan.name}`;
      throw new StillpointError('record-conflict', message, { cause: thrown });
    }
  }
}
