import { describe, expect, it } from 'vitest';
import { refuseOnErrors } from '../../../runner/findings';
import { claimFor } from '../../../runner/kube/in-place/exchange';
import { deletesWhenScaled, hasClaim, isOf, partsOf } from '../../../runner/kube/in-place/workload';
import type { Workload } from '../../../runner/kube/objects';
import { describePlan } from '../../../runner/output/in-place';
import { inPlaceFindings, newOperation, planCopy } from '../../../runner/restore/in-place/plan';
import type { Target } from '../../../runner/restore/in-place/site';
import { ANNOTATIONS, LABELS } from '../../../src/contract';
import { record } from '../../support/record';

const ID = '20261121030000';
const cut = {
  volume: 'data',
  snapshot: 'orders-db-data-1',
  seenBy: 'creationTime',
  driverKnown: true,
  askedAt: '2026-01-01T02:00:02.000Z',
  seenAt: '2026-01-01T02:00:02.100Z',
  restoreSize: '1Gi',
} as const;
const backup = record({
  volumes: [
    {
      name: 'data',
      role: 'data',
      claim: 'data-orders-db-0',
      capacity: '1Gi',
      storageClass: 'disk',
      mountPath: '/data',
    },
  ],
  cuts: [cut],
  runnerImage: 'stillpoint:1',
});

function target(changes: Partial<Target> = {}): Target {
  return {
    workload: { kind: 'StatefulSet', name: 'orders-db', uid: 'u' },
    replicas: 1,
    ready: 1,
    image: 'postgres:17',
    deletesWhenScaled: false,
    graceSeconds: 30,
    volumes: [
      {
        name: 'data',
        claim: 'data-orders-db-0',
        volume: 'pv-old',
        reclaimPolicy: 'Delete',
        size: '2Gi',
        storageClass: 'disk',
        claimSpec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
        claimLabels: { app: 'orders-db', 'app.kubernetes.io/instance': 'orders' },
        claimAnnotations: { team: 'shop' },
      },
    ],
    otherClaims: [],
    findings: [],
    ...changes,
  };
}

const nothing = { oneMember: false, despiteControllers: false };

describe('the copy', () => {
  it('is as large as the present claim asks for, under a name that keeps', () => {
    const plan = planCopy(newOperation(backup, target(), ID), backup, undefined);
    expect(plan).toMatchObject({
      name: `orders-db-${ID}`,
      namespace: 'shop',
      inPlace: true,
      image: 'stillpoint:1',
      volumes: [{ claim: `data-orders-db-0-restored-${ID}`, size: '2Gi', storageClass: 'disk' }],
    });
  });
});

describe('what stands against it', () => {
  const contested = { severity: 'error', code: 'workload-contested', subject: 's', message: 'm', hint: 'h' } as const;

  it('several members, unless told', () => {
    const three = target({ replicas: 3 });
    const findings = inPlaceFindings(backup, three, nothing);
    expect(() => refuseOnErrors(findings)).toThrow('has 3 members, and backup shop/orders-db/20260101020000 is of one');
    expect(() => refuseOnErrors(inPlaceFindings(backup, three, { ...nothing, oneMember: true }))).not.toThrow();
    const deployment = target({ replicas: 3, workload: { kind: 'Deployment', name: 'd', uid: 'u' } });
    expect(inPlaceFindings(backup, deployment, nothing)).toEqual([]);
  });

  it('something that sets the replicas, unless told', () => {
    const found = target({ findings: [contested] });
    expect(() => refuseOnErrors(inPlaceFindings(backup, found, nothing))).toThrow('m');
    expect(inPlaceFindings(backup, found, { ...nothing, despiteControllers: true })).toMatchObject([
      { severity: 'warning' },
    ]);
  });

  it('a pod of somebody else’s that holds a claim, whatever one is told', () => {
    const found = target({ findings: [{ ...contested, code: 'in-place-unsuitable' }] });
    expect(() =>
      refuseOnErrors(inPlaceFindings(backup, found, { oneMember: true, despiteControllers: true })),
    ).toThrow();
  });

  it('claims that the backup does not have are said', () => {
    expect(inPlaceFindings(backup, target({ otherClaims: ['logs'] }), nothing)).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('claim shop/logs of the pods is in no volume') },
    ]);
  });
});

describe('what is said beforehand', () => {
  it('names every object, with sizes, replicas and what is kept under which name', () => {
    const operation = newOperation(backup, target(), ID);
    const plan = planCopy(operation, backup, undefined);
    const text = describePlan({ record: backup, target: target(), operation, plan, findings: [], backupFirst: true });
    expect(text).toMatchInlineSnapshot(`
      "Workload:                StatefulSet shop/orders-db
      Replicas:                1 (1 ready)
      Image:                   postgres:17
      Backup:                  shop/orders-db/20260101020000 of 2026-01-01T02:00:01.000Z
      Claim data-orders-db-0:  2Gi disk (pv-old, Delete)

      What will be done:
        1. make claim data-orders-db-0-restored-20261121030000 (2Gi) from the backup; the database goes on
        2. start a server of its own on the copy, and compare it with the record
        3. take a backup of the present state (policy orders-db-backup)
        4. scale StatefulSet orders-db from 1 to 0: from here on the database is away
        5. keep the present volume of data-orders-db-0 as claim data-orders-db-0-before-20261121030000 (Retain)
        6. make claim data-orders-db-0 anew, on the volume of data-orders-db-0-restored-20261121030000
        7. scale StatefulSet orders-db to 1, and wait until it is ready

      The database will be away while its pods end (they may take 30 s), the claims change, and its pods start: no data is copied meanwhile.
      Nothing is deleted. The way back: stillpoint restore --in-place --undo 20261121030000 -n shop

      "
    `);
  });
});

