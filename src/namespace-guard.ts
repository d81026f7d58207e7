/**
 * Keeps the registry's namespace as long as records are in it (safety rule 14): deleted with them, all of them are marked for
 * deletion at once, and the pruner that would act on that goes at the same time. Whoever asks, since admins err, too.
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import { addAdmissionPolicy, literal } from './admission-policy';
import { COMPONENTS, LABELS } from './contract';

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
  const said = [
    `${literal(`the registry ${registryNamespace} holds records of backups, as `)} + params.metadata.name + `,
    literal(': the backups would be lost with it. Delete them first (stillpoint list -A, stillpoint delete)'),
  ].join('');
  addAdmissionPolicy(
    scope,
    'NamespacePolicy',
    { ...own, name: `stillpoint.${registryNamespace}.namespace` },
    {
      failurePolicy: 'Fail',
      // Asked once for each record, since an expression cannot list any; without one, nobody is asked.
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
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
      validations: [{ expression: 'false', messageExpression: said, reason: 'Forbidden' }],
    },
    {
      namespace: registryNamespace,
      selector: { matchLabels: { [LABELS.component]: COMPONENTS.record } },
      parameterNotFoundAction: 'Allow',
    },
  );
}
