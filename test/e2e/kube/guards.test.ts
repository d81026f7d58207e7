/**
 * How a runner and its guard meet, on a real API server and with the rights of a policy's account. No database: that
 * freezes are undone is shown in test/e2e/dead-man.test.ts.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import { KubernetesGuardPost } from '../../../runner/kube/guard-post';
import { KubernetesGuards } from '../../../runner/kube/guards';
import type { GuardOrder } from '../../../runner/ports';
import { backupAccess, guardLeaseName, JOB_INDEX_LABEL } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { type Anything, create, KINDS, list, read, remove } from '../harness/cluster';
import { makeNamespace, type TestNamespace, uniqueName } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { makeAccount } from './account';

/** A Job of two pods that do nothing; they stand for a runner and its guard. */
interface TwoPods {
  readonly name: string;
  readonly uid: string;
  readonly pods: readonly [runner: string, guard: string];
}

let namespace: TestNamespace;
let account: AsyncDisposable & { readonly client: KubeClient };
let job: TwoPods;
const never = new AbortController().signal;

beforeAll(async () => {
  namespace = await makeNamespace('guards');
  account = await makeAccount(
    namespace.name,
    backupAccess({
      claims: ['data'],
      byLabel: false,
      byPod: false,
      directCut: false,
      slots: 0,
      snapshotClasses: ['disk'],
      groupClasses: [],
      lease: 'stillpoint-db',
      guardLease: guardLeaseName('db'),
      registryNamespace: namespace.name,
      clusterScope: false,
    }),
  );
  job = await startTwoPods();
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await namespace[Symbol.asyncDispose]();
});

const index = ({ metadata }: Anything): string => metadata?.labels?.[JOB_INDEX_LABEL] ?? '';

async function startTwoPods(): Promise<TwoPods> {
  const name = uniqueName('two');
  const container = { name: 'runner', image: 'node:24', command: ['node', '-e', 'setInterval(() => {}, 1e6)'] };
  const made = await create({
    ...KINDS.job,
    metadata: { name, namespace: namespace.name },
    spec: {
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimitPerIndex: 0,
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
      template: { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container] } },
    },
  } as Anything);
  const pods = await eventually('two pods run', async () => {
    const found = await list(KINDS.pod, namespace.name, `job-name=${name}`);
    return found.filter(({ status }) => status?.phase === 'Running').length === 2 ? found : undefined;
  });
  const [runner, guard] = [...pods].sort((a, b) => Number(index(a)) - Number(index(b)));
  return {
    name,
    uid: made.metadata?.uid ?? '',
    pods: [runner?.metadata?.name ?? '', guard?.metadata?.name ?? ''],
  };
}

const order = (changes: Partial<GuardOrder> = {}): GuardOrder => ({
  id: '20260101000000',
  jobUid: job.uid,
  pod: job.pods[0],
  held: [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: { appendfsync: 'everysec' } }],
  budgetMs: 5000,
  ...changes,
});

function runnerSide(timeoutSeconds = 20): KubernetesGuards {
  const options = {
    namespace: namespace.name,
    database: 'db',
    timeoutSeconds,
    clock: systemClock,
    log: new QuietLog(),
  };
  return new KubernetesGuards(account.client, options);
}

function guardSide(of: TwoPods = job): KubernetesGuardPost {
  const post = new KubernetesGuardPost(account.client, {
    namespace: namespace.name,
    database: 'db',
    job: { name: of.name, uid: of.uid },
    pod: of.pods[1],
    clock: systemClock,
    log: new QuietLog(),
    signal: never,
  });
  onTestFinished(() => post.close());
  return post;
}

/** The order as the guard sees it. */
const seen = (post: KubernetesGuardPost): Promise<GuardOrder> =>
  eventually('the order is seen', async () => post.order);

async function armed(post: KubernetesGuardPost): Promise<Awaited<ReturnType<KubernetesGuards['arm']>>> {
  const arming = runnerSide().arm(order(), never);
  post.answer(await seen(post), { state: 'armed' });
  return await arming;
}

