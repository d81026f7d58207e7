/**
 * What a guard does by an order, with a server and a runner that do as the test says. That it does so to real servers,
 * on another node than a runner that is gone, is shown in test/e2e/dead-man.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { type GuardContext, guard } from '../../runner/commands/guard';
import type { Engine, GuardSession } from '../../runner/engine';
import { StillpointError } from '../../runner/errors';
import type { GuardAnswer, GuardOrder, GuardPost } from '../../runner/ports';
import type { MemberConfig } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';

const BUDGET_MS = 5_000;

const order = (changes: Partial<GuardOrder> = {}): GuardOrder => ({
  id: '20260101000000',
  jobUid: 'job',
  pod: 'runner-0',
  held: [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: {} }],
  budgetMs: BUDGET_MS,
  ...changes,
});

/** A guard at work. Time passes where it pauses; what a test wants to happen then, it says beforehand. */
class Scene {
  readonly clock = new FakeClock();
  readonly log = new QuietLog();
  readonly stop = new AbortController();
  readonly answers: GuardAnswer[] = [];
  readonly said: string[] = [];
  /** When something was undone, by the clock. */
  readonly undoneAt: number[] = [];
  order: GuardOrder | undefined = order();
  runnerGone = false;
  runnerEnded = false;
  /** Whether what is held is one change. */
  isOneChange = true;
  ended = false;
  begun = false;
  held = false;
  /** Whether nobody can see what is held. */
  unseen = false;
  opens = 0;
  session = new AbortController();
  /** What open, holds and undo do besides. */
  fail: { open?: StillpointError; holds?: StillpointError; undo?: StillpointError } = {};
  #script: { readonly at: number; readonly happens: () => void }[] = [];
  #closed = false;

  at(
    ms: number,
    happens:
      | (() => void)
      | Partial<Pick<Scene, 'order' | 'runnerGone' | 'runnerEnded' | 'ended' | 'begun' | 'held' | 'fail'>>,
  ): this {
    this.#script.push({
      at: ms,
      happens: typeof happens === 'function' ? happens : () => Object.assign(this, happens),
    });
    return this;
  }

  async run(): Promise<readonly string[]> {
    await guard(this.#context());
    expect(this.#closed).toBe(true);
    expect(this.clock.armed).toBe(0);
    return this.answers.map(({ state }) => state);
  }

  #context(): GuardContext {
    const scene = this;
    const post: GuardPost = {
      get order() {
        return scene.order;
      },
      get runnerGone() {
        return scene.runnerGone;
      },
      get runnerEnded() {
        return scene.runnerEnded;
      },
      get begun() {
        return scene.begun;
      },
      get ended() {
        return scene.ended;
      },
      pause: async (ms) => scene.#pass(ms),
      answer: (_, answer) => void scene.answers.push(answer),
      close: async () => {
        scene.#closed = true;
      },
    };
    const target = { connection: { host: 'db', port: 1, usernameFile: '' }, username: '' };
    const engine: Partial<Engine> = { name: 'postgres', guard: { open: async () => scene.#open() } };
    return {
      sources: [
        { name: '', engine: engine as Engine, config: {} as MemberConfig, readTarget: async () => target as never },
      ],
      post,
      events: { emit: async (_, __, message) => void scene.said.push(message) },
      clock: this.clock,
      log: this.log,
      signal: this.stop.signal,
    };
  }

  #open(): GuardSession {
    this.opens++;
    if (this.fail.open !== undefined) throw this.fail.open;
    this.session = new AbortController();
    return {
      holds: async () => {
        if (this.fail.holds !== undefined) throw this.fail.holds;
        return this.unseen ? undefined : this.held;
      },
      undo: async () => {
        if (this.fail.undo !== undefined) throw this.fail.undo;
        if (!this.held) return [];
        this.held = false;
        this.undoneAt.push(this.clock.monotonic());
        return ['unlocked db:1'];
      },
      isOneChange: this.isOneChange,
      lost: this.session.signal,
      close: async () => undefined,
    };
  }

  #pass(ms: number): void {
    this.clock.advance(ms);
    const now = this.clock.monotonic();
    const due = this.#script.filter(({ at }) => at <= now);
    this.#script = this.#script.filter(({ at }) => at > now);
    for (const { happens } of due) happens();
    if (now > 300_000) throw new Error('the guard has not come to an end');
  }
}

