/**
 * The plans of several members as one, for the one executor: all are frozen before the first cut, and none is let go
 * before the last. Pure but for the clock.
 *
 *   1. what comes before the freezes, member by member and round by round: what may take long (waiting for a rewrite to
 *      end) is over everywhere before anything is changed anywhere
 *   2. the freezes, one after the other in the order of the members: the first is held longest
 *   3. what has to be done under the freezes, at all members at once
 *   4. the cuts, all asked for at once
 *   5. what follows them, at all members at once; then the proof of all, and the thaw of all
 */
import type { Plan, PlanResults, PlanStep, StepContext } from './engine';
import { asStillpointError, StillpointError } from './errors';
import type { Clock } from './ports';

/** A member's plan under its name. */
export interface NamedPlan {
  readonly name: string;
  /** The member of the policy that it is of; empty where the policy is of one database. */
  readonly of?: string;
  readonly plan: Plan;
}

/** How long one member was held. */
export interface MemberWindow {
  readonly frozenAt: Date | undefined;
  readonly thawedAt: Date | undefined;
  /** From its own freeze taking hold to its thaw having worked; undefined where nothing of it was frozen. */
  readonly windowMs: number | undefined;
}

/** The plan of all members, which knows how long each was held. */
export interface MergedPlan extends Plan {
  windowOf(member: string): MemberWindow;
}

type Act = Extract<PlanStep, { kind: 'act' }>;
type CutStep = Extract<PlanStep, { kind: 'cut' }>;

/** The steps of one member by what they are for. */
interface Parts {
  readonly before: readonly Act[];
  readonly freeze: Act | undefined;
  readonly under: readonly Act[];
  readonly cut: CutStep;
  readonly after: readonly Act[];
}

/** Whether a plan keeps its server still from before its only cut until after it: such plans can be merged. */
export function standsStill({ freezes, steps }: Plan): boolean {
  const cuts = steps.filter(({ kind }) => kind === 'cut').length;
  return (freezes === 'writes' || freezes === 'everything') && cuts === 1;
}

/** Merges plans in the order in which their members are to be frozen. `together`: one group snapshot of all volumes. */
export function mergePlans(
  members: readonly NamedPlan[],
  { clock, together }: { readonly clock: Clock; readonly together: boolean },
): MergedPlan {
  return new Merged(members, clock, together);
}

interface Held {
  readonly member: NamedPlan;
  readonly parts: Parts;
  begun: boolean;
  frozenAt?: Date;
  frozenMs?: number;
  thawedAt?: Date;
  windowMs?: number;
}

class Merged implements MergedPlan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly held: NonNullable<Plan['held']>;
  readonly thawMs?: number;
  readonly back?: NonNullable<Plan['back']>;
  readonly #members: readonly Held[];
  readonly #clock: Clock;

  constructor(members: readonly NamedPlan[], clock: Clock, together: boolean) {
    this.#clock = clock;
    this.#members = members.map((member) => ({ member, parts: partsOf(member), begun: false }));
    const plans = members.map(({ plan }) => plan);
    // Not `group`: that is one group snapshot. Each member's own stands with it in the record.
    this.layout = commonOf(plans.map(({ layout }) => layout)) ?? 'mixed';
    const freezes = plans.map((plan) => plan.freezes).filter((each) => each !== 'nothing');
    this.freezes = freezes.length === 0 ? 'nothing' : (commonOf(freezes) ?? 'writes');
    this.statement = `${heldText(members, together)}; ${statements(members)}`;
    this.held = members.flatMap(({ of = '', plan: { held = [] } }) =>
      of === '' ? held : held.map((each) => ({ ...each, of })),
    );
    const limits = plans.flatMap(({ thawMs }) => thawMs ?? []);
    if (limits.length > 0) this.thawMs = Math.max(...limits);
    const back = plans.flatMap((plan) => plan.back ?? []);
    if (back.length > 0) this.back = (signal) => longestOf(back.map((each) => each(signal)));
    this.steps = [
      ...this.#before(),
      ...this.#freezes(),
      ...this.#atOnce('prepare the cuts of all', ({ under }) => under),
      {
        kind: 'cut',
        volumes: this.#members.flatMap(({ parts }) => parts.cut.volumes),
        how: together ? 'together' : 'individually',
      },
      ...this.#atOnce('follow the cuts of all', ({ after }) => after),
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const all = await settled(
      this.#members.map(async ({ member: { name, plan } }) => prefixed(name, await plan.observe(within))),
    );
    return Object.assign({}, ...all) as Record<string, string>;
  };

  /** Lets all go at once, also when one cannot be: each failure is told, none keeps the others held. */
  readonly thaw = async (within: StepContext): Promise<void> => {
    const begun = this.#members.filter((each) => each.begun);
    const outcomes = await Promise.allSettled(begun.map((each) => this.#thawOne(each, within)));
    const failures = outcomes.flatMap((outcome, index) =>
      outcome.status === 'rejected'
        ? [{ name: begun[index]?.member.name, error: asStillpointError(outcome.reason) }]
        : [],
    );
    const [first] = failures;
    if (first === undefined) return;
    const told = failures.map(({ name, error }) => `${name}: ${error.message}`).join('; ');
    throw new StillpointError(
      'thaw-failed',
      `of ${begun.length} members ${failures.length} could not be let go: ${told}`,
      {
        ...(first.error.hint === undefined ? {} : { hint: first.error.hint }),
        cause: first.error,
      },
    );
  };

  /** The members' own results stand with each of them in the record. */
  readonly results = (): PlanResults => {
    const warnings = this.#members.flatMap(({ member: { name, plan } }) =>
      plan.results().warnings.map((warning) => `${name}: ${warning}`),
    );
    return { position: {}, artifacts: {}, warnings };
  };

  windowOf(name: string): MemberWindow {
    const found = this.#members.find(({ member }) => member.name === name);
    return { frozenAt: found?.frozenAt, thawedAt: found?.thawedAt, windowMs: found?.windowMs };
  }

  #before(): readonly PlanStep[] {
    const rounds = Math.max(0, ...this.#members.map(({ parts }) => parts.before.length));
    return Array.from({ length: rounds }, (_, round) =>
      this.#members.flatMap((each) => {
        const act = each.parts.before[round];
        return act === undefined ? [] : [this.#actOf(each, act)];
      }),
    ).flat();
  }

  #freezes(): readonly PlanStep[] {
    return this.#members.flatMap((each) =>
      each.parts.freeze === undefined ? [] : [this.#actOf(each, each.parts.freeze)],
    );
  }

  #actOf(each: Held, act: Act): PlanStep {
    return { ...act, name: `${each.member.name}: ${act.name}`, run: (within) => this.#run(each, act, within) };
  }

  #atOnce(name: string, pick: (parts: Parts) => readonly Act[]): readonly PlanStep[] {
    const busy = this.#members.filter(({ parts }) => pick(parts).length > 0);
    if (busy.length === 0) return [];
    const run = async (within: StepContext): Promise<void> => {
      await settled(
        busy.map(async (each) => {
          for (const act of pick(each.parts)) await this.#run(each, act, within);
        }),
      );
    };
    return [{ kind: 'act', name, run }];
  }

  async #run(each: Held, act: Act, within: StepContext): Promise<void> {
    each.begun = true;
    try {
      await act.run(within);
    } catch (thrown) {
      throw named(each.member.name, thrown);
    }
    if (act.freezes !== true) return;
    each.frozenAt = this.#clock.now();
    each.frozenMs = this.#clock.monotonic();
  }

  async #thawOne(each: Held, within: StepContext): Promise<void> {
    await each.member.plan.thaw(within);
    each.thawedAt = this.#clock.now();
    if (each.frozenMs !== undefined) each.windowMs = this.#clock.monotonic() - each.frozenMs;
  }
}

