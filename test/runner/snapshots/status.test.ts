import { describe, expect, test } from 'vitest';
import type { Volume } from '../../../runner/ports';
import { cutSign, driverFacts } from '../../../runner/snapshots/drivers';
import { commonLabels } from '../../../runner/snapshots/group-api';
import { groupState } from '../../../runner/snapshots/group-status';
import {
  BEING_CREATED_ANNOTATION,
  type VolumeGroupSnapshot,
  type VolumeGroupSnapshotContent,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '../../../runner/snapshots/objects';
import { contentState, isSettled, nanosecondsToTime, snapshotState } from '../../../runner/snapshots/status';

const KNOWN = 'ebs.csi.aws.com';
const WHEN_READY = 'bsu.csi.outscale.com';

const snapshot = (status?: VolumeSnapshot['status']): VolumeSnapshot => ({
  metadata: { name: 'orders', namespace: 'shop', uid: 'u1' },
  spec: { source: { persistentVolumeClaimName: 'data' } },
  ...(status === undefined ? {} : { status }),
});

const content = (
  status?: VolumeSnapshotContent['status'],
  more: { readonly uid?: string; readonly driver?: string; readonly annotations?: Record<string, string> } = {},
): VolumeSnapshotContent => ({
  metadata: { name: 'snapcontent-u1', annotations: more.annotations ?? {} },
  spec: {
    deletionPolicy: 'Delete',
    driver: more.driver ?? KNOWN,
    source: { volumeHandle: 'vol-1' },
    volumeSnapshotRef: { namespace: 'shop', name: 'orders', uid: more.uid ?? 'u1' },
  },
  ...(status === undefined ? {} : { status }),
});

const cutStatus = { snapshotHandle: 'snap-1', creationTime: '1795235454501315029', readyToUse: false };
const bound = { boundVolumeSnapshotContentName: 'snapcontent-u1' };
const before = { driver: KNOWN };

describe('the state of a snapshot', () => {
  test.each<[string, VolumeSnapshot, VolumeSnapshotContent | undefined, string]>([
    ['nothing yet', snapshot(), undefined, 'pending'],
    ['bound, not cut', snapshot(bound), content(), 'pending'],
    ['cut, as the content says', snapshot(), content(cutStatus), 'cut'],
    ['cut, as the snapshot says', snapshot({ ...bound, creationTime: '2026-01-01T00:00:00Z' }), undefined, 'cut'],
    ['a time without a content', snapshot({ creationTime: '2026-01-01T00:00:00Z' }), undefined, 'pending'],
    ['a time without a handle', snapshot(), content({ creationTime: 1 }), 'pending'],
    ['a content that points at another snapshot', snapshot(), content(cutStatus, { uid: 'u2' }), 'pending'],
    ['ready', snapshot({ ...bound, readyToUse: true }), content({ ...cutStatus, readyToUse: true }), 'ready'],
    ['ready, but not bound', snapshot({ readyToUse: true }), undefined, 'pending'],
    ['an error', snapshot(), content({ error: { message: 'on fire' } }), 'error'],
    ['an error after which it was cut', snapshot(), content({ ...cutStatus, error: { message: 'on fire' } }), 'cut'],
    ['cut only when ready', snapshot(), content(cutStatus, { driver: WHEN_READY }), 'pending'],
    ['cut when ready', snapshot(), content({ ...cutStatus, readyToUse: true }, { driver: WHEN_READY }), 'cut'],
  ])('%s', (_, seen, seenContent, kind) => {
    expect(snapshotState(seen, seenContent, before).kind).toBe(kind);
  });

  test('tells of the cut what the content knows, to the nanosecond', () => {
    const state = snapshotState(snapshot(), content({ ...cutStatus, restoreSize: 67108864 }), { driver: undefined });
    expect(state).toEqual({
      kind: 'cut',
      facts: {
        content: 'snapcontent-u1',
        driver: KNOWN,
        driverKnown: true,
        handle: 'snap-1',
        cutAt: '2026-11-21T04:30:54.501315029Z',
        seenBy: 'creationTime',
        restoreSize: '67108864',
      },
    });
  });

  test('an unknown driver counts as cut at creationTime, and as unknown', () => {
    const state = snapshotState(snapshot(), content(cutStatus, { driver: 'disk.test' }), before);
    expect(state).toMatchObject({ kind: 'cut', facts: { driverKnown: false, seenBy: 'creationTime' } });
  });
});

describe('a snapshot is settled', () => {
  const making = { annotations: { [BEING_CREATED_ANNOTATION]: 'yes' } };
  test.each<[string, boolean, VolumeSnapshot, VolumeSnapshotContent | undefined]>([
    ['not before the controller has looked at it', false, snapshot(), undefined],
    ['not while the storage is at it', false, snapshot(bound), content(undefined, making)],
    ['not between cut and the answer noted', false, snapshot(), content(cutStatus, making)],
    [
      'not when a refusal may still become a cut',
      false,
      snapshot(),
      content({ error: { message: 'timeout' } }, making),
    ],
    ['when it was cut', true, snapshot(), content(cutStatus)],
    ['when the storage has refused', true, snapshot(), content({ error: { message: 'on fire' } })],
    ['when the controller has refused', true, snapshot({ error: { message: 'no such class' } }), undefined],
  ])('%s', (_, settled, seen, seenContent) => {
    expect(isSettled(seen, seenContent)).toBe(settled);
  });
});

test.each([
  [0, '1970-01-01T00:00:00Z'],
  ['1795235454501315029', '2026-11-21T04:30:54.501315029Z'],
  ['1795235454500000000', '2026-11-21T04:30:54.5Z'],
  ['1795235454000000001', '2026-11-21T04:30:54.000000001Z'],
])('%s ns is %s', (nanoseconds, time) => {
  expect(nanosecondsToTime(nanoseconds)).toBe(time);
});

test('drivers that copy a live file tree are refused, with the reason', () => {
  expect(driverFacts('nfs.csi.k8s.io')).toMatchObject({ cutAt: 'never', why: expect.stringContaining('tar') });
  expect(driverFacts('toString')).toEqual({ known: false, cutAt: 'creationTime' });
  expect(driverFacts(undefined)).toEqual({ known: false, cutAt: 'creationTime' });
  expect(cutSign(WHEN_READY)).toBe('readyToUse');
});

describe('the state of a group', () => {
  const volumes = ['data', 'wal'].map(
    (name): Volume => ({
      name,
      role: 'data',
      claim: name,
      namespace: 'shop',
      volumeHandle: `vol-${name}`,
      driver: KNOWN,
    }),
  );
  const group = (status?: VolumeGroupSnapshot['status']): VolumeGroupSnapshot => ({
    metadata: { name: 'orders', uid: 'g1' },
    spec: { source: {} },
    ...(status === undefined ? {} : { status }),
  });
  const groupContent = (handles: readonly string[], uid = 'g1'): VolumeGroupSnapshotContent => ({
    metadata: { name: 'groupsnapcontent-g1' },
    spec: { deletionPolicy: 'Delete', driver: KNOWN, source: {}, volumeGroupSnapshotRef: { uid } },
    status: {
      creationTime: '2026-01-01T00:00:00Z',
      volumeSnapshotInfoList: handles.map((handle) => {
        return { volumeHandle: handle, snapshotHandle: `snap-${handle}`, creationTime: 1_000_000_001 };
      }),
    },
  });

  test('is cut when its content holds exactly the volumes that were meant', () => {
    const state = groupState(group(), groupContent(['vol-wal', 'vol-data']), volumes);
    expect(state.kind).toBe('cut');
    expect(state.kind === 'cut' ? state.facts.get('wal') : undefined).toMatchObject({
      handle: 'snap-vol-wal',
      cutAt: '1970-01-01T00:00:01.000000001Z',
    });
  });

  test.each([
    ['one is missing', ['vol-data']],
    ['one is another', ['vol-data', 'vol-other']],
    ['there is one more', ['vol-data', 'vol-wal', 'vol-other']],
    ['there are none', []],
  ])('is wrong when %s', (_, handles) => {
    expect(groupState(group(), groupContent(handles), volumes).kind).toBe('wrong');
  });

  test('is not judged by the content of another group', () => {
    expect(groupState(group(), groupContent(['vol-data', 'vol-wal'], 'g2'), volumes).kind).toBe('pending');
  });

  test('without a content is cut when it is bound and has its time', () => {
    const time = { creationTime: '2026-01-01T00:00:00Z' };
    expect(groupState(group(time), undefined, volumes).kind).toBe('pending');
    expect(groupState(group({ ...time, boundVolumeGroupSnapshotContentName: 'c' }), undefined, volumes).kind).toBe(
      'cut',
    );
  });

  test('selects by the labels that all claims share', () => {
    const [data, wal] = volumes;
    const labelled = [
      { ...data, claimLabels: { app: 'db', role: 'data' } },
      { ...wal, claimLabels: { app: 'db', role: 'wal' } },
    ] as Volume[];
    expect(commonLabels(labelled)).toEqual({ app: 'db' });
    expect(commonLabels(volumes)).toEqual({});
    expect(commonLabels([])).toEqual({});
  });
});

describe('a content by which the storage was asked without a snapshot', () => {
  const answered = { snapshotHandle: 'snap-1', creationTime: '1767225600123456789' } as const;

  test.each([
    ['nothing yet', undefined, KNOWN, 'pending'],
    ['a handle, and no time', { snapshotHandle: 'snap-1' }, KNOWN, 'pending'],
    ['an error', { error: { message: 'the array is on fire' } }, KNOWN, 'error'],
    ['handle and time', answered, KNOWN, 'cut'],
    ['handle and time, of a driver that cuts later', answered, WHEN_READY, 'pending'],
    ['readyToUse', { ...answered, readyToUse: true }, WHEN_READY, 'ready'],
  ] as const)('that has %s', (_, status, driver, kind) => {
    expect(contentState(content(status, { driver })).kind).toBe(kind);
  });

  test('says all that the record keeps', () => {
    expect(contentState(content({ ...answered, restoreSize: 1024 }))).toEqual({
      kind: 'cut',
      facts: {
        content: 'snapcontent-u1',
        driver: KNOWN,
        driverKnown: true,
        handle: 'snap-1',
        cutAt: '2026-01-01T00:00:00.123456789Z',
        seenBy: 'creationTime',
        restoreSize: '1024',
      },
    });
  });
});
