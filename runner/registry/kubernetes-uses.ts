/**
 * Marks of use on records in a cluster. A mark is a change of the record itself: of a prune that removes it and a restore that
 * marks it, one is refused by the compare-and-swap of the other. A mark is renewed as a Lease is, and counts as given up when it
 * has stayed the same for its duration as seen on our own clock.
 */
import { randomUUID } from 'node:crypto';
import { recordName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { isConflict, isForbidden, isMissing } from '../kube/errors';
import { CONFIG_MAPS, type ConfigMap } from '../kube/objects';
import { wait } from '../kube/wait';
import { recordPath } from '../output/records';
import type { Clock, Log, StoredRecord, Use, UseMark, Uses } from '../ports';
import { isWrittenAsDeleting, recordIn } from './record-object';
import { USE_SECONDS, unchanged, useKey, usesOf, useValue } from './use-marks';

/** How often whoever writes beside us may be quicker. */
const TRIES = 10;
const LOOK_MS = 2_000;

export interface KubernetesUsesOptions {
  /** The registry's. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly seconds?: number;
}

export class KubernetesUses implements Uses {
  readonly #client: KubeClient;
  readonly #options: KubernetesUsesOptions;

  constructor(client: KubeClient, options: KubernetesUsesOptions) {
    this.#client = client;
    this.#options = options;
  }

  async begin(stored: StoredRecord, what: string): Promise<Use> {
    const ref = this.#refOf(stored);
    const token = randomUUID();
    try {
      return new HeldUse(this.#client, await this.#mark(ref, token, what), { ...this.#options, token, what });
    } catch (thrown) {
      if (!isForbidden(thrown)) throw thrown;
      // At three in the morning a right that is missing is no reason not to restore.
      this.#options.log.warn(
        { code: asStillpointError(thrown).code },
        `backup ${recordPath(stored.record)} cannot be marked as in use: a prune or a deletion at this time may remove it`,
      );
      return {
        record: stored.record,
        lost: new AbortController().signal,
        [Symbol.asyncDispose]: async () => undefined,
      };
    }
  }

  async stale(stored: StoredRecord): Promise<readonly UseMark[]> {
    const { clock, log } = this.#options;
    let left = stored.uses ?? [];
    const end = clock.monotonic() + this.#seconds * 1000;
    if (left.length > 0) {
      const who = left.map(({ what }) => what).join(', ');
      log.info({ backup: recordPath(stored.record) }, `in use by ${who}: looking whether that is still at work`);
    }
    while (left.length > 0 && clock.monotonic() < end) {
      await wait(clock, Math.max(0, Math.min(LOOK_MS, end - clock.monotonic())));
      const now = await this.#client.get(CONFIG_MAPS, this.#refOf(stored));
      left = now === undefined ? [] : unchanged(left, usesOf(now));
    }
    return left;
  }

  /** From a version that was read as good: whoever removes it meanwhile changes that, and so does a mark. */
  async #mark(ref: Ref, token: string, what: string): Promise<ConfigMap> {
    for (let tries = 0; tries < TRIES; tries++) {
      const now = await this.#client.get(CONFIG_MAPS, ref);
      const record = now && recordIn(now);
      if (now === undefined || record?.phase !== 'succeeded') {
        const is = record === undefined ? 'is gone' : `is ${record.phase}`;
        throw new StillpointError('backup-not-restorable', `backup ${ref.name} cannot be used: it ${is}`, {
          hint: '`stillpoint list` shows the backups that succeeded',
        });
      }
      const { resourceVersion } = now.metadata;
      const annotations = { [useKey(token)]: useValue(what, this.#options.clock.now()) };
      try {
        return await this.#client.patch(CONFIG_MAPS, ref, { metadata: { resourceVersion, annotations } });
      } catch (thrown) {
        if (!isConflict(thrown) && !isMissing(thrown)) throw thrown;
      }
    }
    throw new StillpointError('record-conflict', `record ${ref.name} was changed by others again and again`);
  }

  get #seconds(): number {
    return this.#options.seconds ?? USE_SECONDS;
  }

  #refOf({ record: { namespace, database, id } }: StoredRecord): Ref {
    return { namespace: this.#options.namespace, name: recordName(namespace, database, id) };
  }
}

interface Named {
  readonly token: string;
  readonly what: string;
}

interface Ref {
  readonly namespace: string;
  readonly name: string;
}

/** Renews its mark in the background until it is disposed of, or the backup is being removed all the same. */
class HeldUse implements Use {
  readonly record: Use['record'];
  readonly #client: KubeClient;
  readonly #options: KubernetesUsesOptions & Named;
  readonly #ref: Ref & { readonly uid: string };
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #renewing: Promise<void>;

  constructor(client: KubeClient, object: ConfigMap, options: KubernetesUsesOptions & Named) {
    const { name, namespace = '', uid = '' } = object.metadata;
    this.record = recordIn(object);
    this.#client = client;
    this.#options = options;
    this.#ref = { name, namespace, uid };
    this.#renewing = this.#renewUntilEnded();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#renewing;
    await this.#write(null).catch((thrown: unknown) => {
      this.#options.log.debug({ error: asStillpointError(thrown).message }, 'the mark of use ends by itself');
    });
  }

  async #renewUntilEnded(): Promise<void> {
    const { clock, log, seconds = USE_SECONDS, what } = this.#options;
    while (!this.#ended.signal.aborted) {
      try {
        await wait(clock, (seconds * 1000) / 3, this.#ended.signal);
      } catch {
        return;
      }
      try {
        const now = await this.#write(useValue(what, clock.now()));
        // A deletion that was asked for waits for us; a removal that has begun does not.
        if (isWrittenAsDeleting(now, recordIn(now))) return this.#lose('it is deleting');
      } catch (thrown) {
        if (isMissing(thrown) || isConflict(thrown)) return this.#lose('it is gone');
        // Nobody takes a mark away from outside: whoever got no answer tries again.
        log.warn({ error: asStillpointError(thrown).message }, `the mark of ${what} was not renewed`);
      }
    }
  }

  #lose(why: string): void {
    const { what } = this.#options;
    this.#lost.abort(
      new StillpointError(
        'backup-not-restorable',
        `backup ${recordPath(this.record)} was removed under ${what}: ${why}`,
        {
          hint: 'what was made of it so far may not be whole: begin again with another backup',
        },
      ),
    );
  }

  async #write(value: string | null): Promise<ConfigMap> {
    const { uid, ...ref } = this.#ref;
    const annotations = { [useKey(this.#options.token)]: value };
    return await this.#client.patch(CONFIG_MAPS, ref, { metadata: { uid, annotations } });
  }
}
