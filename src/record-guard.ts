/**
 * Ties the accounts of policies to the records of their own namespace. Each may create and update ConfigMaps in the
 * registry's namespace, and RBAC cannot limit that by label, nor by names that are not known beforehand: so the API
 * server itself is told what to let through. Without it, whoever has the token of one runner could write records of
 * another namespace, and by these the pruner would delete, and a restore would read.
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
import { COMPONENTS, FINALIZER, LABELS, type Phase, POLICY_NAME_PATTERN, RECORD_NAME_PATTERN } from './contract';

/** The phase in which a record is the pruner's alone. */
const DELETING: Phase = 'deleting';
/** The phase before anything is cut: the record of a rehearsal, which has no backup, goes from here. */
const FREEZING: Phase = 'freezing';
/** The phase that a backup of a policy ends in when it is good: nobody but who keeps the registry changes that. */
const SUCCEEDED: Phase = 'succeeded';

/**
 * Makes the policy and its binding.
 *
 * @internal
 */
export function guardRecords(
  scope: Construct,
  registryNamespace: string,
  own: Pick<ApiObjectMetadata, 'labels' | 'annotations'>,
): void {
  const name = `stillpoint.${registryNamespace}.records`;
  addAdmissionPolicy(scope, 'RecordPolicy', { ...own, name }, policySpec(registryNamespace));
}

/** A record by its label or by its name: neither leaving out the label nor dropping it is a way around. */
const isRecord = (object: string): string =>
  `${labelOf(object, LABELS.component)} == ${literal(COMPONENTS.record)} || ${object}.metadata.name.matches(${literal(RECORD_NAME_PATTERN)})`;

/** What is kept of a policy's backups comes from Git, never from the account of a policy. */
const isPolicy = (object: string): string =>
  `${labelOf(object, LABELS.component)} == ${literal(COMPONENTS.policy)} || ${object}.metadata.name.matches(${literal(POLICY_NAME_PATTERN)})`;

/** Either of both: neither what becomes a record nor what is made of one slips through. */
const before = (is: (object: string) => string): string =>
  `${is('object')} || (oldObject != null && (${is('oldObject')}))`;

const isOwn = (object: string): string =>
  `${labelOf(object, LABELS.namespace)} == variables.own && ${object}.metadata.name.startsWith(variables.own + ".")`;

/** The name that a record has to have by its own labels. */
const nameByLabels = (object: string): string =>
  `[${[LABELS.namespace, LABELS.database, LABELS.backup].map((label) => labelOf(object, label)).join(', ')}].join(".")`;

function policySpec(registryNamespace: string): AdmissionPolicySpec {
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': registryNamespace } },
      resourceRules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['configmaps'],
        },
      ],
    },
    matchConditions: [
      { name: 'record', expression: `${before(isRecord)} || ${before(isPolicy)}` },
      SERVICE_ACCOUNT,
      // Who may delete records anyway keeps the registry: the pruner, the controllers of the cluster, its admins.
      noKeeper('configmaps', registryNamespace),
    ],
    variables: [OWN_NAMESPACE],
    validations: [
      refuse(`!(${before(isPolicy)})`, 'may not say what is kept of backups'),
      refuse(
        `${isOwn('object')} && (oldObject == null || (${isOwn('oldObject')}))`,
        'may write records of its own namespace only',
      ),
      refuse(
        `${labelOf('object', LABELS.component)} == ${literal(COMPONENTS.record)} && object.metadata.name == ${nameByLabels('object')}`,
        'may write a record only under the name that its labels make',
      ),
      refuse(
        'oldObject == null || oldObject.metadata.?labels.orValue({}).all(label, label in object.metadata.?labels.orValue({}))',
        'may take no label from a record',
      ),
      refuse(
        `${literal(FINALIZER)} in object.metadata.?finalizers.orValue([])`,
        'may not take the finalizer from a record',
      ),
      refuse(
        `oldObject == null || ${labelOf('oldObject', LABELS.phase)} != ${literal(DELETING)}`,
        'may not change a record that is being deleted',
      ),
      refuse(
        `${labelOf('object', LABELS.phase)} != ${literal(DELETING)} || (oldObject != null && ${labelOf('oldObject', LABELS.phase)} == ${literal(FREEZING)})`,
        'may not have a backup deleted',
      ),
      refuse(
        `oldObject == null || ${labelOf('oldObject', LABELS.phase)} != ${literal(SUCCEEDED)} || ${labelOf('object', LABELS.phase)} == ${literal(SUCCEEDED)}`,
        'may not undo that a backup has succeeded',
      ),
      refuse(
        `oldObject == null || ${labelOf('oldObject', LABELS.protected)} != "true" || ${labelOf('object', LABELS.protected)} == "true"`,
        'may not release a backup',
      ),
    ],
  };
}
