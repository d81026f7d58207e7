/**
 * What is to be done next, by what there is now. Pure: nothing is remembered between two calls, so it does not matter
 * where the one before was killed.
 */
import { type ClaimParts, type ExchangedVolume, incoming, keptNames, type Operation, outgoing } from './operation';

/** A claim, as it is now. */
export interface SeenClaim extends ClaimParts {
  readonly uid: string;
  /** The volume that it is bound to, or asks for. */
  readonly volume: string | undefined;
  readonly bound: boolean;
  readonly deleting: boolean;
}

/** A PersistentVolume, as it is now. */
export interface SeenVolume {
  readonly reclaimPolicy: string;
  /** A Kubernetes quantity. */
  readonly size: string | undefined;
  /**
   * The claim that it belongs to, or is reserved for (without a uid); undefined when anybody may have it. In another
   * namespace: `namespace/name`.
   */
  readonly claim: { readonly name: string; readonly uid?: string | undefined } | undefined;
}

/** All that decides on the next step. */
export interface Seen {
  readonly replicas: number;
  readonly deletesWhenScaled: boolean;
  /** Pods that hold one of the claims. */
  readonly holders: readonly string[];
  /** How many of the workload's pods are ready, and of which it is not known yet. */
  readonly ready: number;
  /** By their names; a missing one is not there. */
  readonly claims: Readonly<Record<string, SeenClaim | undefined>>;
  readonly volumes: Readonly<Record<string, SeenVolume | undefined>>;
}

/** One thing to do. Each is safe to be done again. */
export type Action =
  | { readonly do: 'policy'; readonly volume: string; readonly reclaimPolicy: string }
  | { readonly do: 'scale'; readonly replicas: number; readonly deletesWhenScaled: boolean }
  /** Takes the claim away; its volume stays. */
  | { readonly do: 'release'; readonly claim: string; readonly uid: string }
  /** Keeps a volume for the claim of a name, whoever makes that. */
  | { readonly do: 'reserve'; readonly volume: string; readonly claim: string }
  | { readonly do: 'claim'; readonly of: ExchangedVolume; readonly claim: string; readonly volume: string }
  /**
   * Changes something on a claim that is not bound yet. The volume controller looks at a claim again only then, or after
   * 15 s: when it was quicker than its own cache of the volume, the database would be away for so much longer.
   */
  | { readonly do: 'nudge'; readonly claim: string }
  | { readonly do: 'wait'; readonly for: string };

/** What to do now; `settled` when the phase is over; `stop` when nobody but a person can go on. */
export type Next =
  | { readonly kind: 'act'; readonly actions: readonly Action[] }
  | { readonly kind: 'settled' }
  | { readonly kind: 'stop'; readonly why: string };

const RETAIN = 'Retain';

/** What to do in the phases in which the database is away. */
export function next(operation: Operation, seen: Seen): Next {
  const lost = lostVolume(operation, seen) ?? givenAway(operation, seen);
  if (lost !== undefined) return { kind: 'stop', why: lost };
  return operation.phase === 'up' ? comingUp(operation, seen) : exchanging(operation, seen);
}

function exchanging(operation: Operation, seen: Seen): Next {
  // Before anything else: from now on no volume goes with its claim.
  const unsafe = volumesOf(operation).filter((name) => seen.volumes[name]?.reclaimPolicy !== RETAIN);
  if (unsafe.length > 0) return act(unsafe.map((volume) => ({ do: 'policy', volume, reclaimPolicy: RETAIN })));
  const strange = operation.volumes.map((volume) => stranger(operation, volume, seen)).find((why) => why !== undefined);
  if (strange !== undefined) return { kind: 'stop', why: strange };
  // What can be done while the database is still there.
  const early = stepOf([free, reserve], operation, seen);
  if (early !== undefined) return early;
  // In one and the same write: a StatefulSet that deletes claims when scaled down must not see the one without the other.
  if (seen.replicas !== 0) return act([{ do: 'scale', replicas: 0, deletesWhenScaled: false }]);
  if (seen.holders.length > 0) return waitFor(`pod ${seen.holders.join(', ')} to end`);
  return stepOf([vacate, occupy], operation, seen) ?? { kind: 'settled' };
}

function comingUp(operation: Operation, seen: Seen): Next {
  const { replicas, deletesWhenScaled } = operation;
  const astray = operation.volumes.find((volume) => !isUnderItsClaim(operation, volume, seen));
  if (astray !== undefined) {
    return {
      kind: 'stop',
      why: `claim ${astray.claim} is not bound to volume ${incoming(operation, astray)} any more`,
    };
  }
  // The wish to delete claims comes back in that write and no later: whoever changes it while the pods start means it.
  if (seen.replicas < replicas) return act([{ do: 'scale', replicas, deletesWhenScaled }]);
  // The volume that was let go is retained and promised already: its claim can be made while the database comes up.
  const keeping = stepOf([keep], operation, seen);
  if (keeping !== undefined) return keeping;
  const policies = operation.volumes.flatMap((volume): Action[] => {
    const name = incoming(operation, volume);
    const { reclaimPolicy } = volume;
    return seen.volumes[name]?.reclaimPolicy === reclaimPolicy ? [] : [{ do: 'policy', volume: name, reclaimPolicy }];
  });
  if (policies.length > 0) return act(policies);
  return seen.ready >= replicas
    ? { kind: 'settled' }
    : waitFor(`${replicas - seen.ready} of ${replicas} pods to be ready`);
}

