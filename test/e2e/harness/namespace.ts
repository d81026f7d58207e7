import { randomBytes } from 'node:crypto';
import { apply, KINDS, list, patch, read, remove } from './cluster';
import { forgetContents, forgetMembers } from './contents';
import { thisRun } from './this-run';
import { eventually } from './wait';

/** The label of all namespaces of a run; its value is the run's registry. */
export const RUN_LABEL = 'stillpoint-e2e';

/** The kinds of what policies and a registry have outside of their namespace, in the order to remove them in. */
export const RIGHT_KINDS = [
  KINDS.clusterRoleBinding,
  KINDS.clusterRole,
  KINDS.admissionPolicyBinding,
  KINDS.admissionPolicy,
] as const;

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
  await forgetContents((namespace) => namespace === name);
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
  for (const kind of RIGHT_KINDS) {
    for (const { metadata } of await list(kind)) {
      if (metadata?.name?.startsWith(`stillpoint.${namespace}.`)) await remove(kind, metadata.name);
    }
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
    const isGone = async (): Promise<boolean> => {
      await forgetMembers(name);
      return (await read(KINDS.namespace, name)) === undefined;
    };
    // The bench of many databases leaves four hundred pods and as many volumes.
    await eventually(`namespace ${name} is gone`, isGone, { seconds: 900 });
  }
}
