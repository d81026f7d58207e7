/** In which order what is held is let go, whoever does it. */
import type { Held } from '../src/contract';

/**
 * What an engine holds goes first, then what holds it from outside. Each is undone whatever becomes of the others, and all of
 * them have ended when this ends; throws the first failure then.
 */
export async function undoInRounds<T extends { readonly held: Pick<Held, 'by'> }, R>(
  all: readonly T[],
  undo: (each: T) => Promise<R>,
): Promise<readonly R[]> {
  const round = (fromOutside: boolean): Promise<PromiseSettledResult<R>[]> =>
    Promise.allSettled(all.filter(({ held }) => (held.by !== undefined) === fromOutside).map(undo));
  const outcomes = [...(await round(false)), ...(await round(true))];
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
