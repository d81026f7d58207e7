/** What a store needs to cut without the snapshot controller: the class, known before the freeze, and UIDs. */
import { COMPONENTS, LABELS, MANAGED_BY } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import type { Finding, Volume } from '../ports';
import { cutContent } from './direct-contents';
import { SNAPSHOT_CLASSES, SNAPSHOT_CONTENTS, type SnapshotClass } from './objects';

export class DirectCuts {
  readonly #client: KubeClient;
  readonly #className: string;
  #class: Promise<SnapshotClass> | undefined;

  constructor(
    client: KubeClient,
    className: string,
    /** Makes up a UID that no object has. */
    readonly newUid: () => string,
  ) {
    this.#client = client;
    this.#className = className;
  }

  /** The class, read once: the checks read it before anything is frozen. Throws class-not-found. */
  snapshotClass(): Promise<SnapshotClass> {
    this.#class ??= this.#readClass();
    return this.#class;
  }

  /** What only a direct cut needs, each thing tried as far as that goes without doing it. */
  async check(volumes: readonly Volume[]): Promise<readonly Finding[]> {
    const { deletionPolicy } = await this.snapshotClass();
    return [
      ...(deletionPolicy === 'Retain' ? [] : [this.#deletes()]),
      ...(await Promise.all(volumes.map((volume) => this.#rehearse(volume)))),
    ];
  }

  #deletes(): Finding {
    const subject = `VolumeSnapshotClass ${this.#className}`;
    const message = `${subject} deletes what its snapshots hold together with them, and a direct cut always retains`;
    const hint = 'use a class with deletionPolicy Retain, as the SnapshotClass construct makes it';
    return { severity: 'error', code: 'class-deletes', subject, message, hint };
  }

  /** Rights and admission policies included; nothing is kept. */
  async #rehearse(volume: Volume): Promise<Finding> {
    const subject = `a direct cut of claim ${volume.namespace}/${volume.claim}`;
    if (volume.persistentVolume !== undefined && volume.volumeHandle === undefined) {
      const message = `the handle of claim ${volume.namespace}/${volume.claim} is not known: it is on no CSI driver, or its volume may not be read`;
      return { severity: 'error', code: 'volume-mismatch', subject, message };
    }
    if (volume.volumeHandle === undefined) return { severity: 'ok', code: 'ok', subject, message: 'has no volume yet' };
    const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: COMPONENTS.snapshot };
    const request = { volume, snapshot: 'rehearsal', uid: this.newUid(), labels, annotations: {} };
    try {
      await this.#client.rehearse(SNAPSHOT_CONTENTS, cutContent(request, await this.snapshotClass()));
      return { severity: 'ok', code: 'ok', subject, message: 'may be asked for' };
    } catch (thrown) {
      const { code, message, hint } = asStillpointError(thrown);
      return { severity: 'error', code, subject, message, hint };
    }
  }

  async #readClass(): Promise<SnapshotClass> {
    const found = await this.#client.get(SNAPSHOT_CLASSES, { name: this.#className });
    if (found !== undefined) return found;
    throw new StillpointError('class-not-found', `there is no VolumeSnapshotClass ${this.#className}`, {
      hint: 'see which there are: kubectl get volumesnapshotclasses',
    });
  }
}
