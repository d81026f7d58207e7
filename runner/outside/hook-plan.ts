/**
 * A plan within hooks: they take hold before the freeze of the engine and let go after its thaw, in the order of the
 * policy and back. What each of them does is undone by whoever undoes a freeze: the thaw, the guard, a later run.
 */
import { canCheck, type Held } from '../../src/contract';
import type { Plan, PlanResults, PlanStep, StepContext } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { THAW_LIMIT_MS } from '../frozen';
import type { Clock } from '../ports';
import { type HookActions, timeoutOf } from './hook-actions';

/** Wraps a plan. `again`: finds the pod of a hook anew, for the proof. */
export function withHooks(
  plan: Plan,
  hooks: readonly HookActions[],
  again: (hook: HookActions, signal: AbortSignal) => Promise<HookActions>,
  clock: Clock,
): Plan {
  const begun = new Set<HookActions>();
  const first = plan.steps.findIndex((step) => step.kind === 'cut' || step.freezes === true);
  const unproven = hooks.filter(({ hook }) => !canCheck(hook));
  return {
    ...plan,
    freezes: freezesOf(plan, hooks),
    statement: [plan.statement, ...hooks.map(statementOf)].join('; '),
    steps: [...plan.steps.slice(0, first), ...hooks.map((hook) => holdStep(hook, begun)), ...plan.steps.slice(first)],
    held: [...(plan.held ?? []), ...hooks.map(heldOf)],
    // Each may have to be waited for to its end, and is undone once more then.
    thawMs: (plan.thawMs ?? THAW_LIMIT_MS) + hooks.reduce((sum, { hook }) => sum + 3 * timeoutOf(hook), 0),
    observe: async (within) => ({ ...(await plan.observe(within)), ...(await observe(hooks, again, within)) }),
    thaw: (within) => thaw(plan, hooks, { begun, clock }, within),
    results: () => withWarnings(plan.results(), unproven),
  };
}

/** A hook that can be asked is taken at its word: what it holds are writes. */
function freezesOf({ freezes }: Plan, hooks: readonly HookActions[]): Plan['freezes'] {
  if (freezes === 'writes' || freezes === 'everything') return freezes;
  return hooks.some(({ hook }) => canCheck(hook)) ? 'writes' : freezes;
}

function statementOf({ hook, where }: HookActions): string {
  return canCheck(hook)
    ? `hook ${hook.name} held at ${where} from before the first cut until after the last, as it said itself`
    : `hook ${hook.name} was run at ${where} before the first cut and undone after the last: crash-consistent, hook not proven`;
}

function withWarnings(results: PlanResults, unproven: readonly HookActions[]): PlanResults {
  const warnings = unproven.map(
    ({ hook }) => `crash-consistent, hook not proven: ${hook.name} has no check that says whether it still holds`,
  );
  return { ...results, warnings: [...results.warnings, ...warnings] };
}

function holdStep(hook: HookActions, begun: Set<HookActions>): PlanStep {
  return {
    kind: 'act',
    name: `hook ${hook.hook.name}`,
    freezes: true,
    holdsFromStart: true,
    run: async ({ signal }) => {
      begun.add(hook);
      await hook.freeze(signal);
    },
  };
}

/** What has to be the same before the first cut and after the last: the pod, its container, and that it says it holds. */
async function observe(
  hooks: readonly HookActions[],
  again: (hook: HookActions, signal: AbortSignal) => Promise<HookActions>,
  { signal }: StepContext,
): Promise<Readonly<Record<string, string>>> {
  const facts = await Promise.all(
    hooks.map(async (hook): Promise<[string, string][]> => {
      const { name } = hook.hook;
      const { pod } = await again(hook, signal);
      await hook.check?.(signal);
      return [
        ...(pod === undefined ? [] : [[`hook.${name}.container`, pod.containerId] as [string, string]]),
        [`hook.${name}`, hook.check === undefined ? 'not asked' : 'held'],
      ];
    }),
  );
  return Object.fromEntries(facts.flat());
}

/** The engine first, then the hooks, the last first. Each is tried whatever becomes of the others. */
async function thaw(
  plan: Plan,
  hooks: readonly HookActions[],
  { begun, clock }: { readonly begun: Set<HookActions>; readonly clock: Clock },
  within: StepContext,
): Promise<void> {
  const failures: StillpointError[] = [];
  const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (thrown) {
      failures.push(asStillpointError(thrown));
      return false;
    }
  };
  await attempt(() => plan.thaw(within));
  for (const hook of [...hooks].reverse()) {
    if (!begun.has(hook)) continue;
    const undone = await attempt(() => hook.thaw(within.signal));
    if (undone && hook.underway?.any !== true) begun.delete(hook);
  }
  for (const hook of [...hooks].reverse()) {
    if (begun.has(hook) && hook.underway?.any === true && (await attempt(() => thawLate(hook, clock, within)))) {
      begun.delete(hook);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0 && first.code === 'thaw-failed') throw first;
  throw new StillpointError('thaw-failed', failures.map(({ message }) => message).join('; '), {
    hint: 'the guard tries it as well, and so does the next run, or stillpoint heal at once',
    cause: first,
  });
}

/** What had not ended when it was undone is waited for, and undone once more. */
async function thawLate(hook: HookActions, clock: Clock, { signal }: StepContext): Promise<void> {
  await hook.underway?.ended(`what hook ${hook.hook.name} has begun at ${hook.where}`, timeoutOf(hook.hook), clock);
  await hook.thaw(signal);
}

/** What its undoing needs to know; what is done, the policy says. */
function heldOf({ hook, where, pod }: HookActions): Held {
  const url = pod === undefined && hook.http !== undefined ? new URL(hook.http.postThaw.url) : undefined;
  return {
    member: `hook ${hook.name} at ${where}`,
    by: 'hook',
    host: pod?.name ?? url?.hostname ?? hook.name,
    // Of a pod there is none.
    port: portOf(url),
    undo: { hook: hook.name, ...(pod === undefined ? {} : { podUid: pod.uid }) },
  };
}

function portOf(url: URL | undefined): number {
  if (url === undefined) return 1;
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}
