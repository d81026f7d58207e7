/** Snapshots as VolumeSnapshots, or one VolumeGroupSnapshot, in the database's namespace. */
import { ANNOTATIONS, type BackupRecord, type Cut, groupSnapshotName, LABELS, snapshotName } from '../../src/contract';
import type { CutRequest, Finding, SnapshotStore, Volume } from '../ports';
import { checkIndividually, checkTogether } from './checking';
import type { SnapshotContext } from './context';
import { cutIndividually } from './cutting';
import { discard, type Owner } from './discarding';
import { cutTogether } from './group-cutting';
import { groupsThere, memberReady } from './group-members';
import { VOLUME_SNAPSHOTS } from './objects';
import { cutReady, readContent } from './readiness';
import { knownFacts, snapshotState } from './status';

export class KubernetesSnapshots implements SnapshotStore {
  readonly atomic = true;
  readonly #context: SnapshotContext;

  constructor(context: Omit<SnapshotContext, 'unanswered' | 'created'>) {
    this.#context = { ...context, unanswered: new Set(), created: new Map() };
  }

  names({ id, database, volumes, how }: Pick<CutRequest, 'id' | 'database' | 'volumes' | 'how'>): readonly string[] {
    if (how === 'together') return [groupSnapshotName(database, id)];
    return volumes.map((volume) => snapshotName(database, volume.name, id));
  }

  check(volumes: readonly Volume[], how: CutRequest['how']): Promise<readonly Finding[]> {
    return how === 'together' ? checkTogether(this.#context, volumes) : checkIndividually(this.#context, volumes);
  }

  cut(request: CutRequest, signal: AbortSignal): Promise<readonly Cut[]> {
    const how = request.how === 'together' ? cutTogether : cutIndividually;
    return how(this.#context, request, signal);
  }

  ready(cuts: readonly Cut[], signal: AbortSignal): Promise<readonly Cut[]> {
    return Promise.all(
      cuts.map((cut) => (cut.group === undefined ? cutReady : memberReady)(this.#context, cut, signal)),
    );
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
        const content = await readContent(this.#context, snapshot.status?.boundVolumeSnapshotContentName);
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
    return [...found.flat(), ...(await groupsThere(this.#context, record.cuts))];
  }
}
