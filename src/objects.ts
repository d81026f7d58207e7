import { Chart, Lazy } from 'cdk8s';
import type { Construct } from 'constructs';
import { LABELS, MANAGED_BY } from './contract';
import { invalid } from './invalid';

/**
 * The namespace that a construct's objects live in: its chart's.
 *
 * @internal
 */
export function namespaceOf(construct: Construct): string {
  const chart = Chart.of(construct);
  if (chart.namespace !== undefined) return chart.namespace;
  throw invalid(
    construct,
    `is in the chart "${chart.node.id}", which has no namespace`,
    "give the chart the database's namespace: rights, records and snapshots are by namespace, as new Chart(app, 'orders', { namespace: 'shop' })",
  );
}

/**
 * The namespace of an object that has none: cdk8s gives each object its chart's namespace, which a cluster-wide object
 * must not have.
 *
 * @internal
 */
export function noNamespace(): string {
  return Lazy.any({ produce: () => undefined }) as string;
}

/**
 * The labels that everything carries that Stillpoint makes; the user's own come first, ours hold.
 *
 * @internal
 */
export function labelsOf(
  component: string,
  own: Readonly<Record<string, string>> | undefined,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...own, [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: component, ...more };
}

const taken = new WeakMap<object, Map<string, string>>();

/**
 * Refuses a second object of one kind and name in an app: applied, one would silently replace the other.
 *
 * @internal
 */
export function takeName(construct: Construct, kind: string, name: string): void {
  const root = construct.node.root;
  const names = taken.get(root) ?? new Map<string, string>();
  taken.set(root, names);
  const key = `${kind} ${name}`;
  const other = names.get(key);
  if (other !== undefined) {
    throw invalid(construct, `would make the ${key}, as "${other}" does`, 'give one of them another name');
  }
  names.set(key, construct.node.path);
}

/**
 * The metadata of what a Job or a CronJob makes. cdk8s leaves empty maps out of an object's own metadata, not out of these.
 *
 * @internal
 */
export function templateMetadata(
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
): { labels: { [key: string]: string }; annotations?: { [key: string]: string } } {
  return {
    labels: { ...labels },
    ...(Object.keys(annotations).length === 0 ? {} : { annotations: { ...annotations } }),
  };
}
