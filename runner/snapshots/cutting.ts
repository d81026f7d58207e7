/** Asks for one snapshot a volume, all at once, and sees every cut. */
import { type Cut, LABELS, snapshotName } from '../../src/contract';
import { StillpointError } from '../errors';
import { isAlreadyThere } from '../kube/errors';
import type { CutRequest, Volume } from '../ports';
import { keptUntilAnswered, type SnapshotContext } from './context';
import { EarlyWatch } from './early-watch';
import { cutLost, nameTaken } from './failures';
import { VOLUME_SNAPSHOTS, type VolumeSnapshot, type VolumeSnapshotContent } from './objects';
import { type SnapshotEvents, SnapshotObserver } from './observer';
import { type CutFacts, knownFacts, snapshotState } from './status';

/** Answers when every cut was seen; rejects with the signal's reason, or when a snapshot cannot come any more. */
export async function cutIndividually(
  context: SnapshotContext,
  request: CutRequest,
  signal: AbortSignal,
): Promise<readonly Cut[]> {
  signal.throwIfAborted();
  const cutting = new Cutting(context, request);
  const stop = (): void => cutting.fail(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await cutting.run();
  } finally {
    signal.removeEventListener('abort', stop);
    cutting.end();
  }
}

/** Watches the snapshots of a backup. */
export function watchSnapshots(
  context: SnapshotContext,
  { database, id }: Pick<CutRequest, 'database' | 'id'>,
): EarlyWatch<VolumeSnapshot> {
  const labels = { [LABELS.database]: database, [LABELS.backup]: id };
  return new EarlyWatch(context, VOLUME_SNAPSHOTS, { namespace: context.namespace, labels });
}

/** One snapshot that was asked for. */
interface Asked {
  readonly volume: Volume;
  readonly name: string;
  readonly askedAt: string;
  uid?: string;
  /** By uid: an older snapshot of the same name may still be on its way out. */
  readonly seen: Map<string, VolumeSnapshot>;
  content?: VolumeSnapshotContent;
  problem?: string;
  cut?: Cut;
}

class Cutting {
  readonly #context: SnapshotContext;
  readonly #request: CutRequest;
  readonly #observing = new AbortController();
  readonly #outcome = Promise.withResolvers<readonly Cut[]>();
  readonly #asked: readonly Asked[];

  constructor(context: SnapshotContext, request: CutRequest) {
    this.#context = context;
    this.#request = request;
    const askedAt = context.clock.now().toISOString();
    this.#asked = request.volumes.map((volume) => {
      return {
        volume,
        name: snapshotName(request.database, volume.name, request.stamp ?? request.id),
        askedAt,
        seen: new Map(),
      };
    });
    this.#outcome.promise.catch(() => undefined);
  }

  run(): Promise<readonly Cut[]> {
    const events: SnapshotEvents = {
      changed: (snapshot) => this.#snapshotSeen(snapshot),
      gone: (snapshot) => this.#snapshotGone(snapshot),
      contentChanged: (content) => this.#contentSeen(content),
      failed: (error) => this.fail(error),
    };
    const observer = new SnapshotObserver(this.#context, events, this.#observing.signal);
    // The requests go first: whatever the watch misses until it is open is in its list.
    for (const asked of this.#asked) {
      this.#create(asked).then(
        (created) => {
          asked.uid = created.metadata.uid ?? '';
          this.#context.created.set(asked.name, asked.uid);
          observer.watchContentOf(created);
          this.#look(asked);
        },
        (thrown: unknown) => this.fail(thrown),
      );
    }
    // Opened before the freeze, as a rule.
    const { snapshots } = this.#context.early;
    const watch = snapshots ?? watchSnapshots(this.#context, this.#request);
    const leave = watch.listen({ seen: events.changed, gone: events.gone, failed: events.failed });
    this.#observing.signal.addEventListener('abort', () =>
      snapshots === undefined ? watch[Symbol.dispose]() : leave(),
    );
    return this.#outcome.promise;
  }

  /** What the storage has complained of is why the time ran out: it belongs in the sentence that people read. */
  fail(reason: unknown): void {
    for (const { name, problem } of this.#asked) {
      if (problem === undefined) continue;
      this.#context.log.warn({ snapshot: name }, `the storage says: ${problem}`);
      if (reason instanceof StillpointError) reason.explain(`of ${name} the storage says: ${problem}`);
    }
    this.#outcome.reject(reason);
  }

  end(): void {
    this.#observing.abort();
  }

  /** Without the signal: a request that was sent may be obeyed, so its answer is waited for even after an abort. */
  async #create(asked: Asked): Promise<VolumeSnapshot> {
    const { client, namespace, className } = this.#context;
    const { labels, annotations } = this.#request;
    const created = client.create(VOLUME_SNAPSHOTS, {
      metadata: {
        name: asked.name,
        namespace,
        labels: { ...labels, [LABELS.volume]: asked.volume.name },
        annotations,
      },
      spec: {
        source: { persistentVolumeClaimName: asked.volume.claim },
        ...(className === undefined ? {} : { volumeSnapshotClassName: className }),
      },
    });
    try {
      return await keptUntilAnswered(this.#context, created);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      throw nameTaken('VolumeSnapshot', namespace, asked.name);
    }
  }

  #snapshotSeen(snapshot: VolumeSnapshot): void {
    const asked = this.#asked.find(({ name }) => name === snapshot.metadata.name);
    if (asked === undefined || snapshot.metadata.uid === undefined) return;
    asked.seen.set(snapshot.metadata.uid, snapshot);
    this.#look(asked);
  }

  #contentSeen(content: VolumeSnapshotContent): void {
    const asked = this.#asked.find(({ uid }) => uid === content.spec.volumeSnapshotRef.uid);
    if (asked === undefined) return;
    asked.content = content;
    this.#look(asked);
  }

  #snapshotGone(snapshot: VolumeSnapshot): void {
    const { uid, name } = snapshot.metadata;
    const asked = this.#asked.find((each) => each.uid === uid);
    if (asked === undefined) return;
    this.fail(cutLost(this.#context.namespace, name));
  }

  #look(asked: Asked): void {
    const { uid, name, content, volume, cut } = asked;
    if (uid === undefined || cut !== undefined) return;
    const { namespace } = this.#context;
    const snapshot = asked.seen.get(uid) ?? { metadata: { name, namespace, uid }, spec: { source: {} } };
    if (snapshot.metadata.deletionTimestamp !== undefined) {
      this.fail(cutLost(namespace, name));
      return;
    }
    const state = snapshotState(snapshot, content, { driver: volume.driver });
    delete asked.problem;
    if (state.kind === 'error') asked.problem = state.message;
    if (state.kind !== 'cut' && state.kind !== 'ready') return;
    asked.cut = cutOf(asked, uid, state.facts, this.#context.clock.now().toISOString());
    const cuts = this.#asked.flatMap((each) => each.cut ?? []);
    if (cuts.length === this.#asked.length) this.#outcome.resolve(cuts);
  }
}

function cutOf(asked: Asked, uid: string, facts: CutFacts, seenAt: string): Cut {
  return {
    volume: asked.volume.name,
    claim: asked.volume.claim,
    snapshot: asked.name,
    uid,
    ...knownFacts(facts),
    seenBy: facts.seenBy,
    driverKnown: facts.driverKnown,
    askedAt: asked.askedAt,
    seenAt,
  };
}