type Step = (operation: Operation, volume: ExchangedVolume, seen: Seen) => Action[];

/** All volumes of a step before any of the next: a pod that comes up in between finds either all of the old or none. */
function stepOf(steps: readonly Step[], operation: Operation, seen: Seen): Next | undefined {
  for (const step of steps) {
    const actions = operation.volumes.flatMap((volume) => step(operation, volume, seen));
    if (actions.length > 0) return act(actions);
  }
  return undefined;
}

/** The incoming volume leaves the claim that it was kept under. */
function free(operation: Operation, volume: ExchangedVolume, seen: Seen): Action[] {
  return taken(seen, keptNames(operation, volume).leaves);
}

/**
 * Both volumes are promised to the claims that they are to have, before the claim's own name is free: should the
 * workload's controller be quicker in making that claim, it gets the very volume that is meant for it, and no empty one.
 */
function reserve(operation: Operation, volume: ExchangedVolume, seen: Seen): Action[] {
  const [comes, goes] = [incoming(operation, volume), outgoing(operation, volume)];
  const { gets } = keptNames(operation, volume);
  const still = belongsTo(seen, goes, volume.claim, { withUid: true });
  return [
    ...(belongsTo(seen, comes, volume.claim) ? [] : [{ do: 'reserve', volume: comes, claim: volume.claim } as const]),
    ...(still || belongsTo(seen, goes, gets) ? [] : [{ do: 'reserve', volume: goes, claim: gets } as const]),
  ];
}

/** The outgoing volume leaves the claim's own name. */
function vacate(operation: Operation, volume: ExchangedVolume, seen: Seen): Action[] {
  const { claim } = volume;
  return seen.claims[claim]?.volume === outgoing(operation, volume) || seen.claims[claim]?.deleting === true
    ? taken(seen, claim)
    : [];
}

/** The claim's own name gets the incoming volume. */
function occupy(operation: Operation, volume: ExchangedVolume, seen: Seen): Action[] {
  return made(volume, seen, volume.claim, incoming(operation, volume));
}

/** The outgoing volume is kept under a name of its own. */
function keep(operation: Operation, volume: ExchangedVolume, seen: Seen): Action[] {
  const name = keptNames(operation, volume).gets;
  const goes = outgoing(operation, volume);
  if (!belongsTo(seen, goes, name)) return [{ do: 'reserve', volume: goes, claim: name }];
  return made(volume, seen, name, goes);
}

function taken({ claims }: Seen, claim: string): Action[] {
  const there = claims[claim];
  if (there === undefined) return [];
  return there.deleting
    ? [{ do: 'wait', for: `claim ${claim} to be gone` }]
    : [{ do: 'release', claim, uid: there.uid }];
}

function made(of: ExchangedVolume, { claims }: Seen, claim: string, volume: string): Action[] {
  const there = claims[claim];
  if (there === undefined) return [{ do: 'claim', of, claim, volume }];
  if (there.bound) return [];
  return [
    { do: 'nudge', claim },
    { do: 'wait', for: `claim ${claim} to be bound to volume ${volume}` },
  ];
}

/** A claim that somebody has made meanwhile, of another volume: what is on that is not ours to judge. */
function stranger(operation: Operation, volume: ExchangedVolume, { claims }: Seen): string | undefined {
  const ours = [undefined, volume.present, volume.restored];
  const { leaves, gets } = keptNames(operation, volume);
  const name = [volume.claim, leaves, gets].find((each) => !ours.includes(claims[each]?.volume));
  return name === undefined
    ? undefined
    : `claim ${name} is bound to volume ${claims[name]?.volume}, which somebody has made meanwhile`;
}

/**
 * Whether a volume is promised or bound to the claim of a name that is there now, or may come. One whose claim was
 * replaced meanwhile is of nobody.
 */
function belongsTo({ claims, volumes }: Seen, volume: string, claim: string, { withUid = false } = {}): boolean {
  const owner = volumes[volume]?.claim;
  if (owner?.name !== claim) return false;
  if (owner.uid === undefined) return !withUid;
  return owner.uid === claims[claim]?.uid;
}

function isUnderItsClaim(operation: Operation, volume: ExchangedVolume, seen: Seen): boolean {
  const there = seen.claims[volume.claim];
  return there?.bound === true && !there.deleting && there.volume === incoming(operation, volume);
}

function lostVolume(operation: Operation, { volumes }: Seen): string | undefined {
  const name = volumesOf(operation).find((each) => volumes[each] === undefined);
  return name === undefined ? undefined : `persistent volume ${name} is gone`;
}

/** A volume that somebody has given to a claim of theirs is not taken back: it may be somebody's database by now. */
function givenAway(operation: Operation, { volumes }: Seen): string | undefined {
  for (const { claim, kept, present, restored = '' } of operation.volumes) {
    for (const name of [present, restored]) {
      const owner = volumes[name]?.claim?.name;
      if (owner === undefined || [claim, kept.present, kept.restored].includes(owner)) continue;
      return `persistent volume ${name} belongs to claim ${owner} by now`;
    }
  }
  return undefined;
}

function volumesOf(operation: Operation): readonly string[] {
  return operation.volumes.flatMap(({ present, restored }) => [present, restored ?? '']);
}

function act(actions: readonly Action[]): Next {
  return { kind: 'act', actions };
}

function waitFor(what: string): Next {
  return act([{ do: 'wait', for: what }]);
}
