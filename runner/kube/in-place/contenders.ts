/** Who else may set the replicas or make the claims of a workload while its volumes are exchanged. */
import type { Finding } from '../../ports';
import type { KubeClient } from '../client';
import { isForbidden } from '../errors';
import { type Workload } from '../objects';
import { type KubeObject, type Resource, resource } from '../resource';

/** An autoscaler of any kind: what they scale stands in the same place. */
export interface Autoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string };
    readonly [more: string]: unknown;
  };
}

/** Those that are known to put replicas back; a HorizontalPodAutoscaler leaves a workload at zero alone. */
const HPA = resource<Autoscaler>()('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers');
const KEDA = resource<Autoscaler>()('keda.sh', 'v1alpha1', 'ScaledObject', 'scaledobjects');

const KEDA_PAUSED = ['autoscaling.keda.sh/paused', 'autoscaling.keda.sh/paused-replicas'];
const ARGO_TRACKING = 'argocd.argoproj.io/tracking-id';
const FLUX = ['kustomize.toolkit.fluxcd.io/name', 'helm.toolkit.fluxcd.io/name'] as const;
const FLUX_RECONCILE = 'kustomize.toolkit.fluxcd.io/reconcile';

/** Looks for all of them. What the account may not read is said. */
export async function findContenders(
  client: KubeClient,
  kind: string,
  workload: Workload,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const [hpas, scaled] = await Promise.all([
    autoscalers(client, HPA, workload, signal),
    autoscalers(client, KEDA, workload, signal),
  ]);
  const unknown = [hpas, scaled].flatMap((each) => ('unknown' in each ? [each.unknown] : []));
  return [
    ...contendersOf(kind, workload, {
      hpas: 'found' in hpas ? hpas.found : [],
      scaledObjects: 'found' in scaled ? scaled.found : [],
    }),
    ...unknown,
  ];
}

async function autoscalers(
  client: KubeClient,
  kind: Resource<Autoscaler>,
  { metadata: { namespace } }: Workload,
  signal: AbortSignal,
): Promise<{ readonly found: readonly Autoscaler[] } | { readonly unknown: Finding }> {
  try {
    // A cluster without KEDA does not know the kind.
    if (kind === KEDA && !(await client.serves(kind, signal))) return { found: [] };
    return { found: (await client.list(kind, { namespace }, signal)).items };
  } catch (thrown) {
    if (!isForbidden(thrown)) throw thrown;
    const subject = `${kind.plural} in namespace ${namespace}`;
    const message = `${subject} may not be listed: whether one scales the workload is not known`;
    return { unknown: { severity: 'warning', code: 'permission-missing', subject, message } };
  }
}

/** What there is of them. Pure. */
export function contendersOf(
  kind: string,
  workload: Workload,
  { hpas, scaledObjects }: { readonly hpas: readonly Autoscaler[]; readonly scaledObjects: readonly Autoscaler[] },
): readonly Finding[] {
  const { name, namespace } = workload.metadata;
  const subject = `${kind} ${namespace}/${name}`;
  const targets = ({ spec }: Autoscaler, defaultKind: string): boolean =>
    spec.scaleTargetRef?.name === name && (spec.scaleTargetRef.kind ?? defaultKind) === kind;
  return [
    ...ownerOf(workload, subject),
    ...argo(workload, subject),
    ...flux(workload, subject),
    ...scaledObjects
      .filter((each) => targets(each, 'Deployment') && !isPaused(each))
      .map((each) => keda(each, subject)),
    ...hpas
      .filter((each) => targets(each, kind) && !isOfKeda(each))
      .map(({ metadata }): Finding => {
        const message = `${subject} is scaled by HorizontalPodAutoscaler ${metadata.name}, which leaves it alone while it is at zero`;
        return { severity: 'warning', code: 'workload-contested', subject, message };
      }),
  ];
}

/** What has an owner is made as the owner says: a database's operator puts back what is changed. */
function ownerOf({ metadata }: Workload, subject: string): Finding[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return [];
  return [
    contended(
      subject,
      `${subject} belongs to ${owner.kind} ${owner.name}, whose operator sets its replicas`,
      `stop that one first (its documentation says how ${owner.kind} is paused), or restore as it says`,
    ),
  ];
}

function argo(workload: Workload, subject: string): Finding[] {
  const tracked = workload.metadata.annotations?.[ARGO_TRACKING];
  if (tracked === undefined || !mayOwnReplicas(workload, /^argocd/)) return [];
  const application = tracked.split(':')[0] ?? tracked;
  return [
    contended(
      subject,
      `${subject} is kept by the Argo CD application ${application}, which may put its replicas back`,
      `argocd app set ${application} --sync-policy none; afterwards set it back`,
    ),
  ];
}

function flux(workload: Workload, subject: string): Finding[] {
  const { labels, annotations } = workload.metadata;
  const label = FLUX.find((each) => labels?.[each] !== undefined);
  if (label === undefined || annotations?.[FLUX_RECONCILE] === 'disabled') return [];
  const kustomized = label === FLUX[0];
  if (!mayOwnReplicas(workload, kustomized ? /^kustomize-controller$/ : /^helm-controller$/)) return [];
  const what = kustomized ? 'kustomization' : 'helmrelease';
  const name = labels?.[label];
  const namespace = labels?.[label.replace('/name', '/namespace')];
  return [
    contended(
      subject,
      `${subject} is kept by the Flux ${what} ${namespace}/${name}, which may put its replicas back`,
      `flux suspend ${what} ${name} -n ${namespace}; afterwards resume it`,
    ),
  ];
}

function keda({ metadata }: Autoscaler, subject: string): Finding {
  return contended(
    subject,
    `${subject} is scaled by ScaledObject ${metadata.name} (KEDA), which starts it again from zero`,
    `kubectl annotate scaledobject -n ${metadata.namespace} ${metadata.name} autoscaling.keda.sh/paused=true; afterwards take it away again`,
  );
}

function isPaused({ metadata }: Autoscaler): boolean {
  return KEDA_PAUSED.some((each) => (metadata.annotations?.[each] ?? 'false') !== 'false');
}

/** KEDA scales by HorizontalPodAutoscalers that it makes: what is said of its object is said once. */
function isOfKeda({ metadata }: Autoscaler): boolean {
  return metadata.ownerReferences?.some(({ kind }) => kind === KEDA.kind) ?? false;
}

/** Where a manifest says nothing of replicas, nobody puts them back. Without managedFields it is not known. */
function mayOwnReplicas({ metadata }: Workload, manager: RegExp): boolean {
  const fields = metadata.managedFields;
  if (fields === undefined) return true;
  const own = fields.filter((each) => manager.test(each.manager ?? ''));
  return own.length === 0 || own.some(({ fieldsV1 }) => 'f:replicas' in ((fieldsV1?.['f:spec'] ?? {}) as object));
}

function contended(subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code: 'workload-contested', subject, message, hint };
}
