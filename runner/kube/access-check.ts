/** Asks the API server what the account may do, and names what is missing (safety rule 2). */
import type { AccessNeed, AccessScope } from '../../src/contract';
import type { Finding } from '../ports';
import type { KubeClient } from './client';
import { missingVerbs, type ResourceRule } from './rules';

interface RulesReview {
  readonly status: { readonly resourceRules: readonly ResourceRule[]; readonly incomplete: boolean };
}

/** Where the needs' scopes are. */
export type ScopeNamespaces = Readonly<Record<Exclude<AccessScope, 'cluster'>, string>>;

/** What to do about a right that is missing: whose account it is, the caller knows. */
export interface AccessHints {
  readonly needed: string;
  /** Of one that can be done without. */
  readonly optional: string;
}

/**
 * One review a namespace tells all rights that hold there. What is needed in the whole cluster has to be granted in
 * each of them: that takes a ClusterRoleBinding.
 */
export async function checkAccess(
  client: KubeClient,
  needs: readonly AccessNeed[],
  namespaces: ScopeNamespaces,
  hints: AccessHints,
): Promise<readonly Finding[]> {
  const asked = [...new Set(Object.values(namespaces))];
  const reviews = new Map(await Promise.all(asked.map(async (each) => [each, await review(client, each)] as const)));
  if ([...reviews.values()].some(({ status }) => status.incomplete)) return [incomplete()];
  return needs.map((need) => {
    const where = need.scope === 'cluster' ? asked : [namespaces[need.scope]];
    const missing = new Set(where.flatMap((each) => missingVerbs(need, reviews.get(each)?.status.resourceRules ?? [])));
    const found = finding(need, [...missing], need.scope === 'cluster' ? undefined : namespaces[need.scope]);
    return found.severity === 'ok' ? found : { ...found, hint: hints[need.optional === true ? 'optional' : 'needed'] };
  });
}

async function review(client: KubeClient, namespace: string): Promise<RulesReview> {
  return client.review('authorization.k8s.io', 'selfsubjectrulesreviews', 'SelfSubjectRulesReview', { namespace });
}

function finding(need: AccessNeed, missing: readonly string[], namespace: string | undefined): Finding {
  const names = need.names === undefined ? '' : ` ${need.names.join(', ')}`;
  const where = namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`;
  const subject = `${need.resource}${names} ${where}`;
  if (missing.length === 0) return { severity: 'ok', code: 'ok', subject, message: `may ${need.verbs.join(', ')}` };
  return {
    severity: need.optional === true ? 'warning' : 'error',
    code: 'permission-missing',
    subject,
    message: `the account may not ${missing.join(', ')} ${subject}: needed to ${need.why}`,
  };
}

function incomplete(): Finding {
  return {
    severity: 'warning',
    code: 'permission-missing',
    subject: 'the rights of the account',
    message: 'the API server cannot list the rights of the account: what is missing shows when it is used',
  };
}
