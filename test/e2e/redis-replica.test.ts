/**
 * A replica is backed up where the policy says so. The pause of writes holds back what its primary sends: its own place in
 * that, and its rows, are in the record exactly, while the primary goes on writing. Rows are written one after the other, so a
 * copy that ends at one instant has the first so many of them and no other.
 */
import { RedisMode, RedisRole } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlanRequest, StepContext, Target } from '../../runner/engine';
import { engine } from '../../runner/engines/redis';
import type { BackupRecord } from '../../src/contract';
import { redisLedger } from '../ledger/redis';
import type { LedgerWriter } from '../ledger/writer';
import { QuietLog } from '../support/quiet-log';
import { LEDGER_RUNS } from '../support/soak';
import { inspectRestored, pathOf, startLedger } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyRedisPolicy } from './harness/policy';
import { infoOf, REDIS_BACKUP_PASSWORD, startRedis, startRedisOnClaim, type TestRedis } from './harness/redis';
import { startRedisReplica } from './harness/redis-replica';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

const never = new AbortController().signal;
const within: StepContext = { signal: never, remainingMs: () => 30_000 };

describe.concurrent.each(['redis:8', 'valkey:8'] as const)('%s', (image) => {
  let namespace: TestNamespace;
  let primary: TestRedis;
  let replica: TestRedis;

  beforeAll(async () => {
    namespace = await makeNamespace('replica');
    // Its pings come every ten seconds else, and a freeze is over in one: seldom between two looks, and often enough.
    const pings = ['--repl-ping-replica-period', '1'];
    primary = await startRedis({ namespace: namespace.name, image, name: 'primary', args: pings });
    replica = await startRedisReplica(primary, 'replica');
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  describe('a policy', { concurrent: false }, () => {
    test('rule 2: a replica is refused where nobody has said that one is meant', async () => {
      const policy = await applyRedisPolicy(replica, { name: 'refused', database: 'refused' });
      const { error, pod } = await attemptBackup(policy);
      expect(pod.exitCode).toBe(3);
      expect(error).toMatchObject({ code: 'server-unsafe', message: expect.stringContaining('primary:6379') });
    });

    test('a primary that pings its replicas under the pause has not been written to', async () => {
      const session = await engine.open(await targetOf(primary, RedisRole.MASTER), new QuietLog(), never);
      const plan = session.plan(requestOf(primary, RedisRole.MASTER));
      const client = await primary.connect();
      for (const step of plan.steps) if (step.kind === 'act') await step.run(within);
      const [before, info] = [await plan.observe(within), await infoOf(client)];
      await eventually(
        'it has pinged',
        async () => (await infoOf(client)).master_repl_offset !== info.master_repl_offset,
      );
      expect(await plan.observe(within)).toEqual(before);
      await plan.thaw(within);
      await Promise.all([session.close(), client.end()]);
    });

    test('the freeze holds back what the primary sends, and no client of the primary waits', async () => {
      const session = await engine.open(await targetOf(replica, RedisRole.REPLICA), new QuietLog(), never);
      const plan = session.plan(requestOf(replica, RedisRole.REPLICA));
      const [client, other] = [await primary.connect(), await replica.connect()];
      const keysThere = async (): Promise<unknown> => await other.send('DBSIZE');
      for (const step of plan.steps) if (step.kind === 'act') await step.run(within);
      const [before, keys] = [await plan.observe(within), await keysThere()];
      await client.send('SET', 'meanwhile', 'x');
      await eventually('the replica has received it', async () => {
        const info = await infoOf(other);
        return Number(info.slave_read_repl_offset) > Number(info.slave_repl_offset);
      });
      expect(await plan.observe(within)).toEqual(before);
      expect(await keysThere()).toBe(keys);
      await plan.thaw(within);
      await eventually('the replica has done it', async () => (await keysThere()) === Number(keys) + 1);
      await Promise.all([session.close(), client.end(), other.end()]);
    });

    describe.each([RedisMode.AOF, RedisMode.RDB_PAUSED, RedisMode.RDB])('in mode %s', (mode) => {
      test.each(Array.from({ length: LEDGER_RUNS }, (_, run) => run + 1))(
        `run %i of ${LEDGER_RUNS}: the copy has exactly the rows of the record, while the primary is written to`,
        async (run) => {
          const name = `of-${mode}`;
          const policy = await applyRedisPolicy(replica, { name, database: name, mode, role: RedisRole.REPLICA });
          await using ledger = await startLedger(
            { connect: async () => ({ ...redisLedger(await primary.connect()), position: async () => ({}) }) },
            { writers: 1 },
          );
          await ledger.more(100);
          const before = ledger.acknowledged;
          const record = succeeded(await takeBackup(policy));
          await ledger.stop();
          expectRecorded(record, mode);
          const [said] = await Promise.all([
            run === 1 ? inspectRestored(record) : [],
            expectCopied(record, before, ledger),
          ]);
          expect(said.filter((each) => each !== 'ok')).toEqual([]);
        },
      );
    });
  });

  async function targetOf(server: TestRedis, role: RedisRole): Promise<Target> {
    return {
      connection: { host: await server.address(), port: 6379, usernameFile: '' },
      username: 'stillpoint',
      password: REDIS_BACKUP_PASSWORD,
      tls: undefined,
      options: { role },
    };
  }

  function requestOf({ claims }: TestRedis, role: RedisRole): PlanRequest {
    const volume = { name: 'data', role: 'data', claim: claims.data, mountPath: '/data' } as const;
    return {
      id: '20260101000000',
      volumes: [{ ...volume, namespace: namespace.name }],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: { role },
    };
  }

  function expectRecorded({ position = {}, proof, settings, freezes }: BackupRecord, mode: RedisMode): void {
    expect(freezes).toBe(mode === RedisMode.RDB ? 'nothing' : 'writes');
    expect(position).toMatchObject({ exact: 'true', mode, primary: 'primary:6379' });
    expect(proof?.before.facts).toMatchObject({ role: 'slave', link: expect.stringMatching(/^up, client \d+$/) });
    expect(settings).toMatchObject({ replicaof: 'primary 6379' });
    // It had all that the primary had when the backup began, and had received no less than it had done.
    expect(Number(position.offset)).toBeGreaterThanOrEqual(Number(position.primaryOffset));
    expect(Number(position.received)).toBeGreaterThanOrEqual(Number(position.offset));
  }

  async function expectCopied(record: BackupRecord, before: number, ledger: LedgerWriter): Promise<void> {
    const name = uniqueName('copy');
    const restored = await stillpoint('restore', pathOf(record), '--claim', name);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startRedisOnClaim({ name, namespace: namespace.name, image }, name);
    // Safety rule 13.
    expect(await infoOf(copy)).toMatchObject({ role: 'master' });
    const rows = await redisLedger(copy).numbers();
    expect(record.position).toMatchObject({ keys: `db0=${rows.length}` });
    expect(rows).toEqual(Array.from({ length: rows.length }, (_, index) => index + 1));
    expect(rows.length).toBeGreaterThanOrEqual(before);
    const seen = Date.parse(record.times.lastCutSeen ?? '');
    expect(rows.length).toBeLessThanOrEqual(ledger.rows.filter(({ begun }) => begun < seen).length);
    await copy.end();
    await remove(KINDS.pod, name, namespace.name);
  }
});
