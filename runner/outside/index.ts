/** What holds a database from outside its session, put around the plan of its engine, and what undoes it. */
import type { Held, MemberConfig } from '../../src/contract';
import { type EngineGuard, NO_TARGET, type Plan, type Target } from '../engine';
import { StillpointError } from '../errors';
import { isError } from '../findings';
import type { MemberSource } from '../member';
import type { Clock, Finding, Outside, Volume } from '../ports';
import { actionsAgain, actionsOf, type HookActions, timeoutOf } from './hook-actions';
import { hookFindings } from './hook-findings';
import { hookGuard } from './hook-guard';
import { withHooks } from './hook-plan';
import { offlineGuard } from './offline-guard';
import { stopped } from './offline-plan';

/** What this takes of the world. */
export interface OutsideContext {
  /** Undefined where there is no cluster. */
  readonly outside?: Outside | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A plan with what is done around it, and what speaks against that. */
export interface OutsidePlan {
  readonly plan: Plan | undefined;
  readonly findings: readonly Finding[];
}

/** Puts what a policy does from outside around a plan. */
export async function fromOutside(
  plan: Plan | undefined,
  { config }: Pick<MemberSource, 'config'>,
  volumes: readonly Volume[],
  context: OutsideContext,
): Promise<OutsidePlan> {
  if (!isHeldFromOutside(config)) return { plan, findings: [] };
  if (config.offline !== undefined && (config.hooks ?? []).length > 0)
    return { plan: undefined, findings: [STOPPED_AND_HOOKED] };
  const halted = await whileStopped(plan, config, volumes, context);
  const hooked = await withinHooks(halted.plan, config, volumes, context);
  return { plan: hooked.plan, findings: [...halted.findings, ...hooked.findings] };
}

/** A hook in what is stopped would lose its pod, and the time that it takes to stop would count for the budget. */
const STOPPED_AND_HOOKED: Finding = {
  severity: 'error',
  code: 'offline-unsuitable',
  subject: 'policy',
  message: 'what is stopped for its cuts has hooks as well',
  hint: 'leave the hooks out: what is stopped writes nothing; give them to another member of a group',
};

/** A plan of a workload that is stopped for it. */
async function whileStopped(
  plan: Plan | undefined,
  { offline: workload }: MemberConfig,
  volumes: readonly Volume[],
  context: OutsideContext,
): Promise<OutsidePlan> {
  if (workload === undefined) return { plan, findings: [] };
  const { clock, signal } = context;
  const { workloads } = outsideOf(context);
  const claims = volumes.map(({ claim }) => claim);
  const findings = await workloads.check(workload, claims, signal);
  const seen = await workloads.look(workload, claims, signal);
  if (plan === undefined || seen === undefined || findings.some(isError)) return { plan: undefined, findings };
  return { plan: stopped(plan, { workload, seen, claims }, { workloads, clock }), findings };
}

async function withinHooks(
  plan: Plan | undefined,
  { hooks = [] }: MemberConfig,
  volumes: readonly Volume[],
  context: OutsideContext,
): Promise<OutsidePlan> {
  if (hooks.length === 0) return { plan, findings: [] };
  const { clock, signal } = context;
  const outside = outsideOf(context);
  const found: HookActions[] = [];
  for (const hook of hooks) found.push(await actionsOf(hook, { outside, clock }, signal));
  const findings = hookFindings(found, volumes);
  const again = (hook: HookActions, within: AbortSignal): Promise<HookActions> =>
    actionsAgain(hook.hook, hook.pod, { outside, clock }, within);
  return { plan: plan && withHooks(plan, found, again, clock), findings };
}

/** What undoes something that is held, by who holds it. Undefined of an engine that has no guard. */
export function guardOf(
  { by }: Held,
  { engine, config }: Pick<MemberSource, 'engine' | 'config'>,
  context: Omit<OutsideContext, 'signal'>,
): EngineGuard | undefined {
  if (by === undefined) return engine.guard;
  const { clock } = context;
  const outside = outsideOf(context);
  return by === 'workload' ? offlineGuard(outside.workloads, clock) : hookGuard(config.hooks ?? [], { outside, clock });
}

/** Whether a policy has somebody undo what is held from outside. */
export function isHeldFromOutside({ hooks = [], offline }: MemberConfig): boolean {
  return hooks.length > 0 || offline !== undefined;
}

/** What leads to the server; what is held from outside takes none. */
export async function targetOf({ by }: Held, { readTarget }: Pick<MemberSource, 'readTarget'>): Promise<Target> {
  return by === undefined ? await readTarget() : NO_TARGET;
}

/** How long undoing it may take on top of what one that answers at once needs. */
export function undoExtraMs({ undo }: Held, { config }: Pick<MemberSource, 'config'>): number {
  const hook = config.hooks?.find(({ name }) => name === undo.hook);
  return hook === undefined ? 0 : timeoutOf(hook);
}

function outsideOf({ outside }: Pick<OutsideContext, 'outside'>): Outside {
  if (outside !== undefined) return outside;
  throw new StillpointError(
    'hook-unsuitable',
    'the policy does something from outside its database, and here is no cluster',
    {
      hint: 'take the backup by a Job of its policy',
    },
  );
}
