/** Where databases and their volumes are, in a cluster. */
import {
  type AccessNeed,
  type DatabaseResource,
  DEFAULT_REGISTRY_NAMESPACE,
  type RecordedResource,
  type VolumeSelection,
} from '../../src/contract';
import { StillpointError } from '../errors';
import type { Finding, FoundServer, Platform, ServerPlace, Volume } from '../ports';
import { withoutPasswords } from '../resource-spec';
import { type AccessHints, checkAccess } from './access-check';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { isReady } from './in-place/workload';
import { DEPLOYMENTS, NAMESPACES, PODS, type Pod, REPLICA_SETS, STATEFUL_SETS, type Workload } from './objects';
import { customKind, type KubeObject, type OwnerReference, type Resource } from './resource';
import { resolveVolumes } from './volumes';
import {
  claimsOf,
  controllerOf,
  mountsOf,
  type Owner,
  operatorOfPod,
  probesOf,
  recordedWorkload,
  runningIn,
  serverContainer,
  startsIn,
} from './workload';

type RecordedResourceParts = Pick<RecordedResource, 'labels' | 'spec'>;

export interface KubernetesPlatformOptions {
  /** The database's namespace. */
  readonly namespace: string;
  /** Where the records live. */
  readonly registryNamespace?: string | undefined;
  /** What the account has to be allowed to. */
  readonly needs: readonly AccessNeed[];
  /** What to do where one of them is missing. */
  readonly hints: AccessHints;
}

export class KubernetesPlatform implements Platform {
  readonly #client: KubeClient;
  readonly #options: KubernetesPlatformOptions;
  readonly #owners = new Map<string, Promise<Owner | undefined>>();
  #claims: readonly string[] = [];

  constructor(client: KubeClient, options: KubernetesPlatformOptions) {
    this.#client = client;
    this.#options = options;
  }

