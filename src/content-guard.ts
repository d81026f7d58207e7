/**
 * Ties the accounts that may make VolumeSnapshotContents, for direct cuts, imports and clones, to what these need: contents of
 * their own namespace that retain. RBAC can limit neither. What no expression can tell is whose volume a handle names: an account
 * with this right can have any volume of a driver cut, and read it (docs/safety.md).
 */
import type { ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import {
  ACCOUNT_NAME,
  type AdmissionPolicySpec,
  addAdmissionPolicy,
  labelOf,
  literal,
  OWN_NAMESPACE,
  refuse,
  SERVICE_ACCOUNT,
} from './admission-policy';
import {
  COMPONENTS,
  cutContentName,
  directContentName,
  HELD_ACCOUNT_PREFIX,
  IMPORT_CONTENT_PREFIX,
  LABELS,
  MANAGED_BY,
  RESTORE_CONTENT_PREFIX,
} from './contract';

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

/**
 * A cut is asked for of a volume; everything else names a snapshot that is there. Each has names of its own; those that
 * people see carry the namespace.
 */
const NAMED_BY_WHAT_IT_IS = [
  `has(object.spec.source.volumeHandle) && object.metadata.name.startsWith(${literal(cutContentName(''))})`,
  ...[literal(directContentName('')), ownPrefix(IMPORT_CONTENT_PREFIX), ownPrefix(RESTORE_CONTENT_PREFIX)].map(
    (prefix) => `has(object.spec.source.snapshotHandle) && object.metadata.name.startsWith(${prefix})`,
  ),
]
  .map((way) => `(${way})`)
  .join(' || ');

/** The names that carry the account's own namespace. */
function ownPrefix(prefix: string): string {
  return `${literal(prefix)} + variables.own + "."`;
}

/** The snapshots of a backup, and those that a restore lends itself: these are labelled as the backup is. */
const SAYS_WHAT_IT_IS = [
  `${labelOf('object', LABELS.component)} == ${literal(COMPONENTS.restore)}`,
  `(${labelOf('object', LABELS.component)} == ${literal(COMPONENTS.snapshot)} && ${labelOf('object', LABELS.namespace)} == variables.own)`,
].join(' || ');

function policySpec(): AdmissionPolicySpec {
  const can = (verb: string): string =>
    `authorizer.group(${literal(GROUP)}).resource(${literal(CONTENTS)}).check(${literal(verb)}).allowed()`;
  const made = (expression: string): string => `request.operation == "DELETE" || (${expression})`;
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [
        { apiGroups: [GROUP], apiVersions: ['*'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: [CONTENTS] },
      ],
    },
    matchConditions: [
      SERVICE_ACCOUNT,
      // Who may delete contents anyway keeps them: the snapshot controller, the pruner, the cluster's admins. Who may
      // change them and not make any is a driver's sidecar. Accounts of imports and clones remove what they have made
      // themselves, and are told by their names.
      {
        name: 'no-keeper',
        expression: `${can('create')} && (!${can('delete')} || ${ACCOUNT_NAME}.startsWith(${literal(HELD_ACCOUNT_PREFIX)}))`,
      },
    ],
    variables: [OWN_NAMESPACE],
    validations: [
      refuse('request.operation != "UPDATE"', 'may change no content'),
      refuse(
        made('object.spec.volumeSnapshotRef.?namespace.orValue("") == variables.own'),
        'may make contents for its own namespace only',
      ),
      refuse(made('object.spec.deletionPolicy == "Retain"'), 'may make no content that deletes'),
      refuse(
        made(`${labelOf('object', LABELS.managedBy)} == ${literal(MANAGED_BY)} && (${SAYS_WHAT_IT_IS})`),
        'may make contents only that say what they are',
      ),
      refuse(made(NAMED_BY_WHAT_IT_IS), 'may make contents only under the names of direct cuts, imports and restores'),
      refuse(
        `request.operation != "DELETE" || (oldObject.spec.volumeSnapshotRef.?namespace.orValue("") == variables.own && ${labelOf('oldObject', LABELS.managedBy)} == ${literal(MANAGED_BY)} && oldObject.spec.deletionPolicy == "Retain" && (oldObject.metadata.name.startsWith(${ownPrefix(IMPORT_CONTENT_PREFIX)}) || oldObject.metadata.name.startsWith(${ownPrefix(RESTORE_CONTENT_PREFIX)})))`,
        'may delete only contents of imports and restores into its own namespace, and none that deletes what it names',
      ),
    ],
  };
}
