/**
 * Keeps the account of a policy to the commands of its hooks. RBAC can say in which pod it may run something, and not what:
 * without this, the right to run a hook is the right to run anything there.
 */
import type { Construct } from 'constructs';
import { type AdmissionPolicySpec, addAdmissionPolicy, literal, refuse } from './admission-policy';
import { commandsOfHook, type Hook, placeOfHook } from './contract';

/**
 * Makes the policy and its binding, where one of the hooks runs commands.
 *
 * @internal
 */
export function guardCommands(
  scope: Construct,
  hooks: readonly Hook[],
  account: { readonly name: string; readonly namespace: string },
  own: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> },
): void {
  const allowed = hooks.filter((hook) => placeOfHook(hook) !== undefined);
  if (allowed.length === 0) return;
  const name = `stillpoint.${account.namespace}.${account.name}.commands`;
  addAdmissionPolicy(scope, 'CommandPolicy', { ...own, name }, policySpec(allowed, account));
}

function policySpec(
  hooks: readonly Hook[],
  { name, namespace }: { readonly name: string; readonly namespace: string },
): AdmissionPolicySpec {
  const ways = hooks.flatMap((hook) => {
    const { pod, container } = placeOfHook(hook) ?? {};
    return commandsOfHook(hook).map((command) =>
      [
        `object.command == [${command.map(literal).join(', ')}]`,
        ...(pod === undefined ? [] : [`request.name == ${literal(pod)}`]),
        ...(container === undefined ? [] : [`object.?container.orValue("") == ${literal(container)}`]),
      ].join(' && '),
    );
  });
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['*'], operations: ['CONNECT'], resources: ['pods/exec'] }],
    },
    matchConditions: [
      {
        name: 'account',
        expression: `request.userInfo.username == ${literal(`system:serviceaccount:${namespace}:${name}`)}`,
      },
    ],
    validations: [
      refuse(
        'object.?stdin.orValue(false) == false && object.?tty.orValue(false) == false',
        'may give commands no input',
      ),
      refuse(ways.map((way) => `(${way})`).join(' || '), 'may run the commands of its hooks only'),
    ],
  };
}
