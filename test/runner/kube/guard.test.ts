/** What a guard reads of the cluster, case by case. */
import { expect, it } from 'vitest';
import {
  answerOn,
  newGuardLease,
  orderOn,
  reportOf,
  withAnswer,
  withOrder,
  withRelease,
} from '../../../runner/kube/guard-lease';
import { needsNoGuard } from '../../../runner/kube/guard-post';
import type { Job, KubeLease, Pod } from '../../../runner/kube/objects';
import { hasEnded } from '../../../runner/kube/runners';
import { ANNOTATIONS } from '../../../src/contract';

const condition = (type: string, status = 'True'): Job['status'] => ({ conditions: [{ type, status }] });

it.each<[string, Job['status'], boolean]>([
  ['has just begun', undefined, false],
  ['is at work', { ready: 2 }, false],
  ['is complete', condition('Complete'), true],
  ['has failed', condition('Failed'), true],
  ['is going to be complete', condition('SuccessCriteriaMet'), true],
  ['is going to fail', condition('FailureTarget'), true],
  ['has failed no more', condition('Failed', 'False'), false],
  ['has a runner that succeeded', { completedIndexes: '0' }, true],
  ['has a runner that will not be tried again', { failedIndexes: '0' }, true],
  ['has a runner and a guard that succeeded', { completedIndexes: '0,1' }, true],
  ['has a guard that will not be tried again', { failedIndexes: '1' }, false],
])('a Job that %s', (_, status, expected) => {
  expect(needsNoGuard(status === undefined ? {} : { status })).toBe(expected);
});

const podOf = (status: Pod['status'], deletionTimestamp?: string): Pod => ({
  metadata: { name: 'runner', ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  spec: { containers: [] },
  ...(status === undefined ? {} : { status }),
});
const container = (state: object): Pod['status'] => ({
  phase: 'Running',
  containerStatuses: [{ name: 'runner', state }],
});

it.each<[string, Pod | undefined, boolean]>([
  ['is not there', undefined, true],
  ['waits for a node', podOf({ phase: 'Pending' }), false],
  ['is at work', podOf(container({ running: {} })), false],
  ['is told to stop, and undoes by itself', podOf(container({ running: {} }), '2026-01-01T00:00:00Z'), false],
  ['was killed', podOf(container({ terminated: { exitCode: 137 } })), true],
  ['was lost with its node', podOf({ phase: 'Failed', reason: 'NodeLost' }), true],
  ['has succeeded', podOf({ phase: 'Succeeded' }), true],
])('a runner whose pod %s', (_, pod, expected) => {
  expect(hasEnded(pod)).toBe(expected);
});

const order = { id: '20260101000000', jobUid: 'job', pod: 'job-0', held: [], budgetMs: 5000 };
const acted = { state: 'acted', why: 'it is gone', at: '2026-01-01T00:00:00Z', done: ['unlocked'] } as const;

it('an answer is to the order that stands, and to no other', () => {
  const first = withOrder(newGuardLease('shop', 'db'), order);
  expect(orderOn(first)).toEqual({ ...order, turn: 1, released: false });
  const answered = withAnswer(first, { ...acted, turn: 1, guard: 'job-1' }, 'now');
  expect(reportOf(answerOn(answered))).toEqual({ guard: 'job-1', why: acted.why, at: acted.at, done: acted.done });
  const second = withOrder(answered ?? first, order);
  expect([orderOn(second)?.turn, answerOn(second)]).toEqual([2, undefined]);
  expect(withAnswer(second, { ...acted, turn: 1, guard: 'job-1' }, 'now')).toBeUndefined();
});

it('an order is let go once, by whoever gave it', () => {
  const placed = withOrder(newGuardLease('shop', 'db'), order);
  expect(withRelease(placed, 2)).toBeUndefined();
  const released = withRelease(placed, 1);
  expect(orderOn(released)?.released).toBe(true);
  expect(withRelease(released ?? placed, 1)).toBeUndefined();
});

it.each(['', '{', '[]', '{"turn":"1"}', 'null'])('an order that says %s is none', (text) => {
  const lease: KubeLease = { metadata: { name: 'l', annotations: { [ANNOTATIONS.guardOrder]: text } } };
  expect(orderOn(lease)).toBeUndefined();
});
