/** What a guard reads of the cluster, case by case. */
import { expect, it } from 'vitest';
import {
  answerOn,
  letGoBy,
  newGuardLease,
  orderOn,
  reportOf,
  withAnswer,
  withOrder,
  withRelease,
} from '../../../runner/kube/guard-lease';
import { needsNoGuard } from '../../../runner/kube/guard-post';
import type { Job, KubeLease, Pod } from '../../../runner/kube/objects';
import { hasEnded, isSeenEnded } from '../../../runner/kube/runners';
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

const unknown = { exitCode: 137, reason: 'ContainerStatusUnknown' };

it.each<[string, Pod | undefined, boolean, boolean]>([
  ['is not there', undefined, true, false],
  ['waits for a node', podOf({ phase: 'Pending' }), false, false],
  ['is at work', podOf(container({ running: {} })), false, false],
  ['is told to stop, and undoes by itself', podOf(container({ running: {} }), '2026-01-01T00:00:00Z'), false, false],
  ['was killed', podOf(container({ terminated: { exitCode: 137 } })), true, true],
  ['was lost with its node', podOf({ phase: 'Failed', reason: 'NodeLost' }), true, false],
  ['was not found by its kubelet', podOf(container({ terminated: unknown })), true, false],
  ['has succeeded', podOf({ phase: 'Succeeded' }), true, false],
])('a runner whose pod %s', (_, pod, ended, seen) => {
  expect([hasEnded(pod), isSeenEnded(pod)]).toEqual([ended, seen]);
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

it('all is proven to be let go by the runner that says so, or by the guard for good, and only of that pod and order', () => {
  const placed = withOrder(newGuardLease('shop', 'db'), order);
  const answered = (more: object): KubeLease =>
    withAnswer(placed, { ...acted, ...more, turn: 1, guard: 'job-1' }, 'now') ?? placed;
  expect([placed, answered({})].map((lease) => letGoBy(lease, order))).toEqual([undefined, undefined]);
  expect(letGoBy(answered({ forGood: true }), order)).toBe('guard');
  expect(letGoBy(withRelease(answered({}), 1), order)).toBe('guard');
  const released = withRelease(placed, 1);
  expect(letGoBy(released, order)).toBe('runner');
  for (const other of [{ pod: 'job-0-again' }, { pod: undefined }, { id: '20260102000000' }, { jobUid: 'another' }])
    expect(letGoBy(released, { ...order, ...other })).toBeUndefined();
  expect(letGoBy(withOrder(released ?? placed, order), order)).toBeUndefined();
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
