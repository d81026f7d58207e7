/** What is kept and what is not accounted for: doctor's look at retention and at orphans. */
import type { Policy, Verdict } from '../../src/contract';
import { asStillpointError } from '../errors';
import { findOrphans, type Inventory, type Orphan } from '../orphans';
import type { Clock, Finding, Policies, Registry, StoredRecord } from '../ports';
import { plan } from '../removal';

export interface KeepingContext {
  readonly registry: Registry;
  /** Undefined where there are none, as without a cluster. */
  readonly policies?: Policies | undefined;
  readonly inventory?: Inventory | undefined;
  readonly namespace: string;
  readonly clock: Clock;
  readonly config: {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly database: string; readonly prune?: boolean | undefined };
  };
}

/** Says what the retention would do, which backups nobody decides on, and what there is of snapshots without a record. */
export async function keepingFindings(context: KeepingContext): Promise<readonly Finding[]> {
  const { registry, policies, inventory, namespace, config } = context;
  const { database } = config.spec;
  try {
    const stored = await registry.list({ namespace, database });
    const known = policies === undefined ? undefined : await policies.list();
    return [
      ...(known === undefined ? [] : retentionFindings(context, stored, known)),
      ...(inventory === undefined ? [] : await orphanFindings(inventory, stored, context)),
    ];
  } catch (thrown) {
    const { code, message, hint } = asStillpointError(thrown);
    return [{ severity: 'warning', code, subject: 'retention', message, hint }];
  }
}

/** What the registry knows of one policy's retention. */
export function ownOf(
  policies: readonly Policy[],
  { name, namespace }: { readonly name: string; readonly namespace: string },
): Policy | undefined {
  return policies.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
}

function retentionFindings(
  { config, namespace, clock }: KeepingContext,
  stored: readonly StoredRecord[],
  policies: readonly Policy[],
): readonly Finding[] {
  const { name } = config.metadata;
  const own = ownOf(policies, { name, namespace }) !== undefined;
  const verdicts = plan(stored, policies, clock.now(), {});
  const going = verdicts.filter(({ keep }) => !keep).length;
  const message = own
    ? `${verdicts.length - going} backups are kept, ${going} would go at the next prune`
    : 'all backups are kept: the policy has no retention';
  return [
    config.spec.prune === true && !own
      ? {
          severity: 'warning',
          code: 'retention-missing',
          subject: 'retention',
          message: `policy ${namespace}/${name} has a retention, and the registry knows of none: all its backups are kept`,
          hint: 'apply all of what the synth makes of the policy: a ConfigMap in the namespace of the registry is missing',
        }
      : { severity: 'ok', code: 'ok', subject: 'retention', message },
    ...goneFindings(name, verdicts),
  ];
}

/** Of a policy that is gone nothing is ever removed. */
function goneFindings(own: string, verdicts: readonly Verdict[]): readonly Finding[] {
  const counts = new Map<string, number>();
  for (const { candidate, reasons } of verdicts) {
    const { policy } = candidate.record;
    if (policy === own || reasons.every(({ rule }) => rule !== 'no-retention')) continue;
    counts.set(policy, (counts.get(policy) ?? 0) + 1);
  }
  return [...counts].map(([policy, count]) => ({
    severity: 'warning',
    code: 'retention-missing',
    subject: `policy ${policy}`,
    message: `nothing says what is kept of policy ${policy}: ${count === 1 ? 'its one backup is' : `its ${count} backups are`} kept`,
    hint: 'if that policy is gone for good, delete what is not needed: stillpoint delete',
  }));
}

/** The records are read before and after: a backup that begins or ends meanwhile has neither kind. */
async function orphanFindings(
  inventory: Inventory,
  before: readonly StoredRecord[],
  { registry, namespace, config }: KeepingContext,
): Promise<readonly Finding[]> {
  const { database } = config.spec;
  const found = await inventory.list(namespace);
  const after = await registry.list({ namespace, database });
  const good = new Set(before.filter(({ record }) => record.phase === 'succeeded').map(({ record }) => record.id));
  const known = [...before, ...after].map(({ record }) => record);
  return findOrphans(database, known, found)
    .filter(
      ({ kind, id }) => kind === 'without-record' || (good.has(id) && after.some(({ record }) => record.id === id)),
    )
    .map(({ kind, subject, message }) => ({ severity: 'warning', subject, message, ...REMEDIES[kind] }));
}

const REMEDIES = {
  'without-record': { code: 'orphan-found', hint: 'nothing removes it: if it is really of no use, delete it by hand' },
  'without-snapshot': {
    code: 'snapshot-missing',
    hint: 'it cannot be restored: find out who has removed the snapshot, and delete its record',
  },
} as const satisfies Record<Orphan['kind'], Pick<Finding, 'code' | 'hint'>>;
