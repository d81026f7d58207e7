/** What a mongos answers of its shards, one by one. Pure. [src: cluster_fsync_cmd.cpp, cluster_fsync_unlock_cmd.cpp] */
import { ILLEGAL_OPERATION } from '../errors';
import { at, isTrueAt, numberAt, type Reply } from '../reply';

/** How often each set is locked by now, by the set's name: `all.raw` has each answer under `set/host:port,host:port`. */
export function lockCounts(answer: Reply): ReadonlyMap<string, number> {
  const found = Object.entries(repliesAt(answer, 'all.raw')).flatMap(([key, reply]) => {
    const count = numberAt(reply, 'lockCount');
    return count === undefined ? [] : [[key.split('/')[0] ?? key, count] as const];
  });
  return new Map(found);
}

/** Whether an unlock has failed only where nothing was locked: the others are unlocked. */
export function onlyUnlocked(failure: unknown): boolean {
  const replies = Object.values(repliesAt(failure, 'raw'));
  return (
    replies.length > 0 && replies.every((reply) => isTrueAt(reply, 'ok') || at(reply, 'code') === ILLEGAL_OPERATION)
  );
}

function repliesAt(answer: unknown, path: string): Readonly<Record<string, unknown>> {
  return (at(answer, path) ?? {}) as Readonly<Record<string, unknown>>;
}
