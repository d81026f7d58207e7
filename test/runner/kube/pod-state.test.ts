import { describe, expect, test } from 'vitest';
import type { ContainerStatus, Pod } from '../../../runner/kube/objects';
import { endOf, isDisrupted, stuckOn, waitingFor } from '../../../runner/kube/restore/pod-state';

const podWith = (status: NonNullable<Pod['status']>): Pod => ({
  metadata: { name: 'copy-prepare-x', namespace: 'shop' },
  spec: { containers: [] },
  status,
});
const container = (state: NonNullable<ContainerStatus['state']>, name = 'prepare'): Pod =>
  podWith({ phase: 'Running', containerStatuses: [{ name, state }] });

describe('how a container has ended', () => {
  test.each<[string, Pod, ReturnType<typeof endOf>]>([
    ['it runs', container({ running: {} }), undefined],
    ['it waits', container({ waiting: { reason: 'ContainerCreating' } }), undefined],
    ['another one has ended', container({ terminated: { exitCode: 1 } }, 'server'), undefined],
    ['nothing is known', podWith({}), undefined],
    [
      'it is done',
      container({ terminated: { exitCode: 0, message: '{}' } }),
      { exitCode: 0, reason: 'Completed', message: '{}' },
    ],
    [
      'it ran out of memory',
      container({ terminated: { exitCode: 137, reason: 'OOMKilled' } }),
      { exitCode: 137, reason: 'OOMKilled', message: undefined },
    ],
    [
      'its node refused the pod',
      podWith({ phase: 'Failed', reason: 'OutOfcpu', message: 'node had not enough cpu' }),
      { exitCode: -1, reason: 'OutOfcpu', message: 'node had not enough cpu' },
    ],
  ])('%s', (_, pod, expected) => {
    expect(endOf(pod, 'prepare')).toEqual(expected);
  });
});

describe('what a container hangs on', () => {
  test.each([
    'ErrImagePull',
    'ImagePullBackOff',
    'InvalidImageName',
    'CreateContainerConfigError',
    'CreateContainerError',
  ])('%s does not pass by itself', (reason) => {
    expect(stuckOn(container({ waiting: { reason, message: 'no such image' } }))).toBe(
      `its container prepare cannot start: no such image (${reason})`,
    );
  });

  test.each(['ContainerCreating', 'PodInitializing', undefined])('%s passes', (reason) => {
    expect(stuckOn(container({ waiting: reason === undefined ? {} : { reason } }))).toBeUndefined();
  });
});

describe('what a pod waits for', () => {
  const unscheduled = {
    type: 'PodScheduled',
    status: 'False',
    message: '0/2 nodes are available: 2 Insufficient cpu.',
  };
  test.each<[string, Pod, string]>([
    [
      'a node',
      podWith({ phase: 'Pending', conditions: [unscheduled] }),
      '0/2 nodes are available: 2 Insufficient cpu.',
    ],
    ['its container', container({ waiting: { reason: 'ContainerCreating' } }), 'ContainerCreating'],
    ['nothing', container({ running: {} }), 'it is Running'],
  ])('%s', (_, pod, expected) => {
    expect(waitingFor(pod)).toBe(expected);
  });
});

test('a pod that was drained away is replaced by its Job', () => {
  const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
  expect(isDisrupted(podWith({ phase: 'Failed', conditions }))).toBe(true);
  expect(isDisrupted(podWith({ phase: 'Failed' }))).toBe(false);
});
