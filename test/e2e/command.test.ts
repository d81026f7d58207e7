/** What a person starts from a terminal and the policy's own pod does: `stillpoint backup --wait` and `doctor`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MOUNTS } from '../../src/contract';
import { KINDS, patch } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { stillpoint } from './harness/stillpoint';

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('command');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (name: string, options: PolicyOptions = {}): Promise<TestPolicy> =>
  applyPolicy(server, { name, database: name, ...options });
const run = (command: string, policy: string, ...more: string[]): ReturnType<typeof stillpoint> =>
  stillpoint(command, policy, '-n', namespace.name, '--timeout', '3m', ...more);

test('backup --wait comes back when the backup has succeeded; its database is name enough', async () => {
  await policyOf('waited', { name: 'some-policy' });
  for (const name of ['some-policy', 'waited']) {
    const answer = await run('backup', name, '--wait');
    expect(answer, answer.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(new RegExp(`^backup ${namespace.name}/waited/\\d{14} succeeded\\n$`)),
    });
  }
});

test('backup --wait says why a backup failed, after all attempts of its Job', async () => {
  await policyOf('broken', { host: 'nobody-is-here' });
  const answer = await run('backup', 'broken', '--wait');
  // The record's own code, and the exit code that belongs to it.
  expect(answer.exitCode, answer.stderr).toBe(3);
  expect(answer.stderr).toMatch(/failed: .*nobody-is-here.* \(server-unreachable\)/);
  expect(answer.stderr).not.toContain('wait-impossible');
});

test('backup --wait says what the pod said where no runner came so far as to make a record', async () => {
  const { name } = await policyOf('unread');
  await patch(KINDS.configMap, name, namespace.name, { data: { [MOUNTS.configFile]: 'kind: BackupJob\n' } });
  const answer = await run('backup', 'unread', '--wait');
  expect(answer.exitCode, answer.stderr).toBe(2);
  expect(answer.stderr).toMatch(/backup \S+ failed: job config .* \(config-invalid\)/);
  expect(answer.stderr).not.toMatch(/BackoffLimitExceeded|PodFailurePolicy/);
});

test('backup --wait does not wait for an image that nobody has', async () => {
  await policyOf('imageless', { image: 'stillpoint:never-built' });
  const answer = await run('backup', 'imageless', '--wait');
  expect(answer.exitCode).toBe(4);
  expect(answer.stderr).toMatch(/cannot start/);
});

test('doctor prints its findings with their remedies, and fails when there is an error', async () => {
  await policyOf('sound');
  const sound = await run('doctor', 'sound');
  expect(sound, sound.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^RESULT +CODE +SUBJECT/) });
  expect(sound.stdout).not.toMatch(/^error/m);

  await policyOf('misled', { className: 'nowhere' });
  const misled = await run('doctor', 'misled');
  expect(misled.exitCode).toBe(3);
  expect(misled.stdout).toMatch(/^error +class-not-found/m);
  expect(misled.stdout).toMatch(/What to do:/);
});