describe('rule 8: a runner and its guard', () => {
  test('meet before the freeze, and part when nothing is held any more', async () => {
    const post = guardSide();
    const guard = await armed(post);
    expect(post.order).toMatchObject(order());
    expect(guard.lost.aborted).toBe(false);
    expect(await runnerSide().letGoBy(order())).toBeUndefined();
    await guard.release();
    // Whoever looks later need not ask the server.
    expect(await runnerSide().letGoBy(order())).toBe('runner');
    await eventually('the guard is let go', async () => post.order === undefined);
    expect(guard.lost.aborted).toBe(false);
  });

  test('do not meet in time: nothing is frozen, and the order does not stand', async () => {
    await expect(runnerSide(1).arm(order(), never)).rejects.toMatchObject({
      code: 'guard-missing',
      message: 'the guard is not there: no guard has answered within 1 s',
    });
    const post = guardSide();
    await post.pause(1000);
    expect(post.order).toBeUndefined();
  });

  test('do not meet where the guard cannot connect', async () => {
    const post = guardSide();
    const arming = runnerSide().arm(order(), never);
    arming.catch(() => undefined);
    post.answer(await seen(post), { state: 'unable', why: 'no connection' });
    await expect(arming).rejects.toMatchObject({ code: 'guard-missing', message: /no connection/ });
  });

  test('the runner learns at once that the guard has acted, and a later run reads what it did', async () => {
    const post = guardSide();
    const guard = await armed(post);
    const done = ['appendfsync is everysec again'];
    const at = new Date().toISOString();
    post.answer(await seen(post), { state: 'acted', why: 'the budget of 5 s was over', at, done });
    await eventually('the runner knows', async () => guard.lost.aborted, { seconds: 5 });
    expect(guard.lost.reason).toMatchObject({ code: 'guard-acted', message: /the budget of 5 s was over/ });
    expect(guard.report).toMatchObject({ guard: job.pods[1], done });
    await guard.release();
    expect(await runnerSide().reportOn(order())).toEqual({
      guard: job.pods[1],
      why: 'the budget of 5 s was over',
      at,
      done,
    });
    expect(await runnerSide().reportOn(order({ jobUid: 'another' }))).toBeUndefined();
  });

  test('the runner finds out that its guard is gone', async () => {
    const post = guardSide();
    const guard = await armed(post);
    await eventually(
      'it has renewed the lease',
      async () => {
        const before = (await read(KINDS.lease, guardLeaseName('db'), namespace.name))?.spec?.renewTime;
        await post.pause(3500);
        return before !== (await read(KINDS.lease, guardLeaseName('db'), namespace.name))?.spec?.renewTime;
      },
      { seconds: 20 },
    );
    expect(guard.lost.aborted).toBe(false);
    await post.close();
    await eventually('it is missed', async () => guard.lost.aborted, { seconds: 15 });
    expect(guard.lost.reason).toMatchObject({ code: 'guard-acted', message: /no sign of life for 9 s/ });
    await guard.release();
  });

  test("the guard does not take the order of another Job's runner", async () => {
    const post = guardSide();
    const other = runnerSide(3).arm(order({ jobUid: 'another' }), never);
    await expect(other).rejects.toMatchObject({ code: 'guard-missing' });
    expect(post.order).toBeUndefined();
  });

  test('the guard finds out that its runner is gone, and that the Job needs it no more', async () => {
    const own = await startTwoPods();
    const post = guardSide(own);
    const arming = runnerSide().arm(order({ jobUid: own.uid, pod: own.pods[0] }), never);
    post.answer(await seen(post), { state: 'armed' });
    const guard = await arming;
    await eventually('the guard has looked', async () => !post.runnerGone && !post.ended);
    await remove(KINDS.pod, own.pods[0], namespace.name, 0);
    await eventually('it is missed', async () => post.runnerGone, { seconds: 10 });
    // Nobody has seen its end.
    expect(post.runnerEnded).toBe(false);
    await eventually('the Job has given up', async () => post.ended, { seconds: 30 });
    await guard.release();
  });

  test('a Job that is gone needs no guard', async () => {
    const own = await startTwoPods();
    const post = guardSide(own);
    await remove(KINDS.job, own.name, namespace.name);
    await eventually('the guard knows', async () => post.ended, { seconds: 20 });
  });
});
