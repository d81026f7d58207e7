/** Those who undo what outlives the session of a runner that is gone (safety rule 8). */
import type { BackupId, Held } from '../../src/contract';

/** What a guard is asked to do, should this runner be gone before it says that it is done. */
export interface GuardOrder {
  readonly id: BackupId;
  readonly jobUid: string;
  /** The Job's pod that asks: its next pod asks anew. */
  readonly pod?: string | undefined;
  readonly held: readonly Held[];
  readonly budgetMs: number;
}

/** What a guard did. */
export interface GuardReport {
  readonly guard: string;
  /** Why, as a part of a sentence. */
  readonly why: string;
  readonly at: string;
  readonly done: readonly string[];
}

/** A guard that is connected to every server of its order, with its deadline armed. */
export interface ArmedGuard {
  /** Aborts when the guard has acted, or is gone: what is frozen is not guarded any more. */
  readonly lost: AbortSignal;
  /** What the guard did; undefined as long as it only watches. */
  readonly report: GuardReport | undefined;
  /** Something is held from now on that nobody can see from outside: the guard's deadline begins. */
  begin(): Promise<void>;
  /** Nothing is held any more: the guard is let go. Never throws. */
  release(): Promise<void>;
}

/**
 * Other processes that undo a freeze which outlives its session (safety rule 8): another pod of the same Job, by
 * preference on another node.
 */
export interface Guards {
  /** Answers when a guard is connected and armed: before anything is frozen. Throws guard-missing when none comes in time. */
  arm(order: GuardOrder, signal: AbortSignal): Promise<ArmedGuard>;
  /** What the guard of a backup did, if it is known that it did anything. */
  reportOn(order: Pick<GuardOrder, 'id' | 'jobUid'>): Promise<GuardReport | undefined>;
  /**
   * By whom all of what one pod of a backup has held is proven to be let go, so that whatever is in force by now is somebody
   * else's: by that runner, which has let its guard go, or by the guard, for good. Undefined where that is not proven.
   */
  letGoBy(order: Pick<GuardOrder, 'id' | 'jobUid' | 'pod'>): Promise<'runner' | 'guard' | undefined>;
}

/** What a guard answers to its order. */
export type GuardAnswer =
  | { readonly state: 'armed' }
  /** It cannot do what it is asked, or can do it no longer: whatever is held has to be let go. */
  | { readonly state: 'unable'; readonly why: string }
  | {
      readonly state: 'acted';
      readonly why: string;
      readonly at: string;
      readonly done: readonly string[];
      /** It has seen the runner's end, and after that undone each thing of its order, which nobody can begin a second time. */
      readonly forGood?: boolean;
    };

/** The guard's own end: what its Job's runner asks of it. Nothing here waits for an answer of the cluster. */
export interface GuardPost {
  /** The order that stands, as last seen; the same object as long as it stands. Undefined: there is none, or it was let go. */
  readonly order: GuardOrder | undefined;
  /** Whether the pod that gave the order is gone, or its runner has ended. As long as nobody answers: no. */
  readonly runnerGone: boolean;
  /** Whether its process was seen to have ended. Of a pod that is only not there any more it may go on: its node may be cut off. */
  readonly runnerEnded: boolean;
  /** Whether the runner has said that it holds what cannot be seen. */
  readonly begun: boolean;
  /** Whether the Job needs no guard any more. */
  readonly ended: boolean;
  /** Resolves after so many milliseconds, or as soon as something of the above has changed. */
  pause(ms: number): Promise<void>;
  /** Answers the order that stands, again and again until it is written down. */
  answer(order: GuardOrder, answer: GuardAnswer): void;
  /** Resolves when what was answered last is written down, or cannot be within a few seconds; ends the watching. */
  close(): Promise<void>;
}
