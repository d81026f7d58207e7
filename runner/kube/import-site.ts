/** Imports into a namespace: contents for snapshots that the storage has already, and VolumeSnapshots bound to them. */
import { LABELS } from '../../src/contract';
import { timeLimit } from '../abort';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';
import { SNAPSHOT_CLASSES, SNAPSHOT_CONTENTS, type SnapshotClass, VOLUME_SNAPSHOTS } from '../snapshots/objects';
import type { ImportPlan, PlannedImport } from '../travel/plan';
import type { ImportClass, ImportedSnapshots, ImportSite } from '../travel/site';
import { objectPath } from './belongings';
import type { KubeClient } from './client';
import { isAlreadyThere, isForbidden, isMissing } from './errors';
import { type ImportedObjects, importedCut, importedSnapshot } from './import/bound';
import { contentOf, isImport, snapshotOf } from './import/manifests';
import { chooseClass } from './import/snapshot-class';
import { NAMESPACES } from './objects';
import type { KubeObject, Resource } from './resource';
import { untilGone } from './until';

/** How long objects may take to go once they have been deleted. */
const REMOVAL_SECONDS = 60;

interface SelfReview {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

export class KubernetesImportSite implements ImportSite {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #warn: (line: string) => void;

  constructor(client: KubeClient, { clock, warn }: { readonly clock: Clock; readonly warn: (line: string) => void }) {
    this.#client = client;
    this.#clock = clock;
    this.#warn = warn;
  }

  /** From Kubernetes 1.28 on the API server answers that. */
  async whoami(): Promise<string | undefined> {
    const asked = this.#client.review<SelfReview>(
      'authentication.k8s.io',
      'selfsubjectreviews',
      'SelfSubjectReview',
      {},
    );
    const { status } = await asked.catch((thrown: unknown): SelfReview => {
      if (isMissing(thrown) || isForbidden(thrown)) return {};
      throw thrown;
    });
    return status?.userInfo?.username;
  }

  async begun(of: {
    readonly namespace: string;
    readonly database: string;
    readonly handle: string;
  }): Promise<string | undefined> {
    const { namespace, database, handle } = of;
    const labels = { [LABELS.namespace]: namespace, [LABELS.database]: database };
    const { items } = await this.#client.list(SNAPSHOT_CONTENTS, { labels });
    return items.find((each) => isImport(each) && each.spec.source.snapshotHandle === handle)?.metadata.labels?.[
      LABELS.backup
    ];
  }

  async check(plan: ImportPlan, className: string | undefined, signal: AbortSignal): Promise<ImportClass> {
    const { namespace } = plan.record;
    await this.checkNamespace(namespace, signal);
    const found = await this.#classStep(plan, className, signal);
    for (const snapshot of plan.snapshots) {
      // Lets the API server judge what is not there yet: rights, quotas, admission. Nothing is kept.
      for (const [kind, object] of manifests(plan, snapshot, found)) {
        const ref = { name: object.metadata.name, namespace: object.metadata.namespace };
        const there = await this.#client.get(kind, ref, signal);
        if (there === undefined) await this.#client.rehearse(kind, object, signal);
        else assertOwn(kind, there, plan, snapshot);
      }
    }
    return found;
  }

  async make(plan: ImportPlan, snapshotClass: ImportClass, signal: AbortSignal): Promise<ImportedSnapshots> {
    const imported = await Promise.all(
      plan.snapshots.map(async (snapshot) => {
        const made = await this.#makeBoth(plan, snapshot, snapshotClass, signal);
        const waiting = { client: this.#client, clock: this.#clock, signal };
        return importedCut(snapshot, await importedSnapshot(waiting, snapshot, made, this.#warn));
      }),
    );
    return {
      cuts: imported.map(({ cut }) => cut),
      warnings: imported.flatMap(({ warnings }) => warnings),
    };
  }

  async remove(plan: ImportPlan): Promise<readonly string[]> {
    const left = await Promise.all(
      plan.snapshots.map(async (snapshot) => [
        // The snapshot first: its content stays, and the storage keeps what that names.
        ...(await this.#removeOne(VOLUME_SNAPSHOTS, plan, snapshot)),
        ...(await this.#removeOne(SNAPSHOT_CONTENTS, plan, snapshot)),
      ]),
    );
    return left.flat();
  }

  async #makeBoth(
    plan: ImportPlan,
    planned: PlannedImport,
    snapshotClass: ImportClass,
    signal: AbortSignal,
  ): Promise<ImportedObjects> {
    const content = await this.#ensure(
      SNAPSHOT_CONTENTS,
      contentOf(plan, planned, snapshotClass),
      plan,
      planned,
      signal,
    );
    const snapshot = await this.#ensure(
      VOLUME_SNAPSHOTS,
      snapshotOf(plan, planned, snapshotClass),
      plan,
      planned,
      signal,
    );
    return { content, snapshot };
  }

  /** Makes an object, or takes the one that an earlier run of this very import has made. */
  async #ensure<T extends KubeObject>(
    kind: Resource<T>,
    object: Omit<T, 'apiVersion' | 'kind'>,
    plan: ImportPlan,
    planned: PlannedImport,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await this.#client.create(kind, object, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
    }
    const { name, namespace } = object.metadata;
    const there = await this.#client.get(kind, { name, namespace }, signal);
    if (there === undefined) return await this.#client.create(kind, object, signal);
    assertOwn(kind, there, plan, planned);
    return there;
  }

