/**
 * Keeps the registry's namespace until somebody says that it may go (safety rule 14): deleted by mistake, it would have all
 * records marked for deletion at once, and the pruner that would act on that goes at the same time. Whoever asks, since
 * admins err, too. Why it is not asked whether records are in it: docs/decisions/0042-the-registry-namespace-is-kept.md.
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import { addAdmissionPolicy, labelOf, literal } from './admission-policy';
import { LABELS } from './contract';

/**
 * Makes the policy and its binding.
 *
 * @internal
 */
export function guardNamespace(
  scope: Construct,
  registryNamespace: string,
  own: Pick<ApiObjectMetadata, 'labels' | 'annotations'>,
): void {
  const message = [
    `namespace ${registryNamespace} holds the records of backups, which would be lost with it.`,
    'Where there are none left, or they are of no use:',
    `kubectl label namespace ${registryNamespace} ${LABELS.removable}=true`,
  ].join(' ');
  addAdmissionPolicy(
    scope,
    'NamespacePolicy',
    { ...own, name: `stillpoint.${registryNamespace}.namespace` },
    {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['DELETE'],
            resources: ['namespaces'],
            resourceNames: [registryNamespace],
          },
        ],
      },
      validations: [
        { expression: `${labelOf('oldObject', LABELS.removable)} == ${literal('true')}`, message, reason: 'Forbidden' },
      ],
    },
  );
}
