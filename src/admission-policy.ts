/** A ValidatingAdmissionPolicy with its binding; cdk8s-plus-28 is of a time before it was generally available. */
import { ApiObject, type ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import { noNamespace } from './objects';

const API_VERSION = 'admissionregistration.k8s.io/v1';

/**
 * What is used of the spec of a ValidatingAdmissionPolicy.
 *
 * @internal
 */
export interface AdmissionPolicySpec {
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly matchConstraints: {
    readonly namespaceSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly resourceRules: readonly {
      readonly apiGroups: readonly string[];
      readonly apiVersions: readonly string[];
      readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT')[];
      readonly resources: readonly string[];
      readonly resourceNames?: readonly string[];
    }[];
  };
  readonly matchConditions?: readonly Named[];
  readonly variables?: readonly Named[];
  readonly validations: readonly Validation[];
}

interface Named {
  readonly name: string;
  readonly expression: string;
}

/**
 * What an expression has to hold of, and what is said otherwise.
 *
 * @internal
 */
export interface Validation {
  readonly expression: string;
  readonly message?: string;
  /** Says it with what is known only then. */
  readonly messageExpression?: string;
  readonly reason: 'Forbidden';
}

interface AdmissionPolicyBindingSpec {
  readonly policyName: string;
  readonly validationActions: readonly 'Deny'[];
}

/**
 * Makes a policy and its binding, which denies.
 *
 * @internal
 */
export function addAdmissionPolicy(
  scope: Construct,
  id: string,
  metadata: Pick<ApiObjectMetadata, 'labels' | 'annotations'> & { readonly name: string },
  spec: AdmissionPolicySpec,
): void {
  const wide: ApiObjectMetadata = { ...metadata, namespace: noNamespace() };
  new ApiObject(scope, id, { apiVersion: API_VERSION, kind: 'ValidatingAdmissionPolicy', metadata: wide, spec });
  const binding: AdmissionPolicyBindingSpec = {
    policyName: metadata.name,
    validationActions: ['Deny'],
  };
  new ApiObject(scope, `${id}Binding`, {
    apiVersion: API_VERSION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: wide,
    spec: binding,
  });
}

/**
 * Text as a literal of CEL, which has JSON's escapes.
 *
 * @internal
 */
export const literal = (text: string): string => JSON.stringify(text);

/**
 * The value of a label, or nothing.
 *
 * @internal
 */
export const labelOf = (object: string, label: string): string =>
  `${object}.metadata.?labels[?${literal(label)}].orValue("")`;

/**
 * Refuses what an expression does not hold of. The API server names the object before the message.
 *
 * @internal
 */
export const refuse = (expression: string, why: string): Validation => ({
  expression,
  message: `the account of a policy ${why}`,
  reason: 'Forbidden',
});

/**
 * Whether a service account asks.
 *
 * @internal
 */
export const SERVICE_ACCOUNT: Named = {
  name: 'service-account',
  expression: 'request.userInfo.username.startsWith("system:serviceaccount:")',
};

/**
 * Whether the account that asks is none of those that may delete objects of a kind in a namespace: these keep them anyway.
 *
 * @internal
 */
export const noKeeper = (resource: string, namespace: string): Named => ({
  name: 'no-keeper',
  expression: `!authorizer.group("").resource(${literal(resource)}).namespace(${literal(namespace)}).check("delete").allowed()`,
});

/**
 * The name of the service account that asks.
 *
 * @internal
 */
export const ACCOUNT_NAME = 'request.userInfo.username.split(":")[3]';

/**
 * The namespace of the service account that asks.
 *
 * @internal
 */
export const OWN_NAMESPACE: Named = { name: 'own', expression: 'request.userInfo.username.split(":")[2]' };
