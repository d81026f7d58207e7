/** What of a namespace would take a clone's pods for the original's. Pure: what there is in, findings out. */
import type { Finding } from '../../ports';
import type { DisruptionBudget, NetworkPolicy, PodSelector, Service } from '../objects';

type Labels = Readonly<Record<string, string>>;

/** What there is of others in the clone's namespace. */
export interface Surroundings {
  readonly services: readonly Service[];
  readonly budgets: readonly DisruptionBudget[];
  readonly policies: readonly NetworkPolicy[];
}

/**
 * Errors for what would lead clients of the original to the clone, warnings for what weakens its isolation. Network
 * policies add up: one that lets all pods out lets the clone out too. Nothing rests on them alone (safety rule 13).
 */
export function isolationFindings(labels: Labels, { services, budgets, policies }: Surroundings): readonly Finding[] {
  const taken = services.filter(({ spec }) => spec.selector !== undefined && matches(spec.selector, labels));
  const counted = budgets.filter(({ spec }) => spec.selector !== undefined && selects(spec.selector, labels));
  const open = policies.filter(
    ({ spec }) =>
      (spec.egress ?? []).length > 0 &&
      (spec.policyTypes ?? ['Egress']).includes('Egress') &&
      selects(spec.podSelector ?? {}, labels),
  );
  return [
    ...taken.map(({ metadata: { name } }) =>
      found('error', `Service ${name}`, `would send its clients to the clone: it selects ${keys(labels)}`),
    ),
    ...counted.map(({ metadata: { name } }) =>
      found('warning', `PodDisruptionBudget ${name}`, 'counts the pods of the clone: it selects all'),
    ),
    ...open.map(({ metadata: { name } }) =>
      found('warning', `NetworkPolicy ${name}`, 'selects the clone too, and lets its pods out'),
    ),
  ];
}

/** Whether a selector of a policy selects pods with these labels; an empty one selects all. */
export function selects({ matchLabels = {}, matchExpressions = [] }: PodSelector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      const listed = value !== undefined && values.includes(value);
      return operator === 'In' ? listed : !listed;
    })
  );
}

/** A Service with an empty selector selects nothing. */
function matches(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function found(severity: 'error' | 'warning', subject: string, what: string): Finding {
  const code = severity === 'error' ? 'clone-not-isolated' : 'ok';
  return { severity, code, subject, message: `${subject} ${what}` };
}

function keys(labels: Labels): string {
  return Object.keys(labels).join(', ');
}
