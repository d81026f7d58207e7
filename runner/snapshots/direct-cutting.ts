/** Asks the storage for one snapshot a volume, all at once and without the snapshot controller, and sees every cut. */
import { type Cut, LABELS, snapshotName } from '../../src/contract';
import { StillpointError } from '../errors';
import type { CutRequest, Volume } from '../ports';
import { keptUntilAnswered, type SnapshotContext } from './context';
import type { DirectCuts } from './direct';
import { cutContent } from './direct-contents';
import { EarlyWatch } from './early-watch';
import { contentLost } from './failures';
import { SNAPSHOT_CONTENTS, type SnapshotClass, type VolumeSnapshotContent } from './objects';
import { contentState, knownFacts } from './status';

/** Answers when every cut was seen; rejects with the signal's reason, or when one cannot come any more. */
export async function cutDirectly(
  context: SnapshotContext & { readonly direct: DirectCuts },
  request: CutRequest,
  signal: AbortSignal,
): Promise<readonly Cut[]> {
  signal.throwIfAborted();
  const snapshotClass = await context.direct.snapshotClass();
  signal.throwIfAborted();
  const cutting = new DirectCutting(context, request, snapshotClass);
  const stop = (): void => cutting.fail(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await cutting.run();
  } finally {
    signal.removeEventListener('abort', stop);
    cutting.end();
  }
}

/** Watches the contents of a backup. They belong to no namespace: whose they are stands in their labels. */
export function watchContents(
  context: SnapshotContext,
  { database, id }: Pick<CutRequest, 'database' | 'id'>,
): EarlyWatch<VolumeSnapshotContent> {
  const labels = { [LABELS.namespace]: context.namespace, [LABELS.database]: database, [LABELS.backup]: id };
  return new EarlyWatch(context, SNAPSHOT_CONTENTS, { labels });
}

/** One cut that was asked for. */
interface Asked {
  readonly volume: Volume;
  readonly snapshot: string;
  readonly uid: string;
  readonly askedAt: string;
  problem?: string;
  cut?: Cut;
}

class DirectCutting {
  readonly #context: SnapshotContext;
  readonly #request: CutRequest;
  readonly #class: SnapshotClass;
  readonly #observing = new AbortController();
  readonly #outcome = Promise.withResolvers<readonly Cut[]>();
  readonly #asked: readonly Asked[];

  constructor(
    context: SnapshotContext & { readonly direct: DirectCuts },
    request: CutRequest,
    snapshotClass: SnapshotClass,
  ) {
    this.#context = context;
    this.#request = request;
    this.#class = snapshotClass;
    const askedAt = context.clock.now().toISOString();
    this.#asked = request.volumes.map((volume) => {
      const snapshot = snapshotName(request.database, volume.name, request.stamp ?? request.id);
      return { volume, snapshot, uid: context.direct.newUid(), askedAt };
    });
    this.#outcome.promise.catch(() => undefined);
  }

  run(): Promise<readonly Cut[]> {
    // The requests go first: whatever the watch misses until it is open is in its list.
    for (const asked of this.#asked) {
      keptUntilAnswered(this.#context, this.#create(asked)).catch((thrown: unknown) => this.fail(thrown));
    }
    this.#watch();
    return this.#outcome.promise;
  }

  /** What the storage has complained of is why the time ran out: it belongs in the sentence that people read. */
  fail(reason: unknown): void {
    for (const { snapshot, problem } of this.#asked) {
      if (problem === undefined) continue;
      this.#context.log.warn({ snapshot }, `the storage says: ${problem}`);
      if (reason instanceof StillpointError) reason.explain(`of ${snapshot} the storage says: ${problem}`);
    }
    this.#outcome.reject(reason);
  }

  end(): void {
    this.#observing.abort();
  }

  /** Without the signal: a request that was sent may be obeyed, so its answer is waited for even after an abort. */
  async #create({ volume, snapshot, uid }: Asked): Promise<void> {
    const { labels, annotations } = this.#request;
    const content = cutContent({ volume, snapshot, uid, labels, annotations }, this.#class);
    await this.#context.client.create(SNAPSHOT_CONTENTS, content);
  }

  #watch(): void {
    // Opened before the freeze, as a rule.
    const { contents } = this.#context.early;
    const watch = contents ?? watchContents(this.#context, this.#request);
    const leave = watch.listen({
      seen: (content) => this.#seen(content),
      gone: (content) => this.#gone(content),
      failed: (error) => this.fail(error),
    });
    this.#observing.signal.addEventListener('abort', () =>
      contents === undefined ? watch[Symbol.dispose]() : leave(),
    );
  }

  #seen(content: VolumeSnapshotContent): void {
    const asked = this.#askedBy(content);
    if (asked === undefined || asked.cut !== undefined) return;
    if (content.metadata.deletionTimestamp !== undefined) {
      this.#gone(content);
      return;
    }
    const state = contentState(content);
    delete asked.problem;
    if (state.kind === 'error') asked.problem = state.message;
    if (state.kind !== 'cut' && state.kind !== 'ready') return;
    const { volume, snapshot, uid, askedAt } = asked;
    const { content: _, ...facts } = knownFacts(state.facts);
    asked.cut = {
      volume: volume.name,
      claim: volume.claim,
      snapshot,
      directContent: content.metadata.name,
      directUid: uid,
      ...facts,
      seenBy: state.facts.seenBy,
      driverKnown: state.facts.driverKnown,
      askedAt,
      seenAt: this.#context.clock.now().toISOString(),
    };
    const cuts = this.#asked.flatMap((each) => each.cut ?? []);
    if (cuts.length === this.#asked.length) this.#outcome.resolve(cuts);
  }

  #gone(content: VolumeSnapshotContent): void {
    if (this.#askedBy(content) !== undefined) this.fail(contentLost(content.metadata.name));
  }

  #askedBy({ spec }: VolumeSnapshotContent): Asked | undefined {
    return this.#asked.find(({ uid }) => uid === spec.volumeSnapshotRef.uid);
  }
}
