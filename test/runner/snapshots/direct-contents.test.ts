import { describe, expect, it } from 'vitest';
import { cutContent, lastingContent, secretAnnotations } from '../../../runner/snapshots/direct-contents';
import { BEING_CREATED_ANNOTATION, CONTENT_FINALIZER, type SnapshotClass } from '../../../runner/snapshots/objects';
import { LABELS } from '../../../src/contract';

const volume = {
  name: 'data',
  role: 'data',
  claim: 'data-orders-db-0',
  namespace: 'shop',
  volumeHandle: 'vol-1',
  volumeMode: 'Filesystem',
} as const;
const snapshotClass: SnapshotClass = {
  metadata: { name: 'retained' },
  driver: 'disk.csi.example.com',
  deletionPolicy: 'Retain',
};
const request = {
  volume,
  snapshot: 'orders-db-data-20260101020000',
  uid: 'made-up',
  labels: { [LABELS.backup]: '20260101020000' },
  annotations: { owner: 'job-1' },
};

describe('the content by which a cut is asked for', () => {
  it('names the volume, and a snapshot that nobody has', () => {
    expect(cutContent(request, snapshotClass)).toEqual({
      metadata: {
        name: 'stillpoint-cut-made-up',
        labels: { [LABELS.backup]: '20260101020000', [LABELS.namespace]: 'shop', [LABELS.volume]: 'data' },
        annotations: { owner: 'job-1', [BEING_CREATED_ANNOTATION]: 'yes' },
        finalizers: [CONTENT_FINALIZER],
      },
      spec: {
        deletionPolicy: 'Retain',
        driver: 'disk.csi.example.com',
        source: { volumeHandle: 'vol-1' },
        sourceVolumeMode: 'Filesystem',
        volumeSnapshotClassName: 'retained',
        volumeSnapshotRef: {
          apiVersion: 'snapshot.storage.k8s.io/v1',
          kind: 'VolumeSnapshot',
          namespace: 'shop',
          name: 'orders-db-data-20260101020000',
          uid: 'made-up',
        },
      },
    });
  });

  it('retains whatever the class says', () => {
    const { spec } = cutContent(request, { ...snapshotClass, deletionPolicy: 'Delete' });
    expect(spec.deletionPolicy).toBe('Retain');
  });

  it('is not made of a volume without a handle', () => {
    const { volumeHandle: _, ...unknown } = volume;
    expect(() => cutContent({ ...request, volume: unknown }, snapshotClass)).toThrow(
      'the handle of claim shop/data-orders-db-0 is not known',
    );
  });
});

describe('the content that stands for a cut', () => {
  it('is there when the storage has answered, and names what it answered with', () => {
    const asked = cutContent(request, snapshotClass);
    expect(lastingContent(asked)).toBeUndefined();
    expect(lastingContent({ ...asked, status: { snapshotHandle: 'snap-1' } })).toMatchObject({
      metadata: { name: 'stillpoint-snapshot-made-up', labels: asked.metadata.labels, annotations: { owner: 'job-1' } },
      spec: {
        deletionPolicy: 'Retain',
        source: { snapshotHandle: 'snap-1' },
        volumeSnapshotRef: { namespace: 'shop', name: 'orders-db-data-20260101020000' },
      },
    });
  });

  it('is bound to no snapshot yet, and is not being created', () => {
    const asked = { ...cutContent(request, snapshotClass), status: { snapshotHandle: 'snap-1' } };
    const lasting = lastingContent(asked);
    expect(lasting?.spec.volumeSnapshotRef).not.toHaveProperty('uid');
    expect(lasting?.metadata.annotations).toEqual({ owner: 'job-1' });
    expect(lasting?.metadata.finalizers).toBeUndefined();
  });
});

/** A placeholder, as classes write it. */
function template(name: string): string {
  return `$\{${name}}`;
}

it.each([
  [{}, {}],
  [{ 'csi.storage.k8s.io/snapshotter-secret-name': 'rbd' }, {}],
  [
    {
      'csi.storage.k8s.io/snapshotter-secret-name': `rbd-${template('volumesnapshot.namespace')}-${template('volumesnapshot.name')}`,
      'csi.storage.k8s.io/snapshotter-secret-namespace': `ceph-${template('volumesnapshotcontent.name')}-${template('other')}`,
    },
    {
      'snapshot.storage.kubernetes.io/deletion-secret-name': 'rbd-shop-snap',
      'snapshot.storage.kubernetes.io/deletion-secret-namespace': `ceph-content-${template('other')}`,
    },
  ],
])('the Secret of class parameters %o', (parameters, annotations) => {
  expect(secretAnnotations(parameters, { content: 'content', snapshot: 'snap', namespace: 'shop' })).toEqual(
    annotations,
  );
});