function partsOf({ name, plan }: NamedPlan): Parts {
  const cuts = plan.steps.filter((step) => step.kind === 'cut');
  const [cut] = cuts;
  if (cut === undefined || cuts.length > 1) {
    throw new StillpointError(
      'internal',
      `the plan ${plan.layout} of ${name} has ${cuts.length} cuts, and cannot be merged`,
    );
  }
  const at = plan.steps.indexOf(cut);
  const acts = plan.steps.slice(0, at).filter((step) => step.kind === 'act');
  const after = plan.steps.slice(at + 1).filter((step) => step.kind === 'act');
  const freezing = acts.findIndex(({ freezes }) => freezes === true);
  if (freezing < 0) {
    const waiting = acts.filter(({ waits }) => waits === true);
    return { before: waiting, freeze: undefined, under: acts.filter((act) => !waiting.includes(act)), cut, after };
  }
  return { before: acts.slice(0, freezing), freeze: acts[freezing], under: acts.slice(freezing + 1), cut, after };
}

/** All results; where some have failed the first error, but only when none is at work any more. */
async function settled<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const outcomes = await Promise.allSettled(work);
  return outcomes.map((outcome) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    throw outcome.reason;
  });
}

/** The error with the member's name in front: in a group one has to know whose it is. */
export function named(name: string, thrown: unknown): StillpointError {
  const { code, message, hint, exitCode } = asStillpointError(thrown);
  const rest = hint === undefined ? { exitCode } : { exitCode, hint };
  return new StillpointError(code, `${name}: ${message}`, { ...rest, cause: thrown });
}

function prefixed(name: string, facts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).map(([fact, value]) => [`${name}.${fact}`, value]));
}

/** The facts of one member among those of all. */
export function factsOf(name: string, facts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const prefix = `${name}.`;
  return Object.fromEntries(
    Object.entries(facts).flatMap(([fact, value]) =>
      fact.startsWith(prefix) ? [[fact.slice(prefix.length), value]] : [],
    ),
  );
}

/** Who was held; where the storage cuts all at one instant nobody has to be. */
function heldText(members: readonly NamedPlan[], together: boolean): string {
  const held = members.filter(({ plan }) => plan.freezes !== 'nothing').map(({ name }) => name);
  const span = 'from before the first cut until after the last';
  if (held.length === members.length) return `every member was held ${span}`;
  const instant = together ? 'all were cut at one instant' : undefined;
  const some = held.length === 0 ? undefined : `${held.join(', ')} held ${span}`;
  return [instant, some].filter((each) => each !== undefined).join(', ') || 'no member was held';
}

async function longestOf(all: readonly Promise<{ readonly downtimeMs: number }>[]): Promise<{ downtimeMs: number }> {
  return { downtimeMs: Math.max(...(await settled(all)).map(({ downtimeMs }) => downtimeMs)) };
}

function commonOf<T>(values: readonly T[]): T | undefined {
  const [first, ...others] = values;
  return others.every((other) => other === first) ? first : undefined;
}

/** Each sentence once, with the members that it is of. */
function statements(members: readonly NamedPlan[]): string {
  const sentences = [...new Set(members.map(({ plan }) => plan.statement))];
  const of = (sentence: string): string =>
    members
      .filter(({ plan }) => plan.statement === sentence)
      .map(({ name }) => name)
      .join(', ');
  return sentences.map((sentence) => `${of(sentence)}: ${sentence}`).join('; ');
}
