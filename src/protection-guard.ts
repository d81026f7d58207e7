/**
 * Keeps the records of protected backups: nobody deletes one before it is released, not even with kubectl (safety rule 10).
 * A deletion that was once asked for cannot be taken back in Kubernetes, so it is refused.
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import { type AdmissionPolicySpec, addAdmissionPolicy, labelOf, literal } from './admission-policy';
import { COMPONENTS, LABELS } from './contract';

/**
 * Makes the policy and its binding.
 *
 * @internal
 */
export function guardProtected(
  scope: Construct,
  registryNamespace: string,
  own: Pick<ApiObjectMetadata, 'labels' | 'annotations'>,
): void {
  const name = `stillpoint.${registryNamespace}.protected`;
  addAdmissionPolicy(scope, 'ProtectionPolicy', { ...own, name }, policySpec(registryNamespace));
}

function policySpec(registryNamespace: string): AdmissionPolicySpec {
  const isProtected = [[LABELS.component, COMPONENTS.record] as const, [LABELS.protected, 'true'] as const].map(
    ([label, value]) => `${labelOf('oldObject', label)} == ${literal(value)}`,
  );
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': registryNamespace } },
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['configmaps'] }],
    },
    matchConditions: [],
    variables: [],
    validations: [
      {
        expression: `!(${isProtected.join(' && ')})`,
        message: 'the backup is protected, and its record with it: stillpoint release lets it go',
        reason: 'Forbidden',
      },
    ],
  };
}
