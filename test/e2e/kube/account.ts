/** An account with just the rights that a policy grants, and a client that acts as it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { connectKube, type KubeClient } from '../../../runner/kube/client';
import type { AccessNeed } from '../../../src/contract';
import { apply, core, remove } from '../harness/cluster';
import { uniqueName } from '../harness/namespace';

const RBAC = 'rbac.authorization.k8s.io/v1';

/** Makes the account in a namespace; what its rights need outside goes when it is disposed of. */
export async function makeAccount(
  namespace: string,
  needs: readonly AccessNeed[],
): Promise<AsyncDisposable & { readonly client: KubeClient }> {
  const name = uniqueName('account');
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const role = (kind: string, scoped: boolean): object[] => {
    const metadata = { name, ...(scoped ? { namespace } : {}) };
    const rules = needs.filter(({ scope }) => (scope !== 'cluster') === scoped).map(ruleOf);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name };
    return [
      { apiVersion: RBAC, kind, metadata, rules },
      { apiVersion: RBAC, kind: `${kind}Binding`, metadata, subjects, roleRef },
    ];
  };
  await apply([
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    ...role('Role', true),
    ...role('ClusterRole', false),
  ]);
  const { client, [Symbol.asyncDispose]: forget } = await clientAs(namespace, name);
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      await forget();
      await remove({ apiVersion: RBAC, kind: 'ClusterRoleBinding' }, name);
      await remove({ apiVersion: RBAC, kind: 'ClusterRole' }, name);
    },
  };
}

/** A client with a token of an account, as somebody has it who got hold of that. */
export async function clientAs(
  namespace: string,
  account: string,
): Promise<AsyncDisposable & { readonly client: KubeClient; readonly kubeconfig: string }> {
  const { status } = await core().createNamespacedServiceAccountToken({
    name: account,
    namespace,
    body: { spec: { audiences: [], expirationSeconds: 3600 } },
  });
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-account-'));
  const file = join(folder, 'kubeconfig');
  const config = parse(await readFile(process.env.KUBECONFIG ?? '', 'utf8'));
  for (const each of config.users) each.user = { token: status?.token };
  await writeFile(file, stringify(config));
  return {
    client: await connectKube({ env: {}, kubeconfig: file }, systemClock),
    kubeconfig: file,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

function ruleOf({ apiGroup, resource, verbs, names }: AccessNeed): object {
  return {
    apiGroups: [apiGroup],
    resources: [resource],
    verbs,
    ...(names === undefined ? {} : { resourceNames: names }),
  };
}
