/** One rule for the namespace, whatever the command: the one that is named, else that of the context, as with kubectl. */
import type { GlobalOptions } from '../cli/options';

/** What is looked at where nothing is said, and the kubeconfig says nothing either. */
const DEFAULT_NAMESPACE = 'default';

/** Where to look; undefined: in all, with -A, or in a folder of records, which has no context. */
export function namespaceOf(
  options: Pick<GlobalOptions, 'namespace' | 'allNamespaces'>,
  cluster?: { readonly namespace: string | undefined },
): string | undefined {
  if (options.allNamespaces === true) return undefined;
  return cluster === undefined ? options.namespace : theNamespace(options, cluster);
}

/** The one namespace of a command that can work in one only. */
export function theNamespace(
  { namespace }: Pick<GlobalOptions, 'namespace'>,
  cluster: { readonly namespace: string | undefined },
): string {
  return namespace ?? cluster.namespace ?? DEFAULT_NAMESPACE;
}
