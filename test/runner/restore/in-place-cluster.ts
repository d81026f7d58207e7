/** A model of a cluster in which the volumes of a database change places, and the journal of a restore that does it. */
import { claimFor } from '../../../runner/kube/in-place/exchange';
import { requestedSize } from '../../../runner/restore/in-place/claim-size';
import type { Action, Seen, SeenClaim, SeenVolume } from '../../../runner/restore/in-place/machine';
import { type ClaimParts, keptClaims, type Operation } from '../../../runner/restore/in-place/operation';
import { atMost } from '../../../runner/restore/quantity';

export const ID = '20261121030000';

const SIZE = '2Gi';

/** What a claim asks for, and says, that nobody has changed. */
export const PARTS: ClaimParts = {
  claimSpec: { resources: { requests: { storage: SIZE } } },
  claimLabels: {},
  claimAnnotations: {},
};

export const operation: Operation = {
  id: ID,
  namespace: 'shop',
  database: 'orders-db',
  backup: '20261121020000',
  workload: { kind: 'StatefulSet', name: 'orders-db', uid: 'u' },
  volumes: ['data', 'wal'].map((name) => ({
    name,
    claim: `${name}-orders-db-0`,
    kept: keptClaims(`${name}-orders-db-0`, ID),
    present: `pv-${name}-old`,
    restored: `pv-${name}-new`,
    reclaimPolicy: 'Delete',
    ...PARTS,
  })),
  direction: 'restore',
  phase: 'down',
  replicas: 1,
  deletesWhenScaled: true,
};

const NEW: SeenVolume = { reclaimPolicy: 'Delete', size: SIZE, claim: undefined };

/** What the API server and its controllers do, as far as the exchange sees it. */
export class Cluster {
  replicas = 1;
  deletesWhenScaled = true;
  readonly claims = new Map<string, SeenClaim>();
  readonly volumes = new Map<string, SeenVolume>();
  /** Volumes that are gone with their data. */
  readonly lost: string[] = [];
  #uid = 0;

  constructor() {
    for (const { claim, kept, present, restored = '' } of operation.volumes) {
      this.volumes.set(present, NEW);
      this.volumes.set(restored, NEW);
      this.#make(claim, present);
      this.#make(kept.restored, restored);
    }
  }

  seen(): Seen {
    return {
      replicas: this.replicas,
      deletesWhenScaled: this.deletesWhenScaled,
      holders: this.replicas > 0 ? ['orders-db-0'] : [],
      ready: this.replicas,
      claims: Object.fromEntries(this.claims),
      volumes: Object.fromEntries(this.volumes),
    };
  }

  do(action: Action): void {
    if (action.do === 'policy') this.#change(action.volume, { reclaimPolicy: action.reclaimPolicy });
    if (action.do === 'reserve') this.#change(action.volume, { claim: { name: action.claim } });
    if (action.do === 'release' && this.claims.get(action.claim)?.uid === action.uid) this.#delete(action.claim);
    if (action.do === 'claim' && !this.claims.has(action.claim)) this.#claim(action);
    if (action.do === 'scale') this.#scale(action.replicas, action.deletesWhenScaled);
  }

  /** The StatefulSet's controller makes the claims that it misses: empty, unless a volume is reserved for them. */
  controller(): void {
    for (const { claim } of operation.volumes) {
      if (this.claims.has(claim)) continue;
      const reserved = [...this.volumes].find(
        ([, volume]) => volume.claim?.name === claim && volume.claim.uid === undefined,
      );
      if (reserved === undefined) this.volumes.set(`pv-empty-${claim}`, NEW);
      this.#make(claim, reserved?.[0] ?? `pv-empty-${claim}`);
    }
  }

  /** Somebody changes a claim. */
  change(claim: string, change: Partial<ClaimParts>): void {
    const there = this.claims.get(claim);
    if (there !== undefined) this.claims.set(claim, { ...there, ...change });
  }

  /** Somebody enlarges a claim, and the storage its volume. */
  enlarge(claim: string, storage: string): void {
    this.change(claim, { claimSpec: { resources: { requests: { storage } } } });
    this.#change(this.claims.get(claim)?.volume ?? '', { size: storage });
  }

  #claim({ of, claim, volume }: Extract<Action, { readonly do: 'claim' }>): void {
    const capacity = { storage: this.volumes.get(volume)?.size ?? '' };
    const { metadata, spec } = claimFor(operation, of, claim, { metadata: { name: volume }, spec: { capacity } });
    const { labels = {}, annotations = {} } = metadata;
    this.#make(claim, volume, { claimSpec: spec, claimLabels: labels, claimAnnotations: annotations });
  }

  #scale(replicas: number, deletes: boolean): void {
    this.deletesWhenScaled = deletes;
    if (replicas < this.replicas && deletes) for (const { claim } of operation.volumes) this.#delete(claim);
    this.replicas = replicas;
  }

  /** A claim that asks for more than the volume has is not bound to it. */
  #make(claim: string, volume: string, parts: ClaimParts = PARTS): void {
    const uid = `uid-${++this.#uid}`;
    const { claim: owner, size } = this.volumes.get(volume) ?? NEW;
    const asks = requestedSize(parts.claimSpec);
    const free = owner === undefined || (owner.name === claim && owner.uid === undefined);
    const bound = free && atMost(asks, size) === asks;
    this.claims.set(claim, { uid, volume, bound, deleting: false, ...parts });
    if (bound) this.#change(volume, { claim: { name: claim, uid } });
  }

  #delete(claim: string): void {
    const volume = this.claims.get(claim)?.volume ?? '';
    this.claims.delete(claim);
    if (this.volumes.get(volume)?.reclaimPolicy !== 'Delete') return;
    this.volumes.delete(volume);
    this.lost.push(volume);
  }

  #change(volume: string, change: Partial<SeenVolume>): void {
    const there = this.volumes.get(volume);
    if (there !== undefined) this.volumes.set(volume, { ...there, ...change });
  }
}
