/** What would fail tonight, said today: `stillpoint doctor` over the policies of a namespace, and its rehearsal of the freeze. */
import { BackupVolume, type RedisBackupProps } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PolicyFinding } from '../../runner/output/findings';
import { apply, KINDS, list, patch, read } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { isReady } from './harness/pods';
import { applyRedisPolicy, type PolicyOptionsOf, type TestPolicy } from './harness/policy';
import { recordsOf, snapshotsLeft } from './harness/records';
import { type RedisClient, startRedis, type TestRedis } from './harness/redis';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
/** What is changed there for a freeze outlives the session: its rehearsal needs the guard. */
let server: TestRedis;
let client: RedisClient;

beforeAll(async () => {
  namespace = await makeNamespace('doctor');
  server = await startRedis({ namespace: namespace.name, image: 'redis:8' });
  client = await server.connect();
});
afterAll(async () => {
  await client?.end();
  await namespace[Symbol.asyncDispose]();
});

const policyOf = (name: string, options: PolicyOptionsOf<RedisBackupProps> = {}): Promise<TestPolicy> =>
  applyRedisPolicy(server, { name, database: name, ...options });
const doctor = (...words: readonly string[]): ReturnType<typeof stillpoint> =>
  stillpoint('doctor', ...words, '-n', namespace.name, '--timeout', '3m');

/** How often writers were ever made to wait. */
async function pauses(): Promise<number> {
  const stats = String(await client.send('INFO', 'commandstats'));
  return Number(/cmdstat_client\|pause:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

const jobs = async (): Promise<readonly (string | undefined)[]> =>
  (await list(KINDS.job, namespace.name)).map(({ metadata }) => metadata?.name);

test('a rehearsal freezes, proves and lets go, with the guard, and leaves no backup behind', async () => {
  const policy = await policyOf('rehearsed');
  const before = await pauses();
  const unasked = await doctor('rehearsed', '--rehearse');
  expect(unasked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('nobody said yes') });
  expect([await pauses(), await jobs()]).toEqual([before, []]);

  const answer = await doctor('rehearsed', '--rehearse', '--yes');
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
  expect(answer.stdout).toMatch(
    new RegExp(
      `^ok +- +freeze of ${namespace.name}/rehearsed +writes held for .* of a budget of 30 s, after .* let go$`,
      'm',
    ),
  );
  expect(await pauses()).toBeGreaterThan(before);
  expect(await client.send('CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toEqual([
    'auto-aof-rewrite-percentage',
    '100',
  ]);
  expect(await client.send('SET', 'written', 'after')).toBe('OK');
  expect(await snapshotsLeft(namespace.name)).toEqual([]);
  expect(await jobs()).toEqual([]);

  // What was in force for a moment was on record, and a guard stood by; the next prune takes the record away.
  const [record, ...others] = await recordsOf(policy);
  expect(others).toEqual([]);
  expect(record).toMatchObject({ phase: 'deleting', cuts: [], held: [{}], heldUndone: { by: 'runner' } });
  const path = `${namespace.name}/rehearsed/${record?.id}`;
  expect(await stillpoint('delete', path, '--yes')).toMatchObject({ exitCode: 0 });
  expect(await recordsOf(policy)).toEqual([]);
});

test('all policies of a namespace are looked at, the worst first, each finding with its remedy', async () => {
  await policyOf('resting', { suspend: true });
  await policyOf('wrong', {
    className: 'nowhere',
    credentials: 'nobody',
    volumes: [BackupVolume.fromClaimName('data-nobody-0')],
  });
  const answer = await doctor('-o', 'json');
  expect(answer.exitCode, answer.stderr).toBe(3);
  const findings = JSON.parse(answer.stdout) as readonly PolicyFinding[];
  const of = (policy: string): readonly string[] =>
    findings
      .filter((each) => each.policy === `${namespace.name}/${policy}` && each.severity !== 'ok')
      .map(({ code }) => code);
  // One run shows all that is wrong, also what needs no session when that cannot be had.
  expect(of('wrong')).toEqual(['credentials-unreadable', 'claim-not-found', 'class-not-found', 'policy-idle']);
  expect(of('resting')).toEqual(['policy-idle']);
  const worst = findings.map(({ severity }) => ['error', 'warning', 'ok'].indexOf(severity));
  expect(worst).toEqual([...worst].sort());
  expect(findings.filter(({ severity, hint }) => severity !== 'ok' && hint === undefined)).toEqual([]);
  expect(findings).toContainEqual(expect.objectContaining({ policy: `${namespace.name}/resting`, severity: 'ok' }));
  expect(await jobs()).toEqual([]);

  const none = await stillpoint('doctor', '-n', 'kube-public');
  expect(none).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('policy-not-found') });
});

test('a volume that nobody backs up, and a right that the database user lacks, are found before the first night', async () => {
  const { name } = namespace;
  await policyOf('gaps');
  const claimName = 'uploads';
  await apply([
    {
      ...KINDS.claim,
      metadata: { name: claimName, namespace: name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
    } as object,
  ]);
  const pod = (await read(KINDS.statefulSet, server.name, name))?.spec.template.spec;
  const [container, ...others] = pod.containers;
  const mounts = [...container.volumeMounts, { name: claimName, mountPath: '/uploads' }];
  const spec = {
    containers: [{ ...container, volumeMounts: mounts }, ...others],
    volumes: [...(pod.volumes ?? []), { name: claimName, persistentVolumeClaim: { claimName } }],
  };
  const before = (await read(KINDS.pod, server.pod, name))?.metadata?.uid;
  await patch(KINDS.statefulSet, server.name, name, { spec: { template: { spec } } });
  await eventually('it is started anew', async () => {
    const uid = (await read(KINDS.pod, server.pod, name))?.metadata?.uid;
    return uid !== undefined && uid !== before && (await isReady(server.pod, name));
  });
  const admin = await server.connect();
  await admin.send('ACL', 'SETUSER', 'stillpoint', '-client|pause');
  await admin.end();

  const answer = await doctor('gaps', '-o', 'json');
  expect(answer.exitCode, answer.stderr).toBe(3);
  const findings = JSON.parse(answer.stdout) as readonly PolicyFinding[];
  expect(findings).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      code: 'privilege-missing',
      hint: expect.stringContaining('client|pause'),
    }),
  );
  expect(findings).toContainEqual(
    expect.objectContaining({
      severity: 'warning',
      code: 'volume-not-covered',
      subject: `claim ${claimName}`,
      hint: 'add it to the volumes, or name it in ignoreClaims',
    }),
  );
  expect(await recordsOf({ name: 'gaps', namespace: name, database: 'gaps' })).toEqual([]);
});
