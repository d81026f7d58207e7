import { describe, expect, it } from 'vitest';
import { type Autoscaler, contendersOf } from '../../../runner/kube/in-place/contenders';
import type { Workload } from '../../../runner/kube/objects';
import type { ObjectMeta } from '../../../runner/kube/resource';

function workload(metadata: Partial<ObjectMeta> = {}): Workload {
  return { metadata: { name: 'orders-db', namespace: 'shop', ...metadata }, spec: { replicas: 1 } };
}

function scaler(name: string, target: object, metadata: Partial<ObjectMeta> = {}): Autoscaler {
  return { metadata: { name, namespace: 'shop', ...metadata }, spec: { scaleTargetRef: target } };
}

const none = { hpas: [], scaledObjects: [] };
const argo = { annotations: { 'argocd.argoproj.io/tracking-id': 'orders:apps/StatefulSet:shop/orders-db' } };
const flux = {
  labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
};
const owns = (manager: string, ...fields: string[]): Partial<ObjectMeta> => ({
  managedFields: [
    { manager, fieldsV1: { 'f:spec': Object.fromEntries(fields.map((field) => [field, {}])) } },
    { manager: 'kubectl', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
  ],
});

describe('who may put replicas back', () => {
  const cases: readonly [what: string, metadata: Partial<ObjectMeta>, found: RegExp | undefined, hint?: string][] = [
    ['nobody', {}, undefined],
    [
      'an operator that owns it',
      { ownerReferences: [{ apiVersion: 'x/v1', kind: 'Cluster', name: 'orders', uid: 'u', controller: true }] },
      /belongs to Cluster orders/,
    ],
    [
      'an owner that does not control it',
      { ownerReferences: [{ apiVersion: 'x/v1', kind: 'Note', name: 'orders', uid: 'u' }] },
      undefined,
    ],
    ['Argo CD', argo, /the Argo CD application orders/, 'argocd app set orders --sync-policy none'],
    ['Argo CD, which has written replicas', { ...argo, ...owns('argocd-controller', 'f:replicas') }, /Argo CD/],
    [
      'Argo CD, whose manifests say nothing of replicas',
      { ...argo, ...owns('argocd-controller', 'f:template') },
      undefined,
    ],
    ['Argo CD, whose fields are not known', { ...argo, ...owns('helm', 'f:template') }, /Argo CD/],
    ['Flux', flux, /the Flux kustomization flux-system\/apps/, 'flux suspend kustomization apps -n flux-system'],
    [
      'Flux, told to leave it alone',
      { ...flux, annotations: { 'kustomize.toolkit.fluxcd.io/reconcile': 'disabled' } },
      undefined,
    ],
    [
      'Flux, whose manifests say nothing of replicas',
      { ...flux, ...owns('kustomize-controller', 'f:template') },
      undefined,
    ],
    [
      'a Helm release of Flux',
      { labels: { 'helm.toolkit.fluxcd.io/name': 'orders', 'helm.toolkit.fluxcd.io/namespace': 'shop' } },
      /the Flux helmrelease shop\/orders/,
    ],
  ];

  it.each(cases)('%s', (_, metadata, found, hint = '') => {
    const findings = contendersOf('StatefulSet', workload(metadata), none);
    if (found === undefined) {
      expect(findings).toEqual([]);
      return;
    }
    expect(findings).toMatchObject([
      { severity: 'error', code: 'workload-contested', message: expect.stringMatching(found) },
    ]);
    expect(findings[0]?.hint).toContain(hint);
  });
});

describe('autoscalers', () => {
  const target = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'orders-db' };

  it('of the cluster leave a workload at zero alone, and are said', () => {
    const hpas = [
      scaler('own', target),
      scaler('of-another', { ...target, name: 'ledger-db' }),
      scaler('of-a-deployment', { ...target, kind: 'Deployment' }),
    ];
    expect(contendersOf('StatefulSet', workload(), { ...none, hpas })).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('HorizontalPodAutoscaler own') },
    ]);
  });

  it('of KEDA start it again from zero, unless they are paused', () => {
    const scaledObjects = [
      scaler('own', target),
      scaler('paused', target, { annotations: { 'autoscaling.keda.sh/paused': 'true' } }),
      scaler('held', target, { annotations: { 'autoscaling.keda.sh/paused-replicas': '0' } }),
      // Without a kind, a Deployment is meant.
      scaler('of-a-deployment', { name: 'orders-db' }),
    ];
    const ownerReferences = [{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 'own', uid: 'u' }];
    const hpas = [scaler('keda-hpa-own', target, { ownerReferences })];
    expect(contendersOf('StatefulSet', workload(), { hpas, scaledObjects })).toMatchObject([
      { severity: 'error', message: expect.stringContaining('ScaledObject own (KEDA)') },
    ]);
    expect(contendersOf('Deployment', workload(), { hpas: [], scaledObjects })).toMatchObject([
      { message: expect.stringContaining('of-a-deployment') },
    ]);
  });
});
