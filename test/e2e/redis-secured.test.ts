/**
 * A server that speaks TLS alone, with a user that has the documented rights and no other: each of them is needed, and named
 * where it is missing.
 */
import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { Registry, TlsMode } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import type { PlanRequest, Target } from '../../runner/engine';
import { engine } from '../../runner/engines/redis';
import { KubernetesSlots } from '../../runner/kube/slots';
import type { Slot } from '../../runner/ports';
import { redisLedger } from '../ledger/redis';
import { QuietLog } from '../support/quiet-log';
import { inspectRestored } from './engines/copy';
import { attemptBackup, backupEnd, succeeded } from './harness/backup';
import { selfSigned, type TestCertificate } from './harness/certificate';
import { apply } from './harness/cluster';
import { nthPod, startBackup } from './harness/job';
import { followLog } from './harness/logs';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { secret } from './harness/objects';
import { applyRedisPolicy, type TestPolicy } from './harness/policy';
import { BACKUP_RULES, REDIS_BACKUP_PASSWORD, type RedisClient, startRedis, type TestRedis } from './harness/redis';
import { slowClass } from './harness/registry';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { connect } from './kube/fixture';

const NAME = 'secured-db';

/** Shorter than a backup waits, and than its cut takes. */
const IDLE_SECONDS = '2';

describe('redis:8 with TLS', () => {
  let namespace: TestNamespace;
  let certificate: TestCertificate;
  let server: TestRedis;

  beforeAll(async () => {
    namespace = await makeNamespace('secured');
    certificate = await selfSigned(`DNS:${NAME}`);
    const { name } = namespace;
    server = await startRedis({ namespace: name, image: 'redis:8', name: NAME, certificate });
    const client = await server.connect();
    await redisLedger(client).add(1);
    await client.end();
    const stranger = await selfSigned(`DNS:${NAME}`);
    await apply([secret({ name: 'stranger', namespace: name }, { 'ca.crt': stranger.certificate })]);
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  function policyOf(name: string, options: Parameters<typeof applyRedisPolicy>[1] = {}): Promise<TestPolicy> {
    return applyRedisPolicy(server, {
      name,
      database: name,
      certificateAuthority: authority(`${NAME}-tls`),
      ...options,
    });
  }

  test('it is backed up, also where it ends who is idle while a backup waits; its copy starts without its certificate', async () => {
    const policy = await policyOf('usual', {
      registry: Registry.fromNamespace(thisRun.registry, 1),
      // Its cuts take 5 s.
      className: slowClass(thisRun.registry),
    });
    const turn = await takeTurn();
    const job = await startBackup(policy);
    await using log = await followLog(await nthPod(job), namespace.name);
    const clients: RedisClient[] = [];
    try {
      await eventually('the backup waits for its turn', async () =>
        (await log.lines()).some(({ message }) => message?.startsWith('waiting for the snapshot controller')),
      );
      // Not before: the test itself is idle while a pod starts.
      const admin = await server.connect();
      await admin.send('CONFIG', 'SET', 'timeout', IDLE_SECONDS);
      // Whoever came later and is idle was ended: by then the backup has been idle for longer.
      const idle = await server.connect();
      clients.push(admin, idle);
      const id = String(await idle.send('CLIENT', 'ID'));
      await eventually('the server has ended an idle client', async () => {
        return String(await admin.send('CLIENT', 'LIST', 'ID', id)).trim() === '';
      });
    } finally {
      await Promise.all([turn?.release(0), ...clients.map((client) => client.end())]);
    }
    const record = succeeded(await backupEnd(policy, job));
    const later = await server.connect();
    await later.send('CONFIG', 'SET', 'timeout', '0').finally(() => later.end());
    expect(record).toMatchObject({
      layout: 'atomic',
      volumes: [{ claim: server.claims.data }],
      position: { exact: 'true' },
    });
    expect((await inspectRestored(record)).filter((each) => each !== 'ok')).toEqual([]);
  });

  /** The one turn at the snapshot controller that the policy asks for. */
  async function takeTurn(): Promise<Slot | undefined> {
    const asked = { namespace: thisRun.registry, count: 1, holder: 'this test', limitMs: 120_000 };
    const slots = new KubernetesSlots(await connect(), { ...asked, clock: systemClock, log: new QuietLog() });
    return await slots.take(new AbortController().signal);
  }

  test('rule 2: an authority that is not the one of its certificate is refused', async () => {
    await expectUntrusted(await policyOf('stranger', { certificateAuthority: authority('stranger') }));
  });

  test('rule 2: a host that its certificate is not for is refused', async () => {
    await expectUntrusted(await policyOf('misnamed', { host: `${NAME}.${namespace.name}` }));
  });

  async function expectUntrusted(policy: TestPolicy): Promise<void> {
    const { error, pod } = await attemptBackup(policy);
    expect(pod.exitCode).toBe(3);
    expect(error).toMatchObject({ code: 'tls-failed' });
  }

  test('rule 2: a right that is missing is named as the rule to add, before anything is touched', async () => {
    await setRule('-bgsave -publish');
    const { error, pod } = await attemptBackup(await policyOf('rights')).finally(() => setRule('+bgsave +publish'));
    expect(pod.exitCode).toBe(3);
    expect(error).toMatchObject({
      code: 'privilege-missing',
      message: expect.stringContaining('+bgsave'),
      hint: expect.stringContaining('ACL SETUSER stillpoint +bgsave'),
    });
  });

  // Of those that are rights to commands; the first is what takes all channels away.
  const rules = BACKUP_RULES.filter((rule) => rule.startsWith('+'));
  test.each(rules)('the right %s is one that a backup needs, and is named where it is missing', async (rule) => {
    await setRule(rule.replace('+', '-'));
    const said = await refusal().finally(() => setRule(rule));
    expect(said).toMatchObject({ code: 'privilege-missing', hint: expect.stringContaining(rule) });
    expect(await refusal()).toBeUndefined();
  });

  test('the channel of the proof is a right, too', async () => {
    await setRule('resetchannels');
    const said = await refusal().finally(() => setRule('&stillpoint'));
    expect(said).toMatchObject({ code: 'privilege-missing', hint: expect.stringContaining('&stillpoint') });
  });

  async function setRule(rules: string): Promise<void> {
    const client = await server.connect();
    await client.send('ACL', 'SETUSER', 'stillpoint', ...rules.split(' ')).finally(() => client.end());
  }

  /** What the checks say against a backup; undefined when nothing does. */
  async function refusal(): Promise<unknown> {
    const tls = { mode: TlsMode.VERIFY_CA, ca: certificate.certificate } as const;
    const target: Target = {
      connection: { host: await server.address(), port: 6379, usernameFile: '' },
      username: 'stillpoint',
      password: REDIS_BACKUP_PASSWORD,
      tls,
    };
    try {
      const session = await engine.open(target, new QuietLog(), new AbortController().signal);
      const found = await session.check(request()).finally(() => session.close());
      return found.find(({ severity }) => severity === 'error');
    } catch (error) {
      return error;
    }
  }

  function request(): PlanRequest {
    const volume = { name: 'data', role: 'data', claim: server.claims.data, mountPath: '/data' } as const;
    return {
      id: '20260101000000',
      volumes: [{ ...volume, namespace: namespace.name }],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: {},
    };
  }
});

function authority(name: string): ReturnType<typeof Secret.fromSecretName> {
  return Secret.fromSecretName(Testing.chart(), 'authority', name);
}
