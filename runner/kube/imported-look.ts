/**
 * Asks the storage whether it still has what an imported backup names. Nobody tells us when the cluster that took it has deleted
 * it: our own content stays ready for ever. What is asked again is a new content for the same handle, as an import makes one; it
 * retains, and goes when the storage has answered.
 */
import { createHash } from 'node:crypto';
import { type BackupRecord, type Cut, IMPORT_CONTENT_PREFIX } from '../../src/contract';
import { timeLimit } from '../abort';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, type VolumeSnapshotContent } from '../snapshots/objects';
import { contentState } from '../snapshots/status';
import type { ImportedLook } from '../travel/site';
import type { KubeClient } from './client';
import { isAlreadyThere } from './errors';
import { COMPLAINT_MS } from './import/bound';
import { until } from './until';

/** How long the storage may take to say anything at all. */
const ANSWER_MS = 60_000;

export class KubernetesImportedLook implements ImportedLook {
  readonly #client: KubeClient;
  readonly #clock: Clock;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async missing(record: BackupRecord, signal: AbortSignal): Promise<readonly string[]> {
    const found = await Promise.all(record.cuts.map((cut) => this.#missing(record, cut, signal)));
    return found.filter((each) => each !== undefined);
  }

  async #missing(
    { namespace }: BackupRecord,
    { snapshot, uid }: Cut,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const there = await this.#client.get(VOLUME_SNAPSHOTS, { namespace, name: snapshot }, signal);
    if (there === undefined || (uid !== undefined && there.metadata.uid !== uid)) {
      return `VolumeSnapshot ${namespace}/${snapshot} is gone`;
    }
    const name = there.status?.boundVolumeSnapshotContentName ?? '';
    const content = name === '' ? undefined : await this.#client.get(SNAPSHOT_CONTENTS, { name }, signal);
    if (content === undefined) return `the content of VolumeSnapshot ${namespace}/${snapshot} is gone`;
    return await this.#ask(content, signal);
  }

  /** What the storage complains of; undefined when it has the snapshot, or its driver cannot be asked for one. */
  async #ask(content: VolumeSnapshotContent, signal: AbortSignal): Promise<string | undefined> {
    const made = await this.#make(askingContent(content), signal);
    let complaint: string | undefined;
    const enough = new AbortController();
    let timer: { cancel(): void } | undefined;
    using limit = timeLimit(this.#clock, ANSWER_MS, () => new StillpointError('import-failed', 'no answer'));
    const waiting = AbortSignal.any([signal, limit.signal, enough.signal]);
    try {
      const selection = { fields: { 'metadata.name': made.metadata.name } };
      await until(
        { client: this.#client, clock: this.#clock, signal: waiting },
        SNAPSHOT_CONTENTS,
        selection,
        (seen) => {
          const state = contentState(seen);
          if (state.kind === 'error') {
            complaint = state.message;
            timer ??= this.#clock.after(COMPLAINT_MS, () => enough.abort());
          }
          return state.kind === 'ready' || state.kind === 'cut' ? true : undefined;
        },
      );
      return undefined;
    } catch (thrown) {
      if (signal.aborted || !waiting.aborted) throw thrown;
      const { snapshotHandle } = content.spec.source;
      return `the storage says of ${snapshotHandle}: ${complaint ?? `nothing for ${ANSWER_MS / 1000} s`}`;
    } finally {
      timer?.cancel();
      const { name, uid } = made.metadata;
      await this.#client.delete(SNAPSHOT_CONTENTS, { name }, { uid });
    }
  }

  /** One that a look before has left behind asks the same. */
  async #make(asking: New, signal: AbortSignal): Promise<VolumeSnapshotContent> {
    try {
      return await this.#client.create(SNAPSHOT_CONTENTS, asking, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      const { name } = asking.metadata;
      return (await this.#client.get(SNAPSHOT_CONTENTS, { name }, signal)) ?? (await this.#make(asking, signal));
    }
  }
}

type New = Omit<VolumeSnapshotContent, 'apiVersion' | 'kind'>;

/** Of a VolumeSnapshot that there never is: so only the storage's driver looks at it. */
function askingContent({ metadata, spec }: VolumeSnapshotContent): New {
  const { labels = {}, annotations = {}, name: asksOf } = metadata;
  const { namespace = '' } = spec.volumeSnapshotRef;
  const look = `look-${createHash('sha256').update(asksOf).digest('hex').slice(0, 16)}`;
  return {
    metadata: { name: `${IMPORT_CONTENT_PREFIX}${namespace}.${look}`, labels, annotations },
    spec: { ...spec, deletionPolicy: 'Retain', volumeSnapshotRef: { namespace, name: look } },
  };
}
