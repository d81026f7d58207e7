/** Asks for one group snapshot of all volumes, at one instant, and sees its cut. */
import { type Cut, groupSnapshotName } from '../../src/contract';
import { StillpointError } from '../errors';
import { isAlreadyThere, isForbidden } from '../kube/errors';
import type { KubeObject, Resource } from '../kube/resource';
import { type Watcher, watchObjects } from '../kube/watch';
import type { CutRequest } from '../ports';
import type { SnapshotContext } from './context';
import { cutLost, nameTaken, noGroupApi } from './failures';
import { apiOfGroups, commonLabels } from './group-api';
import { groupState } from './group-status';
import {
  type GroupKinds,
  groupContentName,
  type VolumeGroupSnapshot,
  type VolumeGroupSnapshotContent,
} from './objects';
import { knownFacts } from './status';

/** Answers when the group was cut. Its members are the controller's to name, later: {@link memberReady}. */
export async function cutTogether(
  context: SnapshotContext,
  request: CutRequest,
  signal: AbortSignal,
): Promise<readonly Cut[]> {
  signal.throwIfAborted();
  const kinds = await apiOfGroups(context.client);
  if (kinds === undefined) throw noGroupApi();
  const cutting = new GroupCutting(context, request, kinds);
  const stop = (): void => cutting.fail(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await cutting.run();
  } finally {
    signal.removeEventListener('abort', stop);
    cutting.end();
  }
}

class GroupCutting {
  readonly #context: SnapshotContext;
  readonly #request: CutRequest;
  readonly #kinds: GroupKinds;
  readonly #name: string;
  readonly #askedAt: string;
  readonly #observing = new AbortController();
  readonly #outcome = Promise.withResolvers<readonly Cut[]>();
  #group: VolumeGroupSnapshot | undefined;
  #content: VolumeGroupSnapshotContent | undefined;
  #problem: string | undefined;

  constructor(context: SnapshotContext, request: CutRequest, kinds: GroupKinds) {
    this.#context = context;
    this.#request = request;
    this.#kinds = kinds;
    this.#name = groupSnapshotName(request.database, request.stamp ?? request.id);
    this.#askedAt = context.clock.now().toISOString();
    this.#outcome.promise.catch(() => undefined);
  }

  run(): Promise<readonly Cut[]> {
    this.#create().then(
      (created) => this.#observe(created),
      (thrown: unknown) => this.fail(thrown),
    );
    return this.#outcome.promise;
  }

  fail(reason: unknown): void {
    if (this.#problem !== undefined) {
      this.#context.log.warn({ group: this.#name }, `the storage says: ${this.#problem}`);
      if (reason instanceof StillpointError) reason.explain(`of ${this.#name} the storage says: ${this.#problem}`);
    }
    this.#outcome.reject(reason);
  }

  end(): void {
    this.#observing.abort();
  }

  async #create(): Promise<VolumeGroupSnapshot> {
    const { client, namespace, groupClassName, unanswered } = this.#context;
    const { labels, annotations, volumes } = this.#request;
    const created = client.create(this.#kinds.snapshots, {
      metadata: { name: this.#name, namespace, labels, annotations },
      spec: {
        source: { selector: { matchLabels: commonLabels(volumes) } },
        ...(groupClassName === undefined ? {} : { volumeGroupSnapshotClassName: groupClassName }),
      },
    });
    const answered = created.then(
      () => undefined,
      () => undefined,
    );
    unanswered.add(answered);
    void answered.then(() => unanswered.delete(answered));
    try {
      return await created;
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      throw nameTaken('VolumeGroupSnapshot', namespace, this.#name);
    }
  }

  #observe(created: VolumeGroupSnapshot): void {
    this.#group = created;
    const uid = created.metadata.uid ?? '';
    const { namespace } = this.#context;
    this.#watch(this.#kinds.snapshots, this.#name, namespace, {
      seen: (group) => {
        if (group.metadata.uid !== uid) return;
        this.#group = group;
        this.#look();
      },
      gone: ({ metadata }) => {
        if (metadata.uid === uid) this.fail(cutLost(namespace, this.#name));
      },
    });
    this.#watch(this.#kinds.contents, groupContentName(uid), undefined, {
      seen: (content) => {
        this.#content = content;
        this.#look();
      },
    });
  }

  #watch<T extends KubeObject>(
    kind: Resource<T>,
    name: string,
    namespace: string | undefined,
    watcher: Watcher<T>,
  ): void {
    const { client, clock, log } = this.#context;
    const selection = { namespace, fields: { 'metadata.name': name } };
    watchObjects(client, kind, selection, watcher, { signal: this.#observing.signal, clock }).catch(
      (thrown: unknown) => {
        if (namespace !== undefined || !isForbidden(thrown)) this.fail(thrown);
        else log.debug({}, 'group contents may not be watched: the cut is seen on the group snapshot alone');
      },
    );
  }

  #look(): void {
    const group = this.#group;
    if (group === undefined) return;
    const { namespace, clock } = this.#context;
    if (group.metadata.deletionTimestamp !== undefined) {
      this.fail(cutLost(namespace, this.#name));
      return;
    }
    const state = groupState(group, this.#content, this.#request.volumes);
    this.#problem = state.kind === 'error' ? state.message : undefined;
    if (state.kind === 'wrong') {
      this.fail(
        new StillpointError('cut-failed', `group snapshot ${namespace}/${this.#name} was cut of ${state.message}`, {
          hint: 'labels of claims were changed meanwhile: run the backup again',
        }),
      );
    }
    if (state.kind !== 'cut') return;
    const seenAt = clock.now().toISOString();
    const uid = group.metadata.uid;
    this.#outcome.resolve(
      this.#request.volumes.flatMap((volume) => {
        const facts = state.facts.get(volume.name);
        if (facts === undefined) return [];
        return {
          volume: volume.name,
          claim: volume.claim,
          // The members' names are the controller's to make up: the group's stands in for them until they are there.
          snapshot: this.#name,
          group: this.#name,
          ...(uid === undefined ? {} : { uid, groupUid: uid }),
          ...knownFacts(facts),
          seenBy: facts.seenBy,
          driverKnown: facts.driverKnown,
          askedAt: this.#askedAt,
          seenAt,
        };
      }),
    );
  }
}
