import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ruleOf } from './access';
import { checkLabel } from './checks';
import { type AccessScope, COMPONENTS, DEFAULT_REGISTRY_NAMESPACE, inPlaceAccess } from './contract';
import { invalid } from './invalid';
import { labelsOf, noNamespace } from './objects';
import type { IRegistry } from './registry';

/** Properties of an {@link InPlaceAccess}. */
export interface InPlaceAccessProps {
  /** The group of people, as the cluster's authentication calls it. */
  readonly group: string;

  /** The namespaces of the databases that they may restore in place. */
  readonly namespaces: string[];

  /**
   * Where the records are.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;

  /**
   * Labels of all objects.
   *
   * @default - none beyond Stillpoint's own
   */
  readonly labels?: { [key: string]: string };
}

/**
 * Lets a group of people restore in place (`stillpoint restore --in-place`), in the namespaces that are named: the rights that
 * it takes, and no others. No Job has them.
 *
 * What is cluster-wide among them, the right to change PersistentVolumes, RBAC cannot limit to a namespace: who has it
 * can give any volume of the cluster to another claim.
 *
 * @example
 * new InPlaceAccess(chart, 'dba-in-place', { group: 'dba', namespaces: ['shop'] });
 */
export class InPlaceAccess extends Construct {
  /** The name of the roles; those of the registry and of the cluster have a suffix. */
  public readonly roleName: string;

  constructor(scope: Construct, id: string, props: InPlaceAccessProps) {
    super(scope, id);
    checkLabel(this, 'id', id);
    if (props.namespaces.length === 0) throw invalid(this, 'has no namespaces', 'name those of the databases');
    this.roleName = id;
    const registry = props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
    const labels = labelsOf(COMPONENTS.inPlace, props.labels);
    const subjects = [{ apiGroup: RBAC_GROUP, kind: 'Group', name: props.group }];

    const database = this.addRole('', 'database', labels);
    for (const namespace of props.namespaces) {
      new k8s.KubeRoleBinding(this, `RoleBinding-${namespace}`, {
        metadata: { name: database, namespace, labels },
        roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: database },
        subjects,
      });
    }
    const records = this.addRole('Registry', 'registry', labels);
    new k8s.KubeRoleBinding(this, 'RegistryRoleBinding', {
      metadata: { name: records, namespace: registry, labels },
      roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: records },
      subjects,
    });
    const wide = this.addRole('Cluster', 'cluster', labels);
    new k8s.KubeClusterRoleBinding(this, 'ClusterRoleBinding', {
      metadata: { name: wide, namespace: noNamespace(), labels },
      roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: wide },
      subjects,
    });
  }

  private addRole(part: string, scope: AccessScope, labels: Record<string, string>): string {
    const name = part === '' ? this.roleName : `${this.roleName}-${part.toLowerCase()}`;
    new k8s.KubeClusterRole(this, `${part}Role`, {
      metadata: { name, namespace: noNamespace(), labels },
      rules: inPlaceAccess()
        .filter((need) => need.scope === scope)
        .map(ruleOf),
    });
    return name;
  }
}

const RBAC_GROUP = 'rbac.authorization.k8s.io';
