/** Where the API keeps objects. */
import type { KubeObject, Resource } from './resource';

/** What to list or watch. */
export interface Selection {
  /** All namespaces when left out. */
  readonly namespace?: string | undefined;
  /** The value of each, or those that it may have. */
  readonly labels?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** More about labels, as kubectl's -l has it. */
  readonly selector?: string | undefined;
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

/** The path of a kind's version of the API. */
export function basePath({ group, version }: Resource<KubeObject>): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** The path of an object, or of all objects of a kind. */
export function pathOf(
  kind: Resource<KubeObject>,
  at: { readonly namespace?: string | undefined; readonly name?: string },
): string {
  const parts = [basePath(kind)];
  if (kind.namespaced && at.namespace !== undefined) parts.push('namespaces', encodeURIComponent(at.namespace));
  parts.push(kind.plural);
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name));
  return parts.join('/');
}

/** The path of a list or a watch, with its selectors and other parameters. */
export function selectionPath(
  kind: Resource<KubeObject>,
  selection: Selection,
  more: Readonly<Record<string, string>>,
): string {
  const labels = [joined(selection.labels ?? {}), selection.selector ?? ''].filter((part) => part !== '').join(',');
  const query = {
    ...(labels === '' ? {} : { labelSelector: labels }),
    ...(selection.fields === undefined ? {} : { fieldSelector: joined(selection.fields) }),
    ...more,
  };
  return `${pathOf(kind, selection)}?${new URLSearchParams(query)}`;
}

function joined(pairs: Readonly<Record<string, string | readonly string[]>>): string {
  return Object.entries(pairs)
    .map(([key, value]) => (typeof value === 'string' ? `${key}=${value}` : `${key} in (${value.join(',')})`))
    .join(',');
}
