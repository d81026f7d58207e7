/** Several members under one executor, of which everything that happens is written down, and a store that does as a test says. */
import type { Plan, PlanStep } from '../../runner/engine';
import type { FrozenContext } from '../../runner/frozen';
import { type MergedPlan, mergePlans } from '../../runner/merge-plans';
import type { CutRequest, SnapshotStore, Volume } from '../../runner/ports';
import type { Cut } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';

const VOLUMES: readonly Volume[] = ['a', 'b', 'c'].map((name) => ({
  name: `data-${name}`,
  role: 'data',
  claim: `claim-${name}`,
  namespace: 'shop',
}));

type Fail = (event: string) => Error | undefined;

/** Members a, b and c, of which everything that happens is written down, and a store that does as the test says. */
export class Scene {
  readonly events: string[] = [];
  readonly clock = new FakeClock();
  readonly log = new QuietLog();
  readonly stop = new AbortController();
  fail: Fail = () => undefined;
  cutting: (request: CutRequest, signal: AbortSignal) => Promise<void> = async () => undefined;
  facts: Record<string, string> = {};

  readonly context: FrozenContext = {
    store: this.#store(),
    volumes: VOLUMES,
    request: { id: '20260101000000', database: 'shop', labels: {}, annotations: {} },
    jobUid: 'job',
    budgetMs: 5000,
    clock: this.clock,
    log: this.log,
    signal: this.stop.signal,
  };

  /** Prepares twice, freezes, flushes, is cut, looks once more. */
  plan(name: string, changes: Partial<Plan> = {}): { readonly name: string; readonly plan: Plan } {
    const act = (what: string, freezes = false): PlanStep => ({
      kind: 'act',
      name: what,
      ...(freezes ? { freezes } : {}),
      run: async () => this.happens(`${name} ${what}`),
    });
    return {
      name,
      plan: {
        layout: 'atomic',
        freezes: 'writes',
        statement: 'it held',
        steps: [
          act('waits'),
          act('changes'),
          act('freezes', true),
          act('flushes'),
          { kind: 'cut', volumes: [`data-${name}`], how: 'individually' },
          act('looks'),
        ],
        observe: async () => {
          this.happens(`${name} observed`);
          return { session: this.facts[name] ?? '1' };
        },
        thaw: async () => this.happens(`${name} thawed`),
        results: () => ({ position: { at: name }, artifacts: {}, warnings: [`of ${name}`] }),
        ...changes,
      },
    };
  }

  merged(...plans: readonly { readonly name: string; readonly plan: Plan }[]): MergedPlan {
    const all = plans.length > 0 ? plans : ['a', 'b', 'c'].map((name) => this.plan(name));
    return mergePlans(all, { clock: this.clock, together: false });
  }

  happens(event: string): void {
    this.events.push(event);
    const error = this.fail(event);
    if (error !== undefined) throw error;
  }

  #store(): SnapshotStore {
    return {
      atomic: true,
      names: ({ database, volumes, id }) => volumes.map(({ name }) => `${database}-${name}-${id}`),
      check: async () => [],
      cut: async (request, signal) => {
        this.events.push(`cut ${request.how} ${request.volumes.map(({ name }) => name).join(' ')}`);
        await this.cutting(request, signal);
        const at = this.clock.now().toISOString();
        return request.volumes.map(
          ({ name }): Cut => ({
            volume: name,
            snapshot: name,
            seenBy: 'copy',
            driverKnown: true,
            askedAt: at,
            seenAt: at,
          }),
        );
      },
      ready: async (cuts) => cuts,
      discard: async ({ names }) => {
        this.events.push(`discard ${names.length}`);
        return [];
      },
      find: async () => [],
    };
  }
}

export const THAWS = ['a thawed', 'b thawed', 'c thawed'];
