/**
 * A server that speaks TLS alone, with a user that has the documented rights and no other: each of them is needed, and named
 * where it is missing.
 */
import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { TlsMode } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlanRequest, Target } from '../../runner/engine';
import { engine } from '../../runner/engines/redis';
import { redisLedger } from '../ledger/redis';
import { QuietLog } from '../support/quiet-log';
import { inspectRestored } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { selfSigned, type TestCertificate } from './harness/certificate';
import { apply } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { secret } from './harness/objects';
import { applyRedisPolicy, type TestPolicy } from './harness/policy';
import { BACKUP_RULES, REDIS_BACKUP_PASSWORD, startRedis, type TestRedis } from './harness/redis';

const NAME = 'secured-db';

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

  test('it is backed up, and its copy starts without its certificate', async () => {
    const record = succeeded(await takeBackup(await policyOf('usual')));
    expect(record).toMatchObject({
      layout: 'atomic',
      volumes: [{ claim: server.claims.data }],
      position: { exact: 'true' },
    });
    expect((await inspectRestored(record)).filter((each) => each !== 'ok')).toEqual([]);
  });

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
