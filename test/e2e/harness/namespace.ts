import { randomBytes } from 'node:crypto';
import { apply, KINDS, list, patch, read, remove } from './cluster';
import { thisRun } from './this-run';
import { eventually } from './wait';

/** The label of all namespaces of a run; its value is the run's registry. */
export const RUN_LABEL = 'stillpoint-e2e';

/** A name that no other run has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(3).toString('hex')}`;
}

/** A namespace of a test's own. */
export interface TestNamespace extends AsyncDisposable {
  readonly name: string;
}

/** Makes a namespace. Disposed of, it is gone with all that it had, on the storage too. */
export async function makeNamespace(purpose: string): Promise<TestNamespace> {
  const name = uniqueName(`e2e-${purpose}`);
  await apply([{ ...KINDS.namespace, metadata: { name, labels: { [RUN_LABEL]: thisRun.registry } } }]);
  return { name, [Symbol.asyncDispose]: () => removeNamespace(name) };
}

/**
 * Removes a namespace, and what classes that retain would keep of it on the storage. It goes in the background: the end
 * of the run waits for it.
 */
export async function removeNamespace(name: string): Promise<void> {
  await forgetContents(name);
  for (const volume of await list(KINDS.volume)) {
    if (volume.spec.claimRef?.namespace !== name) continue;
    await patch(KINDS.volume, volume.metadata?.name ?? '', '', { spec: { persistentVolumeReclaimPolicy: 'Delete' } });
  }
  await removeWithRights(name);
}

/** The API server may hold to a policy for a moment after that is gone: one keeps the namespace of a registry. */
async function removeWithRights(namespace: string): Promise<void> {
  await forgetRights(namespace);
  await eventually(`namespace ${namespace} is let go`, async () => {
    await remove(KINDS.namespace, namespace);
    return true;
  });
}

/** What policies and a registry have outside of their namespace carries that in its name. */
async function forgetRights(namespace: string): Promise<void> {
  const { clusterRoleBinding, clusterRole, admissionPolicyBinding, admissionPolicy } = KINDS;
  for (const kind of [clusterRoleBinding, clusterRole, admissionPolicyBinding, admissionPolicy]) {
    for (const { metadata } of await list(kind)) {
      if (metadata?.name?.startsWith(`stillpoint.${namespace}.`)) await remove(kind, metadata.name);
    }
  }
}

/** Lets the storage delete what the contents of a namespace's snapshots stand for. */
async function forgetContents(namespace: string): Promise<void> {
  for (const { metadata, spec } of await list(KINDS.snapshotContent)) {
    const { volumeSnapshotRef } = spec;
    if (volumeSnapshotRef.namespace !== namespace) continue;
    const name = metadata?.name ?? '';
    await patch(KINDS.snapshotContent, name, '', { spec: { deletionPolicy: 'Delete' } });
    const owner = await read(KINDS.snapshot, volumeSnapshotRef.name, namespace);
    if (owner !== undefined && owner.metadata?.uid === volumeSnapshotRef.uid) continue;
    // With nobody to let it go, the sidecar waits for this word.
    const annotations = { 'snapshot.storage.kubernetes.io/volumesnapshot-being-deleted': 'yes' };
    await patch(KINDS.snapshotContent, name, '', { metadata: { annotations } });
    await remove(KINDS.snapshotContent, name);
  }
}

/** Lets the records of a registry go without their data. */
async function forgetRecords(registry: string): Promise<void> {
  for (const { metadata } of await list(KINDS.configMap, registry)) {
    if ((metadata?.finalizers ?? []).length === 0) continue;
    await patch(KINDS.configMap, metadata?.name ?? '', registry, { metadata: { finalizers: null } });
  }
}

/** Removes the namespaces of a run that are still there, the registry last, and waits until all are gone. */
export async function removeNamespacesOf(registry: string): Promise<void> {
  const left = (await list(KINDS.namespace, undefined, `${RUN_LABEL}=${registry}`)).map(
    ({ metadata }) => metadata?.name ?? '',
  );
  for (const name of left) await removeNamespace(name);
  // Some tests have a second registry: the pruner that would take its records' data along is not there.
  for (const name of [...left, registry]) await forgetRecords(name);
  await removeWithRights(registry);
  for (const name of [...left, registry]) {
    await eventually(`namespace ${name} is gone`, async () => (await read(KINDS.namespace, name)) === undefined, {
      // The bench of many databases leaves four hundred pods and as many volumes.
      seconds: 900,
    });
  }
}
