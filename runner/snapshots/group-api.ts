/** Which version of the group snapshot API a cluster has, and how a group names its claims. */
import type { KubeClient } from '../kube/client';
import type { Volume } from '../ports';
import { GROUP_VERSIONS, type GroupKinds, groupKinds } from './objects';

const known = new WeakMap<KubeClient, Promise<GroupKinds | undefined>>();

/**
 * The newest version that the cluster serves and that is understood here; undefined when there is none. Asked for once: the
 * checks do it, so that it is known when databases are held.
 */
export function apiOfGroups(client: KubeClient): Promise<GroupKinds | undefined> {
  const found = known.get(client) ?? discover(client);
  known.set(client, found);
  found.catch(() => known.delete(client));
  return found;
}

async function discover(client: KubeClient): Promise<GroupKinds | undefined> {
  for (const version of GROUP_VERSIONS) {
    const kinds = groupKinds(version);
    if (await client.serves(kinds.snapshots)) return kinds;
  }
  return undefined;
}

/**
 * The labels by which a group snapshot selects exactly these claims, as far as labels can: those that all of them
 * carry with the same value. Empty when they have none in common.
 */
export function commonLabels(volumes: readonly Volume[]): Readonly<Record<string, string>> {
  const [first, ...others] = volumes.map(({ claimLabels }) => claimLabels ?? {});
  const common = Object.entries(first ?? {}).filter(([key, value]) => others.every((labels) => labels[key] === value));
  return Object.fromEntries(common);
}
