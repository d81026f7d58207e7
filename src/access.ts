import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import type { AccessNeed, AccessScope } from './contract';
import { noNamespace } from './objects';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

/**
 * An account, and where its rights hold.
 *
 * @internal
 */
export interface Grant {
  readonly accountName: string;
  readonly accountNamespace: string;
  readonly registryNamespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Makes an account and gives it the rights that it needs, and no other: a Role in its own namespace, one in the
 * registry's, and a ClusterRole for what has no namespace, each only where something falls under it.
 *
 * @internal
 */
export function grantAccess(scope: Construct, needs: readonly AccessNeed[], grant: Grant): void {
  const { labels, annotations, accountName, accountNamespace } = grant;
  new k8s.KubeServiceAccount(scope, 'ServiceAccount', {
    metadata: { name: accountName, namespace: accountNamespace, labels, annotations },
    // Pods that work with it say so; another pod that runs under this account by mistake gets no token.
    automountServiceAccountToken: false,
  });
  for (const part of ['database', 'registry', 'cluster'] as const) {
    const rules = needs.filter((need) => need.scope === part).map(ruleOf);
    if (rules.length > 0) bind(scope, part, rules, grant);
  }
}

const CHILD_ID: Readonly<Record<AccessScope, string>> = {
  database: '',
  registry: 'Registry',
  cluster: 'Cluster',
};

function bind(scope: Construct, part: AccessScope, rules: k8s.PolicyRule[], grant: Grant): void {
  const id = CHILD_ID[part];
  const metadata = bindingMetadata(part, grant);
  const subjects = [{ kind: 'ServiceAccount', name: grant.accountName, namespace: grant.accountNamespace }];
  const roleRef = (kind: string): k8s.RoleRef => ({ apiGroup: RBAC_GROUP, kind, name: `${metadata.name}` });
  if (part === 'cluster') {
    new k8s.KubeClusterRole(scope, `${id}Role`, { metadata, rules });
    new k8s.KubeClusterRoleBinding(scope, `${id}RoleBinding`, { metadata, roleRef: roleRef('ClusterRole'), subjects });
  } else {
    new k8s.KubeRole(scope, `${id}Role`, { metadata, rules });
    new k8s.KubeRoleBinding(scope, `${id}RoleBinding`, { metadata, roleRef: roleRef('Role'), subjects });
  }
}

/** Outside its own namespace a role's name carries that namespace; the dots keep the parts apart. */
function bindingMetadata(part: AccessScope, grant: Grant): k8s.ObjectMeta {
  const { accountName, accountNamespace, registryNamespace, labels, annotations } = grant;
  if (part === 'database') return { name: accountName, namespace: accountNamespace, labels, annotations };
  return {
    name: `stillpoint.${accountNamespace}.${accountName}`,
    namespace: part === 'registry' ? registryNamespace : noNamespace(),
    labels,
    annotations,
  };
}

/**
 * A need as a rule of a role.
 *
 * @internal
 */
export function ruleOf({ apiGroup, resource, verbs, names }: AccessNeed): k8s.PolicyRule {
  return {
    apiGroups: [apiGroup],
    resources: [resource],
    verbs: [...verbs],
    ...(names === undefined ? {} : { resourceNames: [...names] }),
  };
}
