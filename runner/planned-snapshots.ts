/** What a plan is going to make, by name: on record before any of it is. Pure. */
import type { Plan } from './engine';
import type { CutRequest, SnapshotStore, Volume } from './ports';

/** The names of all snapshots that a plan will ask for. */
export function plannedSnapshots(
  plan: Plan,
  store: SnapshotStore,
  volumes: readonly Volume[],
  request: Pick<CutRequest, 'id' | 'database' | 'stamp'>,
): readonly string[] {
  return plan.steps.flatMap((step) =>
    step.kind === 'cut'
      ? store.names({ ...request, volumes: volumes.filter(({ name }) => step.volumes.includes(name)), how: step.how })
      : [],
  );
}
