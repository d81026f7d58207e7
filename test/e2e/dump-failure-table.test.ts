/**
 * The failure table of dumps on a cluster: the pod that is gone from one instant to the next, at each thing that it asks of its store; and
 * a store that is busy for a while or for ever, or takes the credentials no more. Between the pods and the real store stands a proxy
 * that loses one request, or answers in its place. The steps of runner and tool one by one: test/runner/commands/dump-killed.test.ts.
 */
import { Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupStorage, DumpCompression, PostgresDump } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UnreliableProxy } from '../support/unreliable-proxy';
import { during, PostgresDumps } from './dump/postgres';
import { KINDS, remove } from './harness/cluster';
import { type DumpScene, type Policy, PREFIX } from './harness/dump-scene';
import { jobEnd, nthPod, startBackup } from './harness/job';
import { NEVER } from './harness/never';
import { ownAddress } from './harness/pods';
import { runnerProcess } from './harness/runner-process';
import type { TestS3 } from './harness/s3';

/** Each is a dump of three parts. */
const MORE_ROWS = 300_000;
const PATIENCE = Duration.seconds(8);

let dumps: PostgresDumps;
let scene: DumpScene;
let s3: TestS3;

beforeAll(async () => {
  dumps = await PostgresDumps.start('dump-table');
  ({ scene } = dumps);
  ({ s3 } = scene);
  await during(dumps.server, 'orders', (on) =>
    on.query(`CREATE TABLE more AS SELECT n, md5(n::text) AS word FROM generate_series(1, ${MORE_ROWS}) n`),
  );
});
afterAll(() => dumps?.[Symbol.asyncDispose]());

/** A policy of dumps whose pods reach the store by a proxy of its own. */
async function behindProxy(
  id: string,
  patience = PATIENCE,
): Promise<AsyncDisposable & { readonly policy: Policy; readonly proxy: UnreliableProxy }> {
  const server = new URL(s3.endpoint);
  const proxy = await UnreliableProxy.to(() => server, await ownAddress(server));
  const policy = await scene.policy(id, (chart, shared) => {
    const credentials = Secret.fromSecretName(chart, 'keys', 'store');
    return new PostgresDump(chart, id, {
      ...shared,
      storage: BackupStorage.s3({ bucket: s3.bucket, endpoint: proxy.url, prefix: PREFIX, credentials, patience }),
      host: dumps.server.name,
      credentials: Secret.fromSecretName(chart, 'login', 'orders-db-admin'),
      serverImage: dumps.server.image,
      onlyDatabase: 'orders',
      compression: DumpCompression.NONE,
      schedule: NEVER,
    });
  });
  return { policy, proxy, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

async function expectWhole(policy: Policy, jobUid: string): Promise<void> {
  const [record, ...others] = await scene.recordsOf(policy);
  expect(others).toEqual([]);
  expect(record).toMatchObject({ phase: 'succeeded', owner: { jobUid } });
  const keys = (await s3.keys()).filter((key) => key.includes(`/${policy.database}/`));
  expect(keys.map((key) => key.split('/').at(-1))).toEqual(['dump.sql', 'owner.yaml', 'record.yaml']);
  const [object] = record?.objects ?? [];
  const stored = await s3.bytes(`${PREFIX}/${object?.key}`);
  expect([stored.length, stored.subarray(-200).toString()]).toEqual([
    object?.bytes,
    expect.stringContaining('PostgreSQL database dump complete'),
  ]);
  expect(await s3.uploads(`/${policy.database}/`)).toBe(0);
}

const MATCHES = {
  list: /^GET .*list-type=2/,
  own: /^PUT .*\/owner\.yaml/,
  begin: /^POST .*\?uploads/,
  part: /^PUT .*partNumber=2&/,
  complete: /^POST .*[?&]uploadId=/,
  record: /^PUT .*\/record\.yaml/,
} as const;

describe.concurrent('a pod that is gone is made good by the next one of its Job', () => {
  test.each<[when: string, at: keyof typeof MATCHES]>([
    ['when it looks at the store', 'list'],
    ['before the folder is its own', 'own'],
    ['before the upload begins', 'begin'],
    ['in the middle of the parts', 'part'],
    ['before the parts are put together', 'complete'],
    ['before the record lies beside the dump', 'record'],
  ])('%s', async (_, at) => {
    await using own = await behindProxy(`gone-at-${at}`);
    const asked = own.proxy.hold((seen) => MATCHES[at].test(seen));
    const job = await startBackup(own.policy);
    const pod = await nthPod(job);
    const runner = await runnerProcess(pod, job.namespace);
    await asked;
    // The first process of a container takes all others along: the tool has no word either.
    runner.kill();
    await remove(KINDS.pod, pod, job.namespace, 0);
    expect((await scene.recordsOf(own.policy)).map(({ phase }) => phase)).not.toContain('succeeded');
    expect(await jobEnd(job)).toBe('Complete');
    await expectWhole(own.policy, job.uid);
  });
});

describe.concurrent('a store that', () => {
  test('is busy for a while, at each thing that is asked of it, is asked again', async () => {
    await using own = await behindProxy('busy', Duration.minutes(2));
    const refused = new Map<string, number>();
    own.proxy.spoil = (asked, answer) => {
      const seen = `${asked.method} ${asked.url}`;
      const [kind] = Object.entries(MATCHES).find(([, pattern]) => pattern.test(seen)) ?? [];
      const before = refused.get(kind ?? '') ?? 0;
      if (kind === undefined || before === 4) return undefined;
      refused.set(kind, before + 1);
      asked.resume();
      asked.on('end', () => answer.writeHead(503, { 'content-length': 0 }).end());
      return 'spoilt';
    };
    const { job } = await scene.good(own.policy);
    expect(Object.fromEntries(refused)).toEqual({ list: 4, own: 4, begin: 4, part: 4, complete: 4, record: 4 });
    await expectWhole(own.policy, job.uid);
  });

  test.each<[what: string, id: string, status: number, body: string, code: string, says: RegExp]>([
    ['is busy for ever ends the dump within its patience', 'for-ever', 503, '', 'store-unreachable', /tried \d+ times/],
    [
      'takes the credentials no more, since they have expired (answered by the proxy), ends it within its patience',
      'expired',
      400,
      '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>expired</Message></Error>',
      'store-credentials-expired',
      /ExpiredToken/,
    ],
  ])('%s', async (_, id, status, body, code, says) => {
    await using own = await behindProxy(id);
    let gone = false;
    const isGone = (seen: string): boolean => {
      gone ||= MATCHES.part.test(seen);
      return gone;
    };
    own.proxy.answer(status, Number.POSITIVE_INFINITY, isGone, body);
    const { pod, record } = await scene.attempt(own.policy);
    // By itself, and not since its Job was ended for it.
    expect([pod.exitCode, record?.phase, record?.error?.code]).toEqual([4, 'failed', code]);
    expect(record?.error?.message).toMatch(says);
    expect(record).not.toHaveProperty('objects');
    expect(record?.leftovers).toEqual(
      ['owner.yaml', 'dump.sql', 'record.yaml'].map((file) => expect.stringContaining(`${file} in bucket`)),
    );
    // Nothing lies under the dump's name.
    const keys = (await s3.keys()).filter((key) => key.includes(`/${own.policy.database}/`));
    expect(keys.map((key) => key.split('/').at(-1))).toEqual(['owner.yaml']);
    const again = own.proxy.seen.filter((seen) => MATCHES.part.test(seen)).length;
    // A Secret may be renewed meanwhile.
    expect(again).toBeGreaterThan(3);
  });
});
