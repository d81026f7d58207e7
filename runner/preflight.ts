/**
 * All that can be known before anything is touched (safety rule 2). `backup` stops at the first error in it, `doctor`
 * prints it.
 */
import { JOB_DEFAULTS, type SnapshotConfig } from '../src/contract';
import type { Plan } from './engine';
import { isError } from './findings';
import type { Member, MemberSource } from './member';
import { type MergedPlan, mergePlans, standsStill } from './merge-plans';
import { type OpenContext, openMembers } from './open-members';
import { operatorFindings } from './operators';
import type { Clock, CutRequest, Finding, Guards, SnapshotStore, Volume } from './ports';
import { probeFindings } from './probes';
import { eachOnce } from './trace';

export interface PreflightContext extends OpenContext {
  readonly config: SnapshotConfig;
  readonly sources: readonly MemberSource[];
  readonly store: SnapshotStore;
  /** Undefined where nobody could undo what outlives the session of this runner. */
  readonly guards?: Guards | undefined;
  readonly clock: Clock;
}

/** What the checks found, and what they opened on the way: the sessions are those that the backup uses. */
export interface Preflight extends AsyncDisposable {
  /** In the order in which they are frozen. */
  readonly members: readonly Member[];
  readonly volumes: readonly Volume[];
  /** Undefined when what was found on a server leaves nothing to plan. */
  readonly plan: Plan | undefined;
  /** The same plan where it is that of several members. */
  readonly merged: MergedPlan | undefined;
  readonly findings: readonly Finding[];
}

/** Runs every check. Throws where it cannot go on: no connection, no claim, no pod behind a server. */
export async function preflight(context: PreflightContext, id: string): Promise<Preflight> {
  const { platform, store } = context;
  const access = platform.checkAccess();
  access.catch(() => undefined);
  const { members, findings: found, close } = await openMembers(context, id);
  try {
    const volumes = eachOnce(members.flatMap((member) => member.volumes));
    const stands = stillFindings(members, context);
    const planned = planOf(members, [...found, ...stands], context);
    const findings = [
      ...(await access),
      ...found,
      ...stands,
      ...guardFindings(planned.plan, context),
      ...members.flatMap((member) => surroundingFindings(member, context.config)),
      ...(await store.check(volumes, cutsHow(planned.plan))),
    ];
    return { members, volumes, ...planned, findings, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One plan for all. Without one for each of them there is none. */
function planOf(
  members: readonly Member[],
  findings: readonly Finding[],
  { clock, config }: PreflightContext,
): { readonly plan: Plan | undefined; readonly merged: MergedPlan | undefined } {
  const plans = members.flatMap(({ name, source, plan }) =>
    plan === undefined ? [] : [{ name, of: source.name, plan }],
  );
  if (findings.some(isError) || plans.length < members.length) return { plan: undefined, merged: undefined };
  const [only] = plans;
  if (plans.length === 1 && only?.name === '') return { plan: only.plan, merged: undefined };
  const merged = mergePlans(plans, { clock, together: config.spec.snapshots.groupClassName !== undefined });
  return { plan: merged, merged };
}

/** Several members are of one instant only when each of them stands still from before the first cut until after the last. */
function stillFindings(members: readonly Member[], { config }: PreflightContext): readonly Finding[] {
  if (members.length === 1 && members[0]?.name === '') return [];
  const together = config.spec.snapshots.groupClassName !== undefined;
  return members.flatMap(({ name, plan, source }): Finding[] => {
    if (plan === undefined || !source.engine.capabilities.hasServer || standsStill(plan)) return [];
    // Where the storage cuts all members at one instant, nothing of such a one has to stand still.
    if (together && plan.atOneInstant === true) return [];
    return [
      {
        severity: 'error',
        code: 'config-invalid',
        subject: `member ${name}`,
        message: `what is planned for ${name} (${plan.layout}) holds still: ${plan.freezes}; in a backup of several servers each has to hold its writes until all are cut`,
        hint: 'choose a mode that holds writes for it, or back it up by a policy of its own',
      },
    ];
  });
}

/** Whether somebody can undo what stays in force when the session of a plan ends (safety rule 8). */
function guardFindings(plan: Plan | undefined, { guards, config }: PreflightContext): readonly Finding[] {
  if (plan?.held === undefined || plan.held.length === 0 || guards !== undefined) return [];
  const members = plan.held.map(({ member }) => member).join(', ');
  return [
    {
      severity: 'error',
      code: 'guard-missing',
      subject: `database ${config.spec.database}`,
      message: `what this backup holds at ${members} outlives its session, and this run has no guard that could undo it`,
      hint: 'take it by a Job of its policy (stillpoint backup, kubectl create job --from=cronjob/…), synthesised anew if it is of an earlier version',
    },
  ];
}

/** Whether somebody around a server may not bear what is held there: an operator, a probe. */
function surroundingFindings({ plan, place }: Member, { spec }: SnapshotConfig): readonly Finding[] {
  if (plan === undefined) return [];
  const { name, operator, probes = [] } = place;
  return [
    ...operatorFindings(operator, plan, name),
    ...probeFindings(probes, plan, spec.budgetSeconds ?? JOB_DEFAULTS.budgetSeconds, name),
  ];
}

function cutsHow(plan: Plan | undefined): CutRequest['how'] {
  const together = plan?.steps.some((step) => step.kind === 'cut' && step.how === 'together') ?? false;
  return together ? 'together' : 'individually';
}