describe('a claim of one volume', () => {
  const operation = newOperation(backup, target(), ID);
  const [volume] = operation.volumes;
  const pv = { metadata: { name: 'pv-new' }, spec: { storageClassName: 'disk' } };

  it('has its labels and annotations under its own name, and ours alone under one that keeps', () => {
    if (volume === undefined) throw new Error('no volume');
    expect(claimFor(operation, volume, volume.claim, pv)).toMatchObject({
      metadata: { labels: { 'app.kubernetes.io/instance': 'orders' }, annotations: { team: 'shop' } },
      spec: { volumeName: 'pv-new', storageClassName: 'disk', resources: { requests: { storage: '2Gi' } } },
    });
    // Argo CD would prune a claim with its label that Git does not have.
    const kept = claimFor(operation, volume, volume.kept.present, pv);
    expect(kept.metadata.labels).toMatchObject({ [LABELS.inPlace]: ID });
    expect(kept.metadata.labels).not.toHaveProperty('app.kubernetes.io/instance');
    expect(kept.metadata).not.toHaveProperty('annotations');
  });

  it('asks for no more than the volume has', () => {
    if (volume === undefined) throw new Error('no volume');
    const sized = (storage: string): unknown =>
      claimFor(operation, volume, volume.claim, { ...pv, spec: { capacity: { storage } } }).spec.resources;
    expect(sized('1536Mi')).toEqual({ requests: { storage: '1536Mi' } });
    expect(sized('4Gi')).toEqual({ requests: { storage: '2Gi' } });
  });

  it('takes over nothing of how the one before it came to its volume', () => {
    const annotations = {
      team: 'shop',
      'pv.kubernetes.io/bind-completed': 'yes',
      [ANNOTATIONS.bindingAsked]: '2026-01-01T02:00:02.000Z',
    };
    const spec = { accessModes: ['ReadWriteOnce'], volumeName: 'pv-old' };
    expect(partsOf({ metadata: { name: 'c', labels: { tier: 'gold' }, annotations }, spec })).toEqual({
      claimSpec: { accessModes: ['ReadWriteOnce'] },
      claimLabels: { tier: 'gold' },
      claimAnnotations: { team: 'shop' },
    });
  });

  it('of a volume without a class asks for none', () => {
    if (volume === undefined) throw new Error('no volume');
    expect(claimFor(operation, volume, volume.claim, { ...pv, spec: {} }).spec.storageClassName).toBe('');
  });
});

describe('a workload', () => {
  const set: Workload = {
    metadata: { name: 'orders-db', uid: 'set' },
    spec: {
      selector: { matchLabels: { app: 'orders-db' } },
      template: { spec: { containers: [], volumes: [{ name: 'x', persistentVolumeClaim: { claimName: 'shared' } }] } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
    },
  };

  it.each([
    ['data-orders-db-0', true],
    ['data-orders-db-12', true],
    ['shared', true],
    ['data-orders-db-x', false],
    ['data-orders-db-0-before-1', false],
    ['wal-orders-db-0', false],
  ])('a StatefulSet has claim %s: %s', (claim, has) => {
    expect(hasClaim('StatefulSet', set, claim)).toBe(has);
  });

  it('a Deployment has only the claims that its template names', () => {
    expect(hasClaim('Deployment', set, 'shared')).toBe(true);
    expect(hasClaim('Deployment', set, 'data-orders-db-0')).toBe(false);
  });

  it('its pods are its own, or those of its ReplicaSets', () => {
    const pod = (kind: string, name: string, uid: string, labels = { app: 'orders-db' }): boolean =>
      isOf(set, {
        metadata: {
          name: 'p',
          labels,
          ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid, controller: true }],
        },
        spec: { containers: [] },
      });
    expect(pod('StatefulSet', 'orders-db', 'set')).toBe(true);
    expect(pod('StatefulSet', 'orders-db', 'of-before')).toBe(false);
    expect(pod('ReplicaSet', 'orders-db-5d8f', 'rs')).toBe(true);
    expect(pod('ReplicaSet', 'orders-db-5d8f', 'rs', { app: 'other' })).toBe(false);
    expect(pod('Job', 'orders-db-backup', 'job')).toBe(false);
    expect(isOf(set, { metadata: { name: 'p' }, spec: { containers: [] } })).toBe(false);
  });

  it('may wish its claims deleted', () => {
    const wishing = (whenScaled: string): boolean =>
      deletesWhenScaled({ ...set, spec: { ...set.spec, persistentVolumeClaimRetentionPolicy: { whenScaled } } });
    expect([wishing('Delete'), wishing('Retain'), deletesWhenScaled(set)]).toEqual([true, false, false]);
  });
});
