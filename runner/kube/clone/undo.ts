/** What there is of clones, found by their labels alone: so it works after any crash, and touches nothing else. */
import { cloneNames, LABELS } from '../../../src/contract';
import type { KubeClient } from '../client';
import { CONFIG_MAPS, type ConfigMap, NETWORK_POLICIES, SECRETS, SERVICES, STATEFUL_SETS } from '../objects';
import type { KubeObject, Resource } from '../resource';
import { type Found, nameOfFound, remove, undoRestore } from '../restore/undo';
import type { Waiting } from '../until';
import { infoOf } from './book';
import { cloneSelector, seriesSelector } from './labels';

/** The books of the clones in a namespace, or in all. */
export async function findBooks(
  client: KubeClient,
  namespace: string | undefined,
  labels = cloneSelector(),
): Promise<readonly ConfigMap[]> {
  const { items } = await client.list(CONFIG_MAPS, { namespace, labels });
  return items.toSorted((one, other) => (infoOf(one).created < infoOf(other).created ? -1 : 1));
}

/** All that a clone has but its volumes, in the order in which it goes: who uses the volumes first, what tells of it last. */
async function findClone(
  client: KubeClient,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Promise<{ readonly before: readonly Found[]; readonly books: readonly Found[] }> {
  const find = async <T extends KubeObject>(kind: Resource<T>, what: string): Promise<Found[]> => {
    const { items } = await client.list(kind, { namespace, labels });
    return items.map((object) => ({ kind, what, object }) as unknown as Found);
  };
  const before = await Promise.all([
    find(STATEFUL_SETS, 'StatefulSet'),
    find(SERVICES, 'Service'),
    find(NETWORK_POLICIES, 'NetworkPolicy'),
    findLogin(client, namespace, labels),
  ]);
  return { before: before.flat(), books: await find(CONFIG_MAPS, 'ConfigMap') };
}

/** By its name: the right to list Secrets is a key to all of them. */
async function findLogin(
  client: KubeClient,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Promise<Found[]> {
  const clone = labels[LABELS.clone];
  if (clone === undefined) return [];
  const object = await client.get(SECRETS, { name: cloneNames(clone).login, namespace });
  const own = Object.entries(labels).every(([name, value]) => object?.metadata.labels?.[name] === value);
  return object !== undefined && own ? [{ kind: SECRETS, what: 'Secret', object } as unknown as Found] : [];
}

/**
 * Removes a clone and waits until it is gone. Refuses, before anything goes, when a pod of somebody else's uses one of
 * its claims: it is somebody's database by now.
 */
export async function undoOne(
  waiting: Waiting,
  namespace: string,
  name: string,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const { before, books } = await findClone(waiting.client, namespace, cloneSelector(name));
  if (before.length + books.length === 0) return { removed: [], kept: [] };
  const volumes = await undoRestore(waiting, namespace, name, {
    // With the StatefulSet its pod goes, which is on the claims.
    first: async () => {
      for (const each of before) await removeOne(waiting, each);
    },
    isOwn: ({ metadata: { labels = {} } }) =>
      Object.entries(cloneSelector(name)).every(([label, value]) => labels[label] === value),
  });
  for (const book of books) await remove(waiting, book);
  return { removed: [...before.map(nameOfFound), ...volumes.removed, ...books.map(nameOfFound)], kept: volumes.kept };
}

/** Removes a series: its clones, and the Service that led to them. */
export async function undoSeries(
  waiting: Waiting,
  namespace: string,
  series: string,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const labels = seriesSelector(series);
  const removed: string[] = [];
  const kept: string[] = [];
  for (const book of await findBooks(waiting.client, namespace, labels)) {
    const undone = await undoOne(waiting, namespace, book.metadata.labels?.[LABELS.clone] ?? '');
    removed.push(...undone.removed);
    kept.push(...undone.kept);
  }
  const { before } = await findClone(waiting.client, namespace, labels);
  for (const each of before) await removeOne(waiting, each);
  return { removed: [...removed, ...before.map(nameOfFound)], kept };
}

/** A Secret goes at once, and to see it go takes the right to watch all of them. */
async function removeOne(waiting: Waiting, found: Found): Promise<void> {
  const { kind, object } = found;
  if (kind.plural !== SECRETS.plural) return await remove(waiting, found);
  const { name, namespace, uid } = object.metadata;
  await waiting.client.delete(kind, { name, namespace }, { uid }, waiting.signal);
}
