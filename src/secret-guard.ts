/**
 * Ties the accounts of policies to Secrets of their own: one that keeps a password with its backups may create Secrets in the
 * registry's namespace, and RBAC cannot limit that by name. A Secret of another type would be worse than a wrong name: of
 * `kubernetes.io/service-account-token` the cluster makes a token of whatever account it names.
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import {
  type AdmissionPolicySpec,
  addAdmissionPolicy,
  labelOf,
  literal,
  noKeeper,
  OWN_NAMESPACE,
  refuse,
  SERVICE_ACCOUNT,
} from './admission-policy';
import { COMPONENTS, LABELS, RECORD_NAME_PATTERN } from './contract';

/**
 * Makes the policy and its binding.
 *
 * @internal
 */
export function guardSecrets(
  scope: Construct,
  registryNamespace: string,
  own: Pick<ApiObjectMetadata, 'labels' | 'annotations'>,
): void {
  const name = `stillpoint.${registryNamespace}.secrets`;
  addAdmissionPolicy(scope, 'SecretPolicy', { ...own, name }, policySpec(registryNamespace));
}

function policySpec(registryNamespace: string): AdmissionPolicySpec {
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': registryNamespace } },
      resourceRules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['secrets'] },
      ],
    },
    matchConditions: [
      SERVICE_ACCOUNT,
      // Who may delete Secrets here keeps the registry, or its Secrets: an admin, a tool that brings them from elsewhere.
      noKeeper('secrets', registryNamespace),
    ],
    variables: [OWN_NAMESPACE],
    validations: [
      refuse(
        `oldObject == null && object.metadata.name.startsWith(variables.own + ".") && object.metadata.name.matches(${literal(RECORD_NAME_PATTERN)})`,
        'may make Secrets only under the names of records of its own namespace',
      ),
      refuse(
        `object.?type.orValue("") == "Opaque" && ${labelOf('object', LABELS.component)} == ${literal(COMPONENTS.kept)}`,
        'may make only Secrets of the type Opaque, with the label of what is kept beside a record',
      ),
    ],
  };
}