  async resolveVolumes(selections: readonly VolumeSelection[]): Promise<readonly Volume[]> {
    const volumes = await resolveVolumes(this.#client, this.#options.namespace, selections);
    this.#claims = [...this.#claims, ...volumes.map(({ claim }) => claim)];
    return volumes;
  }

  async readResource(resource: DatabaseResource): Promise<RecordedResourceParts> {
    const { namespace } = this.#options;
    const { name } = resource;
    const kind = customKind(resource);
    const found = await this.#client.get(kind, { name, namespace });
    if (found === undefined) {
      throw new StillpointError('resource-not-found', `there is no ${kind.kind} ${namespace}/${name}`, {
        hint: `see which there are: kubectl get ${kind.plural}.${kind.group} -n ${namespace}`,
      });
    }
    return { labels: found.metadata.labels ?? {}, spec: withoutPasswords(found.spec) };
  }

  async findServers(
    matchLabels: Readonly<Record<string, string>>,
    variables: readonly string[] = [],
  ): Promise<readonly FoundServer[]> {
    const { namespace } = this.#options;
    const { items } = await this.#client.list(PODS, { namespace, labels: matchLabels });
    return items.map((pod) => ({
      name: pod.metadata.name,
      address: pod.status?.podIP,
      ready: isReady(pod),
      labels: pod.metadata.labels ?? {},
      environment: environmentOf(pod, variables),
    }));
  }

  async placeOf(address: string | undefined, hostname?: string): Promise<ServerPlace | undefined> {
    const pod = this.#only(await this.#podsOf(address, hostname));
    if (pod === undefined) return undefined;
    // A place that was found by a name alone is to be confirmed at its address.
    const where = address === undefined ? pod.status?.podIP : undefined;
    if (address === undefined && where === undefined) return undefined;
    const { name, uid = '' } = pod.metadata;
    const server = serverContainer(pod, this.#claims);
    if (!this.#owners.has(uid)) this.#owners.set(uid, this.#ownerOf(pod));
    const owner = await this.#owners.get(uid);
    return {
      uid,
      name: `pod ${this.#options.namespace}/${name}`,
      container: server?.name,
      running: runningIn(pod),
      starts: startsIn(pod),
      ...(pod.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
      ...(where === undefined ? {} : { address: where }),
      mounts: mountsOf(pod, server),
      probes: probesOf(server),
      operator: operatorOfPod(pod, owner),
      workload: recordedWorkload(pod, server, owner),
    };
  }

  checkAccess(): Promise<readonly Finding[]> {
    const { namespace, registryNamespace = DEFAULT_REGISTRY_NAMESPACE, needs, hints } = this.#options;
    return checkAccess(this.#client, needs, { database: namespace, registry: registryNamespace }, hints);
  }

  /** The namespace kube-system is as old as its cluster, and is never replaced. */
  async clusterUid(): Promise<string | undefined> {
    const found = await this.#ifAllowed(NAMESPACES, { name: 'kube-system' });
    return found?.metadata.uid;
  }

  async #podsOf(address: string | undefined, hostname: string | undefined): Promise<readonly Pod[]> {
    if (address !== undefined) return await this.#podsAt(address);
    return hostname === undefined ? [] : await this.#podsNamed(hostname);
  }

  /** A container's host name is its pod's name, unless the pod says another. */
  async #podsNamed(hostname: string): Promise<readonly Pod[]> {
    const { namespace } = this.#options;
    const named = await this.#client.list(PODS, { namespace, fields: { 'metadata.name': hostname } });
    if (named.items.length > 0) return named.items;
    const all = await this.#client.list(PODS, { namespace });
    return all.items.filter(({ spec }) => spec.hostname === hostname);
  }

  async #podsAt(address: string): Promise<readonly Pod[]> {
    const { namespace } = this.#options;
    // PostgreSQL's inet type may add the length of the network.
    const ip = address.replace(/\/\d+$/, '');
    const first = await this.#client.list(PODS, { namespace, fields: { 'status.podIP': ip } });
    if (first.items.length > 0) return first.items;
    // A pod's second address (IPv4 beside IPv6) is no field that one can select by.
    const all = await this.#client.list(PODS, { namespace });
    return all.items.filter(({ status }) => (status?.podIPs ?? []).some((each) => each.ip === ip));
  }

  /** Ended pods keep their address, and pods in the node's own network share it: those with the policy's claims count. */
  #only(pods: readonly Pod[]): Pod | undefined {
    const running = pods.filter(({ status }) => status?.phase === 'Running');
    if (running.length <= 1) return running[0];
    const ours = running.filter((pod) => [...claimsOf(pod).values()].some((claim) => this.#claims.includes(claim)));
    return ours.length === 1 ? ours[0] : undefined;
  }

  async #ownerOf(pod: Pod): Promise<Owner | undefined> {
    const owner = controllerOf(pod);
    if (owner === undefined) return undefined;
    if (owner.kind === 'StatefulSet') return this.#owner(STATEFUL_SETS, owner);
    if (owner.kind !== 'ReplicaSet') return { kind: owner.kind, name: owner.name, object: undefined };
    const { namespace } = this.#options;
    const replicaSet = await this.#ifAllowed(REPLICA_SETS, { name: owner.name, namespace });
    const deployment = replicaSet === undefined ? undefined : controllerOf(replicaSet);
    if (deployment?.kind !== 'Deployment') return { kind: owner.kind, name: owner.name, object: replicaSet };
    return this.#owner(DEPLOYMENTS, deployment);
  }

  async #owner(kind: Resource<Workload>, { name }: OwnerReference): Promise<Owner> {
    const { namespace } = this.#options;
    return { kind: kind.kind, name, object: await this.#ifAllowed(kind, { name, namespace }) };
  }

  /** For what the record would rather have, but a backup does not need. */
  async #ifAllowed<T extends KubeObject>(
    kind: Resource<T>,
    ref: { readonly name: string; readonly namespace?: string },
  ): Promise<T | undefined> {
    try {
      return await this.#client.get(kind, ref);
    } catch (thrown) {
      if (isForbidden(thrown)) return undefined;
      throw thrown;
    }
  }
}

/** What the manifest of a pod says itself of some variables; one that a Secret or a ConfigMap gives says nothing. */
function environmentOf({ spec }: Pod, variables: readonly string[]): Readonly<Record<string, string>> {
  const said = spec.containers.flatMap(({ env = [] }) => env);
  return Object.fromEntries(
    said.flatMap(({ name, value }) => (variables.includes(name) && value !== undefined ? [[name, value]] : [])),
  );
}
