/**
 * A sharded MongoDB in one backup: all of its servers locked through the mongos, the balancer off meanwhile, and both as before
 * afterwards, whatever happens to the runner.
 */
import { Duration } from 'cdk8s';
import { BackupVolume, MongoBackup, MongoMember } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type BackupRecord, LABELS } from '../../src/contract';
import { LEDGER_RUNS } from '../support/soak';
import { sharedLedger } from './engines/copy';
import { abandon } from './harness/abandon';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { forget, nthPod, startBackup } from './harness/job';
import { startMongoOnClaim } from './harness/mongo';
import { SHARDED_TITLE, startShardedMongo, type TestShardedMongo } from './harness/mongo-sharded';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyPolicyOf, type PolicyOptionsOf, type TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

type Options = PolicyOptionsOf<ConstructorParameters<typeof MongoBackup>[2]>;

describe(SHARDED_TITLE, () => {
  let namespace: TestNamespace;
  let cluster: TestShardedMongo;

  beforeAll(async () => {
    namespace = await makeNamespace('mongo-sharded');
    cluster = await startShardedMongo(namespace.name);
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  function applyShardedPolicy(options: Options = {}, router = cluster.router): Promise<TestPolicy> {
    const volumes = [BackupVolume.fromServerPod('data')];
    return applyPolicyOf(MongoBackup, { ...router, volumes }, { member: MongoMember.PRIMARY, ...options });
  }

  /** What a backup may have left: servers that are locked, a balancer that is stopped. */
  async function left(): Promise<readonly string[]> {
    const clients = await cluster.connectToAll();
    const locked = await Promise.all(
      clients.map(async (client, index) => {
        const { fsyncLock } = await client.command({ currentOp: 1 }).finally(() => client.end());
        return fsyncLock === true ? [`${cluster.pods[index]} is locked`] : [];
      }),
    );
    const router = await cluster.connect();
    const { mode } = await router.command({ balancerStatus: 1 }).finally(() => router.end());
    return [...locked.flat(), ...(mode === 'full' ? [] : [`the balancer is ${String(mode)}`])];
  }

  async function atRouter(command: Readonly<Record<string, unknown>>): Promise<void> {
    const client = await cluster.connect();
    await client.command(command).finally(() => client.end());
  }

  /** The numbers of the rows in the copies of all shards, each looked at by a throw-away server of the restore. */
  async function restoredRows(record: BackupRecord): Promise<readonly number[]> {
    const name = uniqueName('copy');
    const path = `${record.namespace}/${record.database}/${record.id}`;
    const restored = await stillpoint('restore', path, '--claim', name, '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const { volumes } = JSON.parse(restored.stdout) as { volumes: { claim: string }[] };
    expect(volumes).toHaveLength(cluster.pods.length);
    const rows = await Promise.all(
      volumes.map(async ({ claim }) => {
        const copy = await startMongoOnClaim({ name: claim, namespace: namespace.name, claim });
        onTestFinished(() => remove(KINDS.pod, claim, namespace.name));
        return await copy.numbers().finally(() => copy.end());
      }),
    );
    return rows.flat().sort((one, other) => one - other);
  }

  test(
    `is held as a whole: ${LEDGER_RUNS} of ${LEDGER_RUNS} copies have exactly the rows of one instant`,
    async () => {
      const policy = await applyShardedPolicy();
      for (let run = 0; run < LEDGER_RUNS; run++) {
        const ledger = await sharedLedger(cluster.ledger);
        const record = succeeded(await takeBackup(policy));
        await ledger.more(50);
        await ledger.stop();
        expect(record).toMatchObject({ engine: 'mongodb', freezes: 'writes', layout: 'atomic' });
        expect(record.members?.map(({ name }) => name)).toEqual(cluster.pods);
        expect(record.members?.map(({ position }) => position?.shard)).toEqual([
          'config servers',
          'shard-a',
          'shard-b',
        ]);
        for (const { position } of record.members ?? []) {
          expect(position).toMatchObject({ lock: 'true', exact: 'true', cluster: 'one-instant' });
        }
        expect(record.volumes.map(({ claim }) => claim)).toEqual(cluster.claims);
        const { before, after } = record.proof ?? {};
        for (const pod of cluster.pods) {
          expect(after?.facts).toMatchObject({ [`${pod}.fsyncLock`]: 'true', [`${pod}.role`]: 'primary' });
          expect(after?.facts[`${pod}.lastWrite`]).toBe(before?.facts[`${pod}.lastWrite`]);
        }
        expect(after?.facts).toMatchObject({
          'cfg-0.balancer': 'off',
          'cfg-0.shards': 'config=cfg shard-a=shard-a shard-b=shard-b',
        });
        expect(record.held?.map(({ undo }) => undo.kind ?? 'lock')).toEqual(['lock', 'balancer', 'lock', 'lock']);
        expect(await left()).toEqual([]);
        const seen = Date.parse(record.times.lastCutSeen ?? '');
        const acknowledged = ledger.rows.filter(({ acknowledged: at = Number.POSITIVE_INFINITY }) => at < seen);
        const expected = acknowledged.map(({ number }) => number).sort((one, other) => one - other);
        expect(await restoredRows(record)).toEqual(expected);
        process.stdout.write(
          `    held ${record.freezeWindowMs} ms, spread ${record.spreadMs} ms, ${expected.length} rows in the copies\n`,
        );
      }
    },
    LEDGER_RUNS * 180_000 + 120_000,
  );

  test('rule 8: all servers are unlocked and the balancer is on again when the runner is killed', async () => {
    const budgetSeconds = 8;
    const budget = Duration.seconds(budgetSeconds);
    const policy = await applyShardedPolicy({ database: 'killed', name: 'killed', budget });
    const ledger = await sharedLedger(cluster.ledger);
    await using gate = await openGate(namespace.name);
    const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const from = Date.now();
    const job = await startBackup(policy);
    const { refuse } = await asked;
    expect(await left()).toEqual([...cluster.pods.map((pod) => `${pod} is locked`), 'the balancer is off']);
    const runner = await runnerProcess(await nthPod(job), namespace.name);
    runner.kill();
    await ledger.more(100);
    const stall = ledger.longestStallMs(from);
    expect(stall).toBeLessThan((budgetSeconds + 5) * 1000);
    await eventually('nothing is left', async () => (await left()).length === 0, { seconds: 15 });
    process.stdout.write(`    stall ${Math.round(stall)} ms\n`);
    refuse();
    await forget(job);
  });

  test('rule 8: the runner and its guard are killed, and the next run undoes the locks and the balancer', async () => {
    const policy = await applyShardedPolicy({ database: 'abandoned', name: 'abandoned', budget: Duration.seconds(8) });
    await abandon(policy);
    expect(await left()).toEqual([...cluster.pods.map((pod) => `${pod} is locked`), 'the balancer is off']);
    succeeded(await takeBackup(policy));
    expect(await left()).toEqual([]);
    const [first] = await recordsOf(policy);
    expect(first).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' }, heldUndone: { by: 'later-run' } });
    const done = first?.heldUndone?.done.join() ?? '';
    for (const pod of cluster.pods) expect(done).toContain(`unlocked ${pod}`);
    expect(done).toContain('started the balancer');
  });

  test('rule 6: a balancer that somebody starts while the servers are held fails the backup', async () => {
    const policy = await applyShardedPolicy({ database: 'balanced', name: 'balanced' });
    await using gate = await openGate(namespace.name);
    const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const attempt = attemptBackup(policy);
    const { allow } = await asked;
    // Its setting is written on the config servers: past the mongos, with their lock taken away and put back.
    const [config] = await cluster.connectToAll();
    await config?.command({ fsyncUnlock: 1 });
    await atRouter({ balancerStart: 1 });
    await config?.command({ fsync: 1, lock: true });
    await config?.end();
    allow();
    const { record } = await attempt;
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'proof-failed' } });
    expect(await left()).toEqual([]);
  });

  test('a balancer that somebody stops while the backup waits for its turn stays so, and nothing is held', async () => {
    const policy = await applyShardedPolicy({ database: 'unbalanced', name: 'unbalanced' });
    await using gate = await openGate(namespace.name);
    const announces = gate.hold(
      ({ resource, operation, name, object }) =>
        resource === 'configmaps' &&
        operation === 'UPDATE' &&
        name.includes('.unbalanced.') &&
        object?.metadata?.labels?.[LABELS.phase] === 'freezing',
    );
    const attempt = attemptBackup(policy);
    const { allow } = await announces;
    await atRouter({ balancerStop: 1 });
    allow();
    const { record } = await attempt;
    const found = await left();
    await atRouter({ balancerStart: 1 });
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'freeze-failed' }, cuts: [] });
    expect(record?.error?.message).toContain('the balancer went from full to off');
    expect(found).toEqual(['the balancer is off']);
  });

  test('rule 2: a change of the schema under way is refused, and nothing is left', async () => {
    const policy = await applyShardedPolicy({ database: 'altered', name: 'altered' });
    const [config] = await cluster.connectToAll();
    await config?.command({ insert: 'standin', documents: [{ _id: 'ddl' }] }, 'config');
    const { record } = await attemptBackup(policy);
    await config?.command({ delete: 'standin', deletes: [{ q: { _id: 'ddl' }, limit: 1 }] }, 'config');
    await config?.end();
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'freeze-failed' } });
    expect(record?.error?.message).toContain('DDL');
    expect(record?.cuts).toEqual([]);
    expect(await left()).toEqual([]);
  });

  test('the primaries are never locked unasked, nor shards one after another', async () => {
    const unasked = await applyShardedPolicy({ database: 'unasked', name: 'unasked', member: MongoMember.SECONDARY });
    expect((await attemptBackup(unasked)).error).toMatchObject({ code: 'member-unsuitable' });
    const old = await applyShardedPolicy({ database: 'old', name: 'old' }, cluster.oldRouter);
    const { error } = await attemptBackup(old);
    expect(error).toMatchObject({ code: 'server-version-unsupported' });
    expect(error?.message).toContain('a mongos of version 5.0.20 does not lock its shards');
  });

  test('approximate: each server is locked by itself, and the record says so', async () => {
    const options = { database: 'approximate', name: 'approximate', approximate: true };
    const record = succeeded(await takeBackup(await applyShardedPolicy(options, cluster.oldRouter)));
    expect(record.members?.map(({ position }) => position?.cluster)).toEqual(Array(3).fill('approximate'));
    expect(record.warnings?.join()).toContain('there is no one instant that all copies are of');
    expect(await left()).toEqual([]);
    const told = await stillpoint('describe', `${namespace.name}/approximate/${record.id}`);
    expect(told.stdout).toContain('approximate');
  });
});