  async #removeOne<T extends KubeObject>(
    kind: Resource<T>,
    plan: ImportPlan,
    { snapshot, content }: PlannedImport,
  ): Promise<readonly string[]> {
    const name = kind.namespaced ? snapshot : content;
    const namespace = kind.namespaced ? plan.record.namespace : undefined;
    const there = await this.#client.get(kind, { name, namespace });
    if (there === undefined || !isImport(there, plan)) return [];
    using limit = timeLimit(
      this.#clock,
      REMOVAL_SECONDS * 1000,
      () => new StillpointError('delete-incomplete', `${kind.kind} ${name} is not gone after ${REMOVAL_SECONDS} s`),
    );
    const waiting = { client: this.#client, clock: this.#clock, signal: limit.signal };
    try {
      if (await this.#client.delete(kind, { name, namespace }, { uid: there.metadata.uid }, limit.signal)) {
        await untilGone(waiting, kind, there);
      }
      return [];
    } catch (thrown) {
      if (!limit.signal.aborted && !isForbidden(thrown)) throw thrown;
      return [objectPath(kind, there)];
    }
  }

  async checkNamespace(namespace: string, signal: AbortSignal): Promise<void> {
    const found = await this.#client.get(NAMESPACES, { name: namespace }, signal).catch((thrown: unknown) => {
      if (isForbidden(thrown)) return true;
      throw thrown;
    });
    if (found !== undefined) return;
    throw new StillpointError('namespace-not-found', `there is no namespace ${namespace} to import into`, {
      hint: `kubectl create namespace ${namespace}, or name another one with --namespace`,
    });
  }

  async #classStep(plan: ImportPlan, className: string | undefined, signal: AbortSignal): Promise<ImportClass> {
    const classes: readonly SnapshotClass[] =
      className === undefined
        ? (await this.#client.list(SNAPSHOT_CLASSES, {}, signal)).items
        : [await this.#client.get(SNAPSHOT_CLASSES, { name: className }, signal)].filter((each) => each !== undefined);
    const found = chooseClass(classes, plan.snapshots, className);
    return { name: found.metadata.name, parameters: found.parameters ?? {} };
  }
}

/** In the order in which they are made. */
function manifests(
  plan: ImportPlan,
  snapshot: PlannedImport,
  found: ImportClass,
): readonly (readonly [Resource<KubeObject>, Omit<KubeObject, 'apiVersion' | 'kind'>])[] {
  return [
    [SNAPSHOT_CONTENTS, contentOf(plan, snapshot, found)],
    [VOLUME_SNAPSHOTS, snapshotOf(plan, snapshot, found)],
  ];
}

/** What has the name already is taken only if an earlier run of this very import has made it. */
function assertOwn(kind: Resource<KubeObject>, there: KubeObject, plan: ImportPlan, { volume }: PlannedImport): void {
  const { name, namespace, deletionTimestamp, labels } = there.metadata;
  if (isImport(there, plan) && deletionTimestamp === undefined && labels?.[LABELS.volume] === volume) return;
  const path = namespace === undefined ? name : `${namespace}/${name}`;
  const state = isImport(there, plan) ? 'is being removed' : 'is there already, and is not overwritten';
  throw new StillpointError('import-exists', `${kind.kind} ${path} ${state}`, {
    hint: 'import it under another name of the database, with --database',
  });
}