const unreachable = new StillpointError('server-unreachable', 'no connection');
const interrupted = new StillpointError('interrupted', 'the runner was told to stop by SIGTERM');

describe('a guard', () => {
  it('connects and arms before anything is held, and leaves alone what the runner lets go in time', async () => {
    const scene = new Scene();
    scene.at(1_000, { held: true }).at(1_000 + BUDGET_MS, { held: false });
    scene.at(7_000, { order: undefined }).at(9_000, { ended: true });
    expect(await scene.run()).toEqual(['armed']);
    expect([scene.opens, scene.undoneAt]).toEqual([1, []]);
  });

  it('rule 8: undoes what is held for longer than the budget, within 5 s of its end', async () => {
    const scene = new Scene();
    scene.at(60_000, { held: true }).at(80_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    const [undoneAt = 0] = scene.undoneAt;
    expect(undoneAt - 60_000).toBeGreaterThanOrEqual(BUDGET_MS);
    expect(undoneAt - 60_000).toBeLessThan(BUDGET_MS + 5_000);
    expect(scene.answers[1]).toMatchObject({ why: 'the budget of 5 s was over', done: ['unlocked db:1'] });
    expect(scene.said).toEqual(['Guard of backup 20260101000000: the budget of 5 s was over: unlocked db:1']);
  });

  it('counts the time of each freeze anew', async () => {
    const scene = new Scene();
    for (const from of [0, 10_000, 20_000]) {
      scene.at(from, { held: true }).at(from + 4_000, { held: false });
    }
    scene.at(30_000, { order: undefined }).at(31_000, { ended: true });
    expect(await scene.run()).toEqual(['armed']);
  });

  it('rule 8: undoes at once when the runner is gone', async () => {
    const scene = new Scene();
    scene.at(1_000, { held: true }).at(2_000, { runnerGone: true });
    scene.at(4_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    expect(scene.undoneAt).toEqual([2_000]);
    expect(scene.answers[1]).toMatchObject({ why: 'the runner runner-0 is gone' });
  });

  it.each<[string, { ended?: boolean; held?: boolean; one?: boolean }, boolean]>([
    ['is undone for good when its runner was seen to have ended', {}, true],
    ['may come again of a runner that is only not there any more', { ended: false }, false],
    ['may be on its way still where there was nothing to undo', { held: false }, false],
    ['may come in part later where it is several changes', { one: false }, false],
  ])('what is held %s', async (_, { ended = true, held = true, one = true }, forGood) => {
    const scene = new Scene();
    scene.isOneChange = one;
    scene.at(1_000, { held }).at(2_000, { runnerGone: true, runnerEnded: ended }).at(4_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    expect('forGood' in (scene.answers[1] ?? {})).toBe(forGood);
  });

  it('what was undone before its runner ended may come again, and is undone for good only then', async () => {
    const scene = new Scene();
    scene.at(1_000, { held: true }).at(20_000, { runnerGone: true, runnerEnded: true, held: true });
    scene.at(30_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted', 'acted']);
    expect(scene.answers.map((answer) => 'forGood' in answer)).toEqual([false, false, true]);
  });

  it('undoes what comes only after its runner is gone: a lock that was asked for and not granted yet', async () => {
    const scene = new Scene();
    scene.at(1_000, { runnerGone: true }).at(100_000, { held: true });
    scene.at(101_000, { order: undefined }).at(103_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted', 'acted']);
    expect(scene.undoneAt).toEqual([100_000]);
    expect(scene.answers.slice(1)).toMatchObject([{ done: [] }, { done: ['unlocked db:1'] }]);
  });

  it('rule 8: undoes when it is told to stop itself, and leaves as one that the Job has to replace', async () => {
    const scene = new Scene();
    scene.at(1_000, { held: true }).at(2_000, () => scene.stop.abort(interrupted));
    await expect(scene.run()).rejects.toBe(interrupted);
    expect(scene.answers.map(({ state }) => state)).toEqual(['armed', 'acted']);
    expect(scene.undoneAt).toEqual([2_000]);
  });

  it('says when it cannot see the server any more, and undoes as soon as it can again', async () => {
    const scene = new Scene();
    scene.at(1_000, () => {
      scene.held = true;
      scene.fail = { open: unreachable };
      scene.session.abort(unreachable);
    });
    scene.at(4_000, { fail: {} }).at(6_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'unable', 'acted']);
    expect(scene.undoneAt).toEqual([4_000]);
  });

  it('does not arm where it cannot connect', async () => {
    const scene = new Scene();
    scene.fail = { open: unreachable };
    scene.at(1_000, { order: undefined }).at(3_000, { ended: true });
    expect(await scene.run()).toEqual(['unable']);
    expect(scene.answers[0]).toMatchObject({ why: 'it could not watch over db:1: no connection' });
    expect(scene.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('tries again what it could not undo', async () => {
    const scene = new Scene();
    scene.fail = { undo: unreachable };
    scene.at(1_000, { held: true }).at(2_000, { runnerGone: true });
    scene.at(5_000, { fail: {} }).at(8_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    expect(scene.undoneAt).toEqual([5_000]);
  });

  it('leaves after a while what it cannot undo: the record says so to a later run', async () => {
    const scene = new Scene();
    scene.fail = { undo: unreachable };
    scene.at(1_000, { held: true }).at(2_000, () => scene.stop.abort(interrupted));
    await expect(scene.run()).rejects.toBe(interrupted);
    expect(scene.answers.map(({ state }) => state)).toEqual(['armed']);
    expect(scene.clock.monotonic()).toBeLessThan(40_000);
  });

  it('has nothing to undo at a server that is another one by now', async () => {
    const scene = new Scene();
    scene.at(1_000, () => {
      scene.session.abort(unreachable);
      scene.fail = { open: new StillpointError('server-changed', 'another server answers') };
    });
    scene.at(2_000, { runnerGone: true }).at(4_000, { ended: true });
    expect((await scene.run()).at(-1)).toBe('acted');
    expect(scene.answers.at(-1)).toMatchObject({ done: [] });
  });

  it('looks again for what outlives its server, and undoes it once the name leads there', async () => {
    const scene = new Scene();
    scene.order = order({ held: order().held.map((held) => ({ ...held, outlivesServer: true })) });
    scene.at(1_000, () => {
      scene.held = true;
      scene.session.abort(unreachable);
      scene.fail = { open: new StillpointError('server-changed', 'another cluster answers') };
    });
    scene.at(2_000, { runnerGone: true }).at(8_000, { fail: {} }).at(60_000, { ended: true });
    await scene.run();
    expect(scene.undoneAt).toHaveLength(1);
  });

  it("watches over the order of the Job's next pod as over the first", async () => {
    const scene = new Scene();
    scene.at(1_000, { runnerGone: true }).at(20_000, () => {
      scene.runnerGone = false;
      scene.order = order({ pod: 'runner-1' });
    });
    scene.at(21_000, { held: true }).at(30_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted', 'armed', 'acted']);
    expect(scene.opens).toBe(2);
    expect(scene.undoneAt[0]).toBeGreaterThanOrEqual(26_000);
  });

  it('rule 8: undoes what nobody can see within 5 s of the end of the budget, counted from when the runner says it begins', async () => {
    const scene = new Scene();
    scene.unseen = true;
    scene.at(60_000, { begun: true, held: true }).at(80_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    const [undoneAt = 0] = scene.undoneAt;
    expect(undoneAt - 60_000).toBeGreaterThanOrEqual(BUDGET_MS);
    expect(undoneAt - 60_000).toBeLessThan(BUDGET_MS + 5_000);
  });

  it('undoes what nobody can see once, and not again and again', async () => {
    const scene = new Scene();
    scene.unseen = true;
    scene.at(1_000, { begun: true, held: true }).at(2_000, { runnerGone: true }).at(3_000, { held: true });
    scene.at(9_000, { ended: true });
    expect(await scene.run()).toEqual(['armed', 'acted']);
    expect(scene.undoneAt).toEqual([2_000]);
  });

  it('of an engine that needs none is refused', async () => {
    const scene = new Scene();
    const none = guard({
      sources: [{ engine: { name: 'postgres' }, config: {} }],
      signal: scene.stop.signal,
    } as unknown as GuardContext);
    await expect(none).rejects.toMatchObject({ code: 'config-invalid' });
  });
});
