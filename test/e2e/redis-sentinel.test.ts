/**
 * The server is the one that sentinels name when a backup begins: the master, or a replica of it. A failover in the middle of a
 * freeze fails the backup, and leaves nothing changed: not in the file either that sentinels have the server write at that moment.
 */
import { Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { RedisRole } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisLedger } from '../ledger/redis';
import { inspectRestored, pathOf, startLedger } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { KINDS, list, read, remove } from './harness/cluster';
import { prune } from './harness/job';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { isReady } from './harness/pods';
import { applyRedisPolicy, type TestPolicy } from './harness/policy';
import { snapshotsLeft } from './harness/records';
import {
  DEFAULT_PASSWORD,
  infoOf,
  REDIS_BACKUP_PASSWORD,
  SENTINEL_RULES,
  SETTINGS_FILE,
  startRedis,
  startRedisOnClaim,
  type TestRedis,
} from './harness/redis';
import { SENTINEL_PASSWORD, startRedisReplica, startSentinel, type TestSentinel } from './harness/redis-replica';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';
import { makeRetainClass } from './kube/fixture';

const MASTER = 'sessions';

describe('redis:8 with a sentinel', () => {
  let namespace: TestNamespace;
  let one: TestRedis;
  let other: TestRedis;
  let sentinel: TestSentinel;

  beforeAll(async () => {
    namespace = await makeNamespace('sentinel');
    const common = { namespace: namespace.name, image: 'redis:8', rules: SENTINEL_RULES } as const;
    one = await startRedis({ ...common, name: 'one', file: true, args: ['--masterauth', DEFAULT_PASSWORD] });
    other = await startRedisReplica(one, 'other', { file: true, byAddress: true, rules: SENTINEL_RULES });
    sentinel = await startSentinel(one, { name: 'watcher', masterName: MASTER, image: 'redis:8' });
    await eventually('the sentinel knows the replica', async () => (await said('REPLICAS')).length === 1);
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  async function said(what: 'MASTER' | 'REPLICAS'): Promise<readonly unknown[]> {
    return (await sentinel.ask(what, MASTER)) as readonly unknown[];
  }

  /** A policy that knows of the servers by the sentinels alone: the first of them is not there. */
  function policyOf(name: string, options: Parameters<typeof applyRedisPolicy>[1] = {}): Promise<TestPolicy> {
    const credentials = Secret.fromSecretName(Testing.chart(), 'sentinels', sentinel.credentials);
    return applyRedisPolicy(one, {
      name,
      database: name,
      host: 'sessions.example',
      sentinel: { masterName: MASTER, addresses: ['nobody-home', `${sentinel.name}:26379`], credentials },
      ...options,
    });
  }

  async function ask<T>(server: TestRedis, ...command: readonly string[]): Promise<T> {
    const client = await server.connect();
    return (await client.send(...command).finally(() => client.end())) as T;
  }

  async function infoAt(server: TestRedis): Promise<Readonly<Record<string, string>>> {
    const client = await server.connect();
    return await infoOf(client).finally(() => client.end());
  }

  test('the master is backed up, and its copy is a server of its own', async () => {
    const policy = await policyOf('master');
    const record = succeeded(await takeBackup(policy));
    expect(record).toMatchObject({
      volumes: [{ claim: one.claims.data }],
      serverIdentity: { role: 'master' },
      position: { exact: 'true' },
      held: [{ undo: { replicaof: '' } }],
    });
    expect(JSON.stringify(record)).not.toContain(SENTINEL_PASSWORD);
  });

  test('a replica is backed up where one is asked for; its copy does not go back to the master', async () => {
    const policy = await policyOf('replica', { role: RedisRole.REPLICA });
    const record = succeeded(await takeBackup(policy));
    const master = `${await one.address()}:6379`;
    expect(record).toMatchObject({
      volumes: [{ claim: other.claims.data }],
      serverIdentity: { role: 'slave' },
      position: { exact: 'true', primary: master },
      settings: { replicaof: master.replace(':', ' '), config_file: SETTINGS_FILE },
    });
    const name = uniqueName('copy');
    const restored = await stillpoint('restore', pathOf(record), '--claim', name);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    // On its own file, which has REPLICAOF in it.
    const copy = await startRedisOnClaim({ name, namespace: namespace.name, image: 'redis:8', file: true }, name);
    expect(await infoOf(copy)).toMatchObject({ role: 'master', config_file: SETTINGS_FILE });
    await copy.end();
    await remove(KINDS.pod, name, namespace.name);
    expect((await inspectRestored(record)).filter((each) => each !== 'ok')).toEqual([]);
  });

  test('rule 2: a master that sentinels do not know, and a wrong login at them, touch nothing', async () => {
    const unknown = await policyOf('unknown', { sentinel: { masterName: 'nobody', addresses: [sentinel.name] } });
    const { error, pod } = await attemptBackup(unknown);
    expect(pod.exitCode).toBe(3);
    expect(error).toMatchObject({ code: 'authentication-failed', message: expect.stringContaining(sentinel.name) });
  });

  test('rule 6: a failover in the middle of a freeze fails the backup, and leaves nothing changed', async () => {
    // Long enough for sentinels to name the other server, ten seconds after a failover; on a busy machine it takes longer.
    await using late = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '55000' });
    const policy = await policyOf('failover', { className: late.name, budget: Duration.seconds(75) });
    await using ledger = await startLedger(
      { connect: async () => ({ ...redisLedger(await one.connect()), position: async () => ({}) }) },
      { writers: 1 },
    );
    await ledger.more(20);
    await ledger.stop();
    const end = attemptBackup(policy);
    await eventually('a snapshot is asked for, with writes paused', async () =>
      (await list(KINDS.snapshot, namespace.name)).some(({ metadata }) => metadata?.name?.startsWith('failover-')),
    );
    expect(await ask(one, 'CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toContain('0');
    await sentinel.ask('FAILOVER', MASTER);
    await eventually('the replica is the master', async () => (await infoAt(other)).role === 'master');
    const { error, record, pod } = await end;
    // What sentinels tell a server whose writes are paused may wait for the end of the pause.
    await eventually('the master is a replica', async () => (await infoAt(one)).role === 'slave');
    expect(pod.exitCode).toBe(4);
    // Whichever comes first: its session is ended, its role is another, sentinels name another server.
    expect(['session-lost', 'proof-failed', 'server-changed'], error?.message).toContain(error?.code);
    expect(record).toMatchObject({ phase: 'failed', heldUndone: { done: expect.anything() } });
    await eventually('nothing of it is left', async () =>
      (await snapshotsLeft(namespace.name, 'failover-')).every((name) => /Content of/.test(name)),
    );
    for (const server of [one, other]) {
      expect(await ask(server, 'CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toContain('100');
      expect(await ask(server, 'CONFIG', 'GET', 'appendfsync')).toContain('everysec');
      expect(await ask(server, 'CLIENT', 'LIST')).not.toContain('user=stillpoint');
    }
    // What the old master was told to write down in the freeze, it has written down again: it comes up as it was.
    const before = await read(KINDS.pod, one.pod, namespace.name);
    await remove(KINDS.pod, one.pod, namespace.name);
    await eventually('the old master has started anew', async () => {
      const pod = await read(KINDS.pod, one.pod, namespace.name);
      return pod?.metadata?.uid !== before?.metadata?.uid && (await isReady(one.pod, namespace.name));
    });
    expect(await ask(one, 'CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toContain('100');
    expect(JSON.stringify([record, pod.log])).not.toContain(REDIS_BACKUP_PASSWORD);
    // Its class is there until the storage has cut and removed it: without it nobody could, and every prune would wait for it.
    await prune();
    await eventually(
      'the storage has nothing of it',
      async () => (await snapshotsLeft(namespace.name, 'failover-')).length === 0,
      { seconds: 120 },
    );
  });

  test('after the failover the new master is backed up, by the same policy', async () => {
    const policy = await policyOf('master');
    const record = succeeded(await takeBackup(policy));
    expect(record).toMatchObject({ volumes: [{ claim: other.claims.data }], serverIdentity: { role: 'master' } });
  });
});
