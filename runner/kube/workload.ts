/** What a record keeps of a server's pod and of what made it: enough to start a copy, and no secret. Pure. */
import type { BackupRecord } from '../../src/contract';
import { operatorOf } from '../operators';
import type { Mount, Operator, Probe } from '../ports';
import type { Container, ContainerProbe, Pod, PodSpec, VolumeMount, Workload } from './objects';
import type { KubeObject, OwnerReference } from './resource';

/** The container that the server runs in: the one with the most of the policy's claims, else the first. */
export function serverContainer(pod: Pod, claims: readonly string[]): Container | undefined {
  const sources = claimsOf(pod);
  const score = ({ volumeMounts = [] }: Container): number =>
    new Set(volumeMounts.map(({ name }) => sources.get(name)).filter((claim) => claim && claims.includes(claim))).size;
  const [first, ...others] = pod.spec.containers;
  return others.reduce((best, each) => (best === undefined || score(each) > score(best) ? each : best), first);
}

/** Which start of each container runs, by the names of those that run. */
export function runningIn({ status }: Pod): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (status?.containerStatuses ?? []).flatMap(({ name, state, containerID = '' }) =>
      state?.running === undefined ? [] : [[name, containerID]],
    ),
  );
}

/** Which start of each container that is, from 0 on; of one that is not said to run, the next. */
export function startsIn({ status }: Pod): Readonly<Record<string, number>> {
  return Object.fromEntries(
    (status?.containerStatuses ?? []).map(({ name, state, lastState, restartCount = 0 }) => {
      const ended = state?.terminated !== undefined || lastState?.terminated !== undefined;
      return [name, state?.running === undefined && ended ? restartCount + 1 : restartCount];
    }),
  );
}

/**
 * All that the server's container mounts, as the server sees it, and the claims that only other containers of the pod
 * mount: their paths mean nothing to the server, so they carry the container's name.
 */
export function mountsOf(pod: Pod, server: Container | undefined): readonly Mount[] {
  const sources = claimsOf(pod);
  const own = (server?.volumeMounts ?? []).map((mount) => toMount(mount, sources, ''));
  const seen = new Set(own.map(({ claim }) => claim));
  const others = pod.spec.containers
    .filter((container) => container !== server)
    .flatMap(({ name, volumeMounts = [] }) => volumeMounts.map((mount) => toMount(mount, sources, `${name}:`)))
    .filter(({ claim }) => claim !== undefined && !seen.has(claim));
  return [...own, ...others];
}

function toMount(mount: VolumeMount, claims: ReadonlyMap<string, string>, prefix: string): Mount {
  return {
    path: `${prefix}${mount.mountPath}`,
    volume: mount.name,
    claim: claims.get(mount.name),
    ...(mount.subPath === undefined ? {} : { subPath: mount.subPath }),
    ...(mount.readOnly === undefined ? {} : { readOnly: mount.readOnly }),
  };
}

/** The claims of a pod by the names of its volumes. */
export function claimsOf({ metadata, spec }: Pod): ReadonlyMap<string, string> {
  return new Map(
    (spec.volumes ?? []).flatMap((volume): [string, string][] => {
      if (volume.persistentVolumeClaim !== undefined) return [[volume.name, volume.persistentVolumeClaim.claimName]];
      // Kubernetes calls the claim of an ephemeral volume so.
      if (volume.ephemeral !== undefined) return [[volume.name, `${metadata.name}-${volume.name}`]];
      return [];
    }),
  );
}

/** What owns a pod. */
export interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly object: Workload | undefined;
}

/** The one of an object's owners that controls it. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return (metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
}

/** Who runs a pod, by its labels, by what owns it, and by what owns that. */
export function operatorOfPod(pod: Pod, owner: Owner | undefined): Operator | undefined {
  const owners = [pod, ...(owner?.object === undefined ? [] : [owner.object])].flatMap((object) => {
    const reference = controllerOf(object);
    if (reference === undefined) return [];
    const { apiVersion, kind, name } = reference;
    return [{ group: apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '', kind, name }];
  });
  return operatorOf({ labels: pod.metadata.labels ?? {}, owners });
}

const KINDS_OF_PROBES = ['exec', 'httpGet', 'grpc', 'tcpSocket'] as const;

/** The probes of a container, with the time after which the kubelet acts at the soonest: from one that fails to the last. */
export function probesOf(container: Container | undefined): readonly Probe[] {
  if (container === undefined) return [];
  const { name, livenessProbe, readinessProbe } = container;
  const probe = (kind: Probe['kind'], of: ContainerProbe | undefined): readonly Probe[] => {
    const how = KINDS_OF_PROBES.find((each) => of?.[each] !== undefined);
    if (of === undefined || how === undefined) return [];
    // Kubernetes' own defaults (core/v1, Probe).
    const { periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 } = of;
    return [{ kind, container: name, how, seconds: (failureThreshold - 1) * periodSeconds + timeoutSeconds }];
  };
  return [...probe('liveness', livenessProbe), ...probe('readiness', readinessProbe)];
}

/** What a record keeps of the server's pod, container and owner. */
export function recordedWorkload(
  pod: Pod,
  server: Container | undefined,
  owner: Owner | undefined,
): NonNullable<BackupRecord['workload']> {
  return defined({
    operator: operatorOfPod(pod, owner),
    kind: owner?.kind,
    name: owner?.name,
    pod: pod.metadata.name,
    podUid: pod.metadata.uid,
    image: server?.image,
    spec: owner?.object === undefined ? undefined : keptSpec(owner.object),
    podSecurity: pod.spec.securityContext,
    containerSecurity: server?.securityContext,
  });
}

/**
 * By a list of what is kept, not of what is dropped: environment, commands, arguments, probes and annotations may hold
 * passwords.
 */
function keptSpec({ spec }: Workload): Record<string, unknown> {
  const { replicas, serviceName, podManagementPolicy, selector, template, volumeClaimTemplates } = spec;
  return defined({
    replicas,
    serviceName,
    podManagementPolicy,
    selector,
    template:
      template === undefined
        ? undefined
        : { metadata: defined({ labels: template.metadata?.labels }), spec: keptPod(template.spec) },
    volumeClaimTemplates: volumeClaimTemplates?.map((claim) => ({
      metadata: { name: claim.metadata.name },
      spec: claim.spec,
    })),
  });
}

function keptPod(pod: PodSpec): Record<string, unknown> {
  const { securityContext, nodeSelector, tolerations, priorityClassName, runtimeClassName, imagePullSecrets } = pod;
  return defined({
    containers: pod.containers.map(({ name, image, ports, resources, volumeMounts, securityContext: security }) =>
      defined({ name, image, ports, resources, volumeMounts, securityContext: security }),
    ),
    volumes: pod.volumes?.map((volume) => {
      const { name, persistentVolumeClaim, emptyDir, configMap, secret } = volume;
      return defined({ name, persistentVolumeClaim, emptyDir, configMap, secret });
    }),
    securityContext,
    nodeSelector,
    tolerations,
    priorityClassName,
    runtimeClassName,
    imagePullSecrets,
  });
}

function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
