/** Compares the rights that an account has with those that it needs: pure. */
import type { AccessNeed } from '../../src/contract';

/** A rule as SelfSubjectRulesReview tells it. */
export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** The verbs of a need that no rule grants, for all of its names. */
export function missingVerbs(need: AccessNeed, rules: readonly ResourceRule[]): readonly string[] {
  const about = rules.filter((rule) => covers(rule.apiGroups, need.apiGroup) && covers(rule.resources, need.resource));
  return need.verbs.filter((verb) => {
    const granting = about.filter((rule) => covers(rule.verbs, verb));
    if (granting.some(({ resourceNames }) => (resourceNames ?? []).length === 0)) return false;
    const names = new Set(granting.flatMap(({ resourceNames }) => resourceNames ?? []));
    return need.names === undefined || !need.names.every((name) => names.has(name));
  });
}

function covers(granted: readonly string[] | undefined, wanted: string): boolean {
  return granted?.includes(wanted) === true || granted?.includes('*') === true;
}
