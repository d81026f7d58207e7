/**
 * Runs processes that share something in the orders in which their steps can come, one order after the other: all of those
 * in which they give way to each other so many times at most. What goes wrong at all goes wrong with few.
 */

/** Lets a process go on when it is its turn; it asks before each step. */
export type Turn = () => Promise<void>;

/** How far to go. */
export interface Limits {
  /** How often processes give way to another. */
  readonly switches: number;
  /** The first process is stopped for good after so many steps. */
  readonly stopFirstAfter?: number;
}

/** One step of a process: which of those that wait goes on. */
type Choice = { readonly of: readonly number[]; taken: number };

/**
 * Runs a set of processes in one order. `choices` says who of those that wait goes on at each step; what it does not say is
 * that which was at work, and is written to it. Ends when all have ended that were not stopped.
 */
async function runInOrder(
  processes: readonly ((turn: Turn) => Promise<void>)[],
  choices: Choice[],
  limits: Limits,
): Promise<void> {
  const waiting = new Map<number, () => void>();
  const ended = new Set<number>();
  let current = 0;
  let switches = 0;
  let stopped = false;
  let firstSteps = 0;
  let wake = Promise.withResolvers<void>();
  for (const [index, process] of processes.entries()) {
    const turn: Turn = () =>
      new Promise((go) => {
        waiting.set(index, go);
        wake.resolve();
      });
    process(turn)
      .catch(() => undefined)
      .then(() => {
        ended.add(index);
        wake.resolve();
      }, undefined);
  }
  for (let step = 0; ; step++) {
    // Until each has come to its next step, or to its end.
    while (waiting.size + ended.size < processes.length - (stopped && !ended.has(0) ? 1 : 0)) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
    const ready = [...waiting.keys()].filter((index) => !(stopped && index === 0)).sort();
    if (ready.length === 0) return;
    // The one that was at work goes on, unless it gives way: which it may only so often.
    const goesOn = ready.includes(current) ? current : (ready[0] ?? 0);
    const others = ready.filter((index) => index !== goesOn);
    const mayGiveWay = ready.includes(current) && switches < limits.switches;
    const choice = choices[step] ?? {
      of: ready.includes(current) && !mayGiveWay ? [goesOn] : [goesOn, ...others],
      taken: 0,
    };
    choices[step] = choice;
    const chosen = choice.of[choice.taken] ?? goesOn;
    if (ready.includes(current) && chosen !== current) switches += 1;
    current = chosen;
    const go = waiting.get(chosen);
    waiting.delete(chosen);
    if (chosen === 0 && firstSteps++ === limits.stopFirstAfter) {
      stopped = true;
      continue;
    }
    go?.();
  }
}

/** The next order that was not tried yet; false when there is none. */
function advance(choices: Choice[]): boolean {
  for (let last = choices.pop(); last !== undefined; last = choices.pop()) {
    if (last.taken + 1 < last.of.length) {
      choices.push({ of: last.of, taken: last.taken + 1 });
      return true;
    }
  }
  return false;
}

/**
 * Tries the orders. `make` makes a fresh world with its processes, `check` looks at it when they have ended. Answers with how
 * many orders there were.
 */
export async function everyOrder<W>(
  make: () => Promise<{ readonly world: W; readonly processes: readonly ((turn: Turn) => Promise<void>)[] }>,
  check: (world: W) => Promise<void>,
  limits: Limits = { switches: 2 },
): Promise<number> {
  const choices: Choice[] = [];
  for (let count = 1; ; count++) {
    const { world, processes } = await make();
    await runInOrder(processes, choices, limits);
    await check(world);
    if (!advance(choices)) return count;
  }
}
