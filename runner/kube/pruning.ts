/** Removes what a record stands for, for good: this alone turns a content to `Delete` (safety rule 14). */
import { ANNOTATIONS, type BackupRecord } from '../../src/contract';
import type { Clock, Log, Remover, StoredRecord } from '../ports';
import { ownsData } from '../record';
import { apiOfGroups } from '../snapshots/group-api';
import { BEING_CREATED_ANNOTATION } from '../snapshots/objects';
import {
  type Belongings,
  belongingsOf,
  groupSnapshotKinds,
  leftoversOf,
  objectPath,
  SINGLE_KINDS,
  type SnapshotKinds,
} from './belongings';
import type { KubeClient } from './client';
import { isMissing } from './errors';
import { type ExactObject, type Patience, untilGone, untilObject } from './exact-object';
import type { KubeObject, Resource } from './resource';

/** How long the storage is waited for; what is still there then is left to the next prune. */
const PATIENCE_MS = 60_000;

export interface KubernetesRemoverOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly patienceMs?: number | undefined;
}

export class KubernetesRemover implements Remover {
  readonly #client: KubeClient;
  readonly #options: KubernetesRemoverOptions;

  constructor(client: KubeClient, options: KubernetesRemoverOptions) {
    this.#client = client;
    this.#options = options;
  }

  async remove({ record }: StoredRecord): Promise<readonly string[]> {
    if (!ownsData(record)) return await this.#removeReferences(record);
    return [...(await this.#removeGroups(record)), ...(await this.#removeKind(SINGLE_KINDS, record))];
  }

  async removeLeftovers({ record }: StoredRecord): Promise<readonly string[]> {
    // Of an imported backup only what failed can have left anything, and that is removed whole.
    if (!ownsData(record)) return [];
    const kinds = await apiOfGroups(this.#client);
    const groups = kinds === undefined ? [] : await this.#removeContents(groupSnapshotKinds(kinds), record);
    return [...groups, ...(await this.#removeContents(SINGLE_KINDS, record))];
  }

  /** Removes the objects of an imported backup; the storage keeps what it has: it is another cluster's. */
  async #removeReferences(record: BackupRecord): Promise<readonly string[]> {
    const { contents, snapshots } = await belongingsOf(this.#client, SINGLE_KINDS, record);
    // Whoever has turned them to Delete meanwhile: it is not theirs to delete.
    const deleting = contents.filter(({ spec }) => spec.deletionPolicy !== 'Retain');
    await Promise.all(
      deleting.map(({ metadata: { name } }) =>
        this.#unlessGone(() =>
          this.#client.patch(SINGLE_KINDS.contents, { name }, { spec: { deletionPolicy: 'Retain' } }),
        ),
      ),
    );
    const left = (await Promise.all(snapshots.map((each) => this.#delete(SINGLE_KINDS.snapshots, each)))).flat();
    if (left.length > 0) return left;
    return (await Promise.all(contents.map((each) => this.#deleteContent(SINGLE_KINDS, each)))).flat();
  }

  async #removeContents<C extends KubeObject>(
    kinds: SnapshotKinds<C>,
    record: BackupRecord,
  ): Promise<readonly string[]> {
    const contents = await leftoversOf(this.#client, kinds, record);
    await Promise.all(contents.map((each) => this.#untilAnswered(kinds, each)));
    await this.#letGo(kinds, { snapshots: [], contents });
    return (await Promise.all(contents.map((each) => this.#deleteContent(kinds, each)))).flat();
  }

  /** Members of a group cannot be deleted one by one: the group goes first, and takes them along. */
  async #removeGroups(record: BackupRecord): Promise<readonly string[]> {
    if (record.layout !== 'group' && !record.cuts.some(({ group }) => group !== undefined)) return [];
    const kinds = await apiOfGroups(this.#client);
    if (kinds === undefined) return [];
    await this.#letGo(SINGLE_KINDS, await belongingsOf(this.#client, SINGLE_KINDS, record));
    return this.#removeKind(groupSnapshotKinds(kinds), record);
  }

  async #removeKind<C extends KubeObject>(kinds: SnapshotKinds<C>, record: BackupRecord): Promise<readonly string[]> {
    const found = await belongingsOf(this.#client, kinds, record);
    await Promise.all(found.contents.map((each) => this.#untilAnswered(kinds, each)));
    await this.#letGo(kinds, found);
    const snapshots = await Promise.all(found.snapshots.map((each) => this.#delete(kinds.snapshots, each)));
    const left = snapshots.flat();
    // A snapshot that a volume is being made from stays until that is done, and with it its content.
    if (left.length > 0) return left;
    const contents = await Promise.all(found.contents.map((each) => this.#deleteContent(kinds, each)));
    return contents.flat();
  }

  /** While the storage is asked for a snapshot, the sidecar is deaf to its deletion. */
  async #untilAnswered<C extends KubeObject>({ contents }: SnapshotKinds<C>, content: C): Promise<void> {
    const answered = (now: C | undefined): boolean =>
      now?.metadata.annotations?.[BEING_CREATED_ANNOTATION] === undefined;
    if (answered(content)) return;
    await untilObject(this.#client, contents, exact(content), answered, this.#patience());
  }

  /**
   * From here on the storage forgets a snapshot when its content is deleted. The annotation is news to the sidecar, which
   * otherwise does not look again at a content whose deletion got stuck.
   */
  async #letGo<C extends KubeObject>({ contents: kind }: SnapshotKinds<C>, { contents }: Belongings<C>): Promise<void> {
    const { clock, log } = this.#options;
    await Promise.all(
      contents.map(async ({ metadata: { name } }) => {
        log.info({ content: name }, `${kind.kind} ${name} goes with what it holds in the storage`);
        const annotations = { [ANNOTATIONS.removalAsked]: clock.now().toISOString() };
        await this.#unlessGone(() =>
          this.#client.patch(kind, { name }, { metadata: { annotations }, spec: { deletionPolicy: 'Delete' } }),
        );
      }),
    );
  }

  /** Most contents go with their snapshots. One whose snapshot went before it has to be deleted itself. */
  async #deleteContent<C extends KubeObject>(
    { contents, beingDeleted }: SnapshotKinds<C>,
    content: C,
  ): Promise<readonly string[]> {
    const { name } = content.metadata;
    await this.#unlessGone(() =>
      this.#client.patch(contents, { name }, { metadata: { annotations: { [beingDeleted]: 'yes' } } }),
    );
    return this.#delete(contents, content);
  }

  async #delete<T extends KubeObject>(kind: Resource<T>, object: KubeObject): Promise<readonly string[]> {
    const ref = exact(object);
    await this.#client.delete(kind, ref, { uid: ref.uid });
    return (await untilGone(this.#client, kind, ref, this.#patience())) ? [] : [objectPath(kind, object)];
  }

  #patience(): Patience {
    return { clock: this.#options.clock, ms: this.#options.patienceMs ?? PATIENCE_MS };
  }

  async #unlessGone(change: () => Promise<unknown>): Promise<void> {
    try {
      await change();
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
    }
  }
}

function exact({ metadata: { name, namespace, uid = '' } }: KubeObject): ExactObject {
  return { name, namespace, uid };
}
