/**
 * Ties the accounts that may make VolumeSnapshotContents, for direct cuts, to what such a cut needs: a content of their own
 * namespace that retains. RBAC can limit neither. What no expression can tell is whose volume a handle names: an account
 * with this right can have any volume of a driver cut, and read it (docs/safety.md).
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import {
  type AdmissionPolicySpec,
  addAdmissionPolicy,
  labelOf,
  literal,
  OWN_NAMESPACE,
  refuse,
  SERVICE_ACCOUNT,
} from './admission-policy';
import { COMPONENTS, cutContentName, directContentName, LABELS, MANAGED_BY } from './contract';

/**
 * Makes the policy and its binding.
 *
 * @internal
 */
export function guardContents(
  scope: Construct,
  registryNamespace: string,
  own: Pick<ApiObjectMetadata, 'labels' | 'annotations'>,
): void {
  const name = `stillpoint.${registryNamespace}.contents`;
  addAdmissionPolicy(scope, 'ContentPolicy', { ...own, name }, policySpec());
}

const GROUP = 'snapshot.storage.k8s.io';
const CONTENTS = 'volumesnapshotcontents';

/** A cut is asked for of a volume; what stands for it names a snapshot that is there. Each has names of its own. */
const NAMED_BY_WHAT_IT_IS = [
  `has(object.spec.source.volumeHandle) && object.metadata.name.startsWith(${literal(cutContentName(''))})`,
  `has(object.spec.source.snapshotHandle) && object.metadata.name.startsWith(${literal(directContentName(''))})`,
]
  .map((way) => `(${way})`)
  .join(' || ');

function policySpec(): AdmissionPolicySpec {
  const can = (verb: string): string =>
    `authorizer.group(${literal(GROUP)}).resource(${literal(CONTENTS)}).check(${literal(verb)}).allowed()`;
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [
        { apiGroups: [GROUP], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: [CONTENTS] },
      ],
    },
    matchConditions: [
      SERVICE_ACCOUNT,
      // Who may delete contents anyway keeps them: the snapshot controller, the pruner, the cluster's admins. Who may
      // change them and not make any is a driver's sidecar.
      { name: 'no-keeper', expression: `!${can('delete')} && ${can('create')}` },
    ],
    variables: [OWN_NAMESPACE],
    validations: [
      refuse('oldObject == null', 'may change no content'),
      refuse(
        `object.spec.volumeSnapshotRef.?namespace.orValue("") == variables.own && ${labelOf('object', LABELS.namespace)} == variables.own`,
        'may make contents for its own namespace only',
      ),
      refuse('object.spec.deletionPolicy == "Retain"', 'may make no content that deletes'),
      refuse(
        [[LABELS.managedBy, MANAGED_BY] as const, [LABELS.component, COMPONENTS.snapshot] as const]
          .map(([label, value]) => `${labelOf('object', label)} == ${literal(value)}`)
          .join(' && '),
        'may make contents only that say what they are',
      ),
      refuse(NAMED_BY_WHAT_IT_IS, 'may make contents only under the names of direct cuts'),
    ],
  };
}
