/**
 * The Lease on which a runner and its guard meet: the order is the runner's annotation, the answer the guard's. Whoever
 * writes has read what the other said (compare-and-swap), so an answer is always to the order that stands. Pure.
 */
import { ANNOTATIONS, guardLeaseName, LABELS, MANAGED_BY } from '../../src/contract';
import type { GuardAnswer, GuardOrder, GuardReport } from '../ports';
import type { KubeLease } from './objects';

/** An order on the Lease. */
export interface PlacedOrder extends GuardOrder {
  /** Counts the orders on the Lease: a Job's second pod may ask for the same as its first. */
  readonly turn: number;
  /** Something is held that cannot be seen from outside. */
  readonly begun?: boolean;
  /** Nothing is held any more. */
  readonly released: boolean;
}

/** An answer on the Lease. */
export type PlacedAnswer = GuardAnswer & {
  readonly turn: number;
  /** The guard's pod. */
  readonly guard: string;
};

/** How long a guard that says nothing may still be there, in seconds: it renews three times as often. */
export const GUARD_DURATION_SECONDS = 9;

/** A Lease that is new. */
export function newGuardLease(namespace: string, database: string): KubeLease {
  return {
    metadata: {
      name: guardLeaseName(database),
      namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.database]: database },
    },
  };
}

/** The order on a Lease; undefined when there is none that can be read. */
export function orderOn(lease: KubeLease | undefined): PlacedOrder | undefined {
  const read = annotation(lease, ANNOTATIONS.guardOrder);
  return isObject(read) && typeof read.turn === 'number' && Array.isArray(read.held)
    ? (read as unknown as PlacedOrder)
    : undefined;
}

/** The answer on a Lease to the order on it; undefined when there is none. */
export function answerOn(lease: KubeLease | undefined): PlacedAnswer | undefined {
  const read = annotation(lease, ANNOTATIONS.guardAnswer);
  const turn = orderOn(lease)?.turn;
  return isObject(read) && read.turn === turn && typeof read.state === 'string'
    ? (read as unknown as PlacedAnswer)
    : undefined;
}

/** The Lease with a new order: what was answered to earlier ones is gone. */
export function withOrder(lease: KubeLease, order: GuardOrder): KubeLease {
  const { [ANNOTATIONS.guardAnswer]: _, ...annotations } = lease.metadata.annotations ?? {};
  const placed: PlacedOrder = { ...order, turn: (orderOn(lease)?.turn ?? 0) + 1, released: false };
  return {
    ...lease,
    metadata: {
      ...lease.metadata,
      annotations: { ...annotations, [ANNOTATIONS.guardOrder]: JSON.stringify(placed) },
    },
    spec: {},
  };
}

/** The Lease with its order begun; undefined when another order stands there, or this one is let go already. */
export function withBeginning(lease: KubeLease, turn: number): KubeLease | undefined {
  const order = orderOn(lease);
  if (order === undefined || order.turn !== turn || order.released) return undefined;
  return annotated(lease, ANNOTATIONS.guardOrder, { ...order, begun: true });
}

/** The Lease with its order let go; undefined when another order stands there, or this one is let go already. */
export function withRelease(lease: KubeLease, turn: number): KubeLease | undefined {
  const order = orderOn(lease);
  if (order === undefined || order.turn !== turn || order.released) return undefined;
  return annotated(lease, ANNOTATIONS.guardOrder, { ...order, released: true });
}

/** The Lease with the guard's answer and a sign of life; undefined when it is not that order any more that stands there. */
export function withAnswer(lease: KubeLease, answer: PlacedAnswer, renewTime: string): KubeLease | undefined {
  if (orderOn(lease)?.turn !== answer.turn) return undefined;
  return {
    ...annotated(lease, ANNOTATIONS.guardAnswer, answer),
    spec: { holderIdentity: answer.guard, leaseDurationSeconds: GUARD_DURATION_SECONDS, renewTime },
  };
}

/** What the guard did by the order on a Lease. */
export function reportOf(answer: PlacedAnswer | undefined): GuardReport | undefined {
  if (answer?.state !== 'acted') return undefined;
  const { guard, why, at, done } = answer;
  return { guard, why, at, done };
}

/** By whom all that one pod of a backup has held is proven to be let go. */
export function letGoBy(
  lease: KubeLease | undefined,
  { id, jobUid, pod }: Pick<GuardOrder, 'id' | 'jobUid' | 'pod'>,
): 'runner' | 'guard' | undefined {
  const order = orderOn(lease);
  if (pod === undefined || order?.id !== id || order.jobUid !== jobUid || order.pod !== pod) return undefined;
  const answer = answerOn(lease);
  if (answer?.state === 'acted' && (order.released || answer.forGood === true)) return 'guard';
  // It does so when its thaw has worked, and changes nothing after that.
  return order.released ? 'runner' : undefined;
}

function annotated(lease: KubeLease, name: string, value: object): KubeLease {
  const annotations = { ...lease.metadata.annotations, [name]: JSON.stringify(value) };
  return { ...lease, metadata: { ...lease.metadata, annotations } };
}

function annotation(lease: KubeLease | undefined, name: string): unknown {
  const text = lease?.metadata.annotations?.[name];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
