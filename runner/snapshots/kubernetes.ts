/** Snapshots as VolumeSnapshots, or one VolumeGroupSnapshot, in the database's namespace. */
import { randomUUID } from 'node:crypto';
import { ANNOTATIONS, type BackupRecord, type Cut, groupSnapshotName, LABELS, snapshotName } from '../../src/contract';
import { orAborted } from '../abort';
import { StillpointError } from '../errors';
import type { CutRequest, Finding, SnapshotStore, Volume } from '../ports';
import type { Marks } from '../snapshot-marks';
import { checkIndividually, checkTogether } from './checking';
import type { Owner, SnapshotContext } from './context';
import { cutIndividually, watchSnapshots } from './cutting';
import { DirectCuts } from './direct';
import { adoptedReady } from './direct-adopting';
import { cutDirectly, watchContents } from './direct-cutting';
import { directThere } from './direct-finding';
import { discard } from './discarding';
import { cutTogether } from './group-cutting';
import { groupsThere, memberReady } from './group-members';
import { contentName, VOLUME_SNAPSHOTS } from './objects';
import { cutReady, readContent } from './readiness';
import { knownFacts, snapshotState } from './status';

export interface KubernetesSnapshotsOptions
  extends Omit<SnapshotContext, 'unanswered' | 'created' | 'direct' | 'early'> {
  /** Whether single snapshots are cut without waiting for the snapshot controller. It takes a named class. */
  readonly direct?: boolean | undefined;
}

export class KubernetesSnapshots implements SnapshotStore {
  readonly atomic = true;
  readonly #context: SnapshotContext;

  constructor({ direct, ...context }: KubernetesSnapshotsOptions) {
    this.#context = {
      ...context,
      direct: direct === true ? new DirectCuts(context.client, namedClass(context.className), randomUUID) : undefined,
      unanswered: new Set(),
      created: new Map(),
      early: {},
    };
  }

  names(request: Pick<CutRequest, 'id' | 'database' | 'stamp' | 'volumes' | 'how'>): readonly string[] {
    const { id, database, stamp = id, volumes, how } = request;
    if (how === 'together') return [groupSnapshotName(database, stamp)];
    return volumes.map((volume) => snapshotName(database, volume.name, stamp));
  }

  check(volumes: readonly Volume[], how: CutRequest['how']): Promise<readonly Finding[]> {
    return how === 'together' ? checkTogether(this.#context, volumes) : checkIndividually(this.#context, volumes);
  }

  /** Opens the watch, and waits until it has told what is there. What a group is called is not known before. */
  async prepare(request: Pick<CutRequest, 'id' | 'database' | 'how'>, signal: AbortSignal): Promise<Disposable> {
    const context = this.#context;
    const { early } = context;
    const close = (): void => {
      early.snapshots?.[Symbol.dispose]();
      early.contents?.[Symbol.dispose]();
      delete early.snapshots;
      delete early.contents;
    };
    if (request.how !== 'together') {
      if (context.direct === undefined) early.snapshots = watchSnapshots(context, request);
      else early.contents = watchContents(context, request);
    }
    try {
      await context.direct?.snapshotClass();
      await orAborted(Promise.all([early.snapshots?.listed, early.contents?.listed]), signal);
    } catch (thrown) {
      close();
      throw thrown;
    }
    return { [Symbol.dispose]: close };
  }

  cut(request: CutRequest, signal: AbortSignal): Promise<readonly Cut[]> {
    const context = this.#context;
    if (request.how === 'together') return cutTogether(context, request, signal);
    const { direct } = context;
    if (direct === undefined) return cutIndividually(context, request, signal);
    return cutDirectly({ ...context, direct }, request, signal);
  }

  ready(cuts: readonly Cut[], signal: AbortSignal): Promise<readonly Cut[]> {
    return Promise.all(cuts.map((cut) => howReady(cut)(this.#context, cut, signal)));
  }

  async mark({ snapshot: name }: Cut, marks: Marks, signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#context;
    await client.patch(VOLUME_SNAPSHOTS, { name, namespace }, { metadata: marks }, signal);
  }

  discard(owner: Owner): Promise<readonly string[]> {
    return discard(this.#context, owner);
  }

  /** The cuts of a record that are there, and cut. Without its Job's UID on it a snapshot is not the record's. */
  async find(record: BackupRecord): Promise<readonly Cut[]> {
    const { client, clock } = this.#context;
    const { namespace, database, id } = record;
    const labels = { [LABELS.database]: database, [LABELS.backup]: id };
    const { items } = await client.list(VOLUME_SNAPSHOTS, { namespace, labels });
    const found = await Promise.all(
      items.map(async (snapshot): Promise<Cut[]> => {
        const { name, uid, annotations, creationTimestamp } = snapshot.metadata;
        const volume = record.volumes.find((each) => each.name === snapshot.metadata.labels?.[LABELS.volume]);
        if (volume === undefined || annotations?.[ANNOTATIONS.jobUid] !== record.owner.jobUid) return [];
        // The controller binds the two long after the storage has cut.
        const bound = snapshot.status?.boundVolumeSnapshotContentName ?? contentName(uid ?? '');
        const content = await readContent(this.#context, bound);
        const state = snapshotState(snapshot, content, { driver: volume.driver });
        if (state.kind !== 'cut' && state.kind !== 'ready') return [];
        const now = clock.now().toISOString();
        const recorded = record.cuts.find((cut) => cut.uid === uid);
        const { seenBy, driverKnown } = state.facts;
        const seen = { volume: volume.name, claim: volume.claim, snapshot: name, seenBy, driverKnown };
        const times = { askedAt: creationTimestamp ?? now, seenAt: now };
        return [{ ...times, ...recorded, ...seen, ...(uid === undefined ? {} : { uid }), ...knownFacts(state.facts) }];
      }),
    );
    const groups = await groupsThere(this.#context, record.cuts);
    const single = found.flat();
    const direct = await directThere(this.#context, record);
    // One that has its snapshot already is found by that.
    const without = direct.filter(({ snapshot }) => !single.some((cut) => cut.snapshot === snapshot));
    return [...single, ...groups, ...without];
  }
}

function howReady({ group, directContent }: Cut): typeof cutReady {
  if (group !== undefined) return memberReady;
  return directContent === undefined ? cutReady : adoptedReady;
}

function namedClass(name: string | undefined): string {
  if (name !== undefined) return name;
  throw new StillpointError('config-invalid', 'snapshots are to be cut directly, and no snapshot class is named', {
    hint: 'name one: what the snapshot controller would find out about the default class has to be known beforehand',
  });
}
