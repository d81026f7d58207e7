/** What a person starts from a terminal and the policy's own pod does: `stillpoint backup --wait` and `doctor`. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { LABELS, MOUNTS } from '../../src/contract';
import { KINDS, patch } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('command');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (name: string, options: PolicyOptions = {}): Promise<TestPolicy> =>
  applyPolicy(server, { name, database: name, ...options });
const BUNDLE = new URL('../../bundle/stillpoint.mjs', import.meta.url).pathname;
const ask = (...words: readonly string[]): ReturnType<typeof stillpoint> => stillpoint(...words, '-n', namespace.name);
const run = (command: string, policy: string, ...more: string[]): ReturnType<typeof stillpoint> =>
  stillpoint(command, policy, '-n', namespace.name, '--timeout', '3m', ...more);

test('backup --wait comes back when the backup has succeeded, and the line that backup prints waits for it as well', async () => {
  const { name } = await policyOf('waited', { name: 'some-policy' });
  await patch(KINDS.cronJob, name, namespace.name, { metadata: { labels: { team: 'shop' } } });
  const done = new RegExp(`^backup ${namespace.name}/waited/\\d{14} succeeded\\n$`);
  const answer = await run('backup', 'some-policy', '--wait');
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(done) });
  // The database is name enough. What is begun is not on record yet: whoever waits at once waits for it all the same.
  const begun = await ask('backup', 'waited');
  const [, command = ''] = /\nstillpoint (wait \S+)\n$/.exec(begun.stdout) ?? [];
  const waited = await stillpoint(...command.split(' '));
  expect(waited, waited.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(done) });
  expect(waited.stdout).not.toBe(answer.stdout);
});

test('list, status and describe show a database with its backups, its policy and its last results', async () => {
  // What the test before has made: two backups by one policy whose schedule never comes.
  const listed = await ask('list', 'waited');
  expect(listed.stdout).toMatch(
    /^DATABASE +BACKUP +STATUS +ENGINE +TRIGGER +AGE\n(waited +\d{14} +succeeded +postgres +manual +\d+m?\d*s?\n){2}$/,
  );
  const ids = [...listed.stdout.matchAll(/\d{14}/g)].map(([id]) => id);
  expect(ids).toEqual([...ids].sort().reverse());
  expect((await ask('list', '--status', 'failed')).stdout).toBe('');
  expect((await ask('list', 'nobody')).stderr).toContain(`No backups of nobody found in namespace ${namespace.name}.`);
  expect(
    (
      await stillpoint(
        'list',
        '-A',
        '-l',
        `stillpoint.dev/backup=${ids[0]},stillpoint.dev/namespace=${namespace.name}`,
        '-o',
        'name',
      )
    ).stdout,
  ).toBe(`${namespace.name}/waited/${ids[0]}\n`);
  const [newest] = JSON.parse((await ask('list', 'waited', '-o', 'json')).stdout);
  expect(newest).toMatchObject({ id: ids[0], phase: 'succeeded', proof: { holds: true } });

  expect((await ask('status', 'waited')).stdout).toMatch(
    /^DATABASE +STATUS +LAST GOOD.*\nwaited +ok +\d+m?\d*s? +<none> +never\n$/,
  );
  expect(await ask('status', 'waited', '--max-age', '1h')).toMatchObject({ exitCode: 0 });
  expect(await ask('status', 'waited', '--max-age', '1ms')).toMatchObject({
    exitCode: 9,
    stdout: expect.stringMatching(/^waited +late /m),
    stderr: expect.stringContaining(`${namespace.name}/waited (backup-overdue)`),
  });
  expect(await ask('status', 'nobody')).toMatchObject({ exitCode: 5 });

  const described = (await stillpoint('describe', `${namespace.name}/waited`)).stdout;
  expect(described).toMatch(new RegExp(`^Name: +waited\nNamespace: +${namespace.name}\nEngine: +postgres 17`));
  expect(described).toMatch(new RegExp(`^Server: +host ${server.name}:5432, pod .*, image postgres:17$`, 'm'));
  expect(described).toMatch(
    /^Policies:\n +NAME +SCHEDULE .*\n +some-policy +0 0 31 2 \* +Etc\/UTC +never +never +30s/m,
  );
  expect(described).toMatch(new RegExp(`^Volumes:\n.*\n +data +data +${server.claims.data} `, 'm'));
  expect(described).toMatch(/^Backups: +2, of which 2 good\n +DATABASE/m);
  expect(described).toMatch(/^Events:\n.*\n(.*\n)*.* Normal +SuccessfulSnapshot +job\/some-policy-\d+ /m);
  expect(JSON.parse((await ask('describe', 'waited', '-o', 'json')).stdout)).toMatchObject({
    status: 'ok',
    policies: [{ name: 'some-policy' }],
    configs: [{ spec: { engine: 'postgres', database: 'waited' } }],
  });
  expect((await ask('describe', 'waited/latest')).stdout).toMatch(new RegExp(`^Backup: +${ids[0]}\n`));
});

test('labels choose backups and databases, of records and of policies', async () => {
  const ids = [...(await ask('list', 'waited')).stdout.matchAll(/\d{14}/g)].map(([id]) => id).sort();
  const paths = ids.map((id) => `${namespace.name}/waited/${id}`);
  const both = [...'-A -l'.split(' '), `${LABELS.database}=waited,${LABELS.namespace}=${namespace.name}`];
  const waited = await stillpoint('wait', ...both, '-o', 'name');
  expect(waited, waited.stderr).toMatchObject({ exitCode: 0 });
  expect(waited.stdout.trim().split('\n').sort()).toEqual(paths);
  const one = ['-l', `${LABELS.backup}=${ids[0]}`];
  expect(JSON.parse((await ask('protect', ...one, '--reason', 'x', '-o', 'json')).stdout)).toMatchObject([
    { id: ids[0], retention: { protected: true, reason: 'x' } },
  ]);
  expect((await ask('list', '-l', `${LABELS.protected}=true`, '-o', 'name')).stdout).toBe(`${paths[0]}\n`);
  expect((await ask('release', '-l', `${LABELS.protected}=true`, '-o', 'name')).stdout).toBe(`${paths[0]}\n`);
  // All of a database are never deleted, however they are chosen; and who chooses nothing changes nothing.
  expect(await stillpoint('delete', ...both, '--dry-run')).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('(delete-refused)'),
  });
  expect((await ask('delete', ...one, '--dry-run', '-o', 'name')).stdout).toBe(`${paths[0]}\n`);
  expect(await ask('delete', '-l', 'nobody=has-it', '--yes')).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: 'No backups found with these labels.\n',
  });
  expect(await ask('wait', '-l', 'nobody=has-it')).toMatchObject({ exitCode: 5 });
  expect(await ask('list', '-l', 'no label at all!')).toMatchObject({ exitCode: 3 });
  // A database is meant by a label of its policy as by one of its records, and is shown as a whole.
  for (const label of [`${LABELS.backup}=${ids[0]}`, 'team=shop']) {
    const [state, ...others] = JSON.parse((await ask('status', '-l', label, '-o', 'json')).stdout);
    expect(others).toEqual([]);
    expect(state).toMatchObject({ database: 'waited', backups: 2, policies: [{ name: 'some-policy' }] });
  }
  expect((await ask('status', '-l', 'team=other', '-o', 'name')).stdout).toBe('');
});

test('one rule for the namespace: that of the context, and all with -A', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-context-'));
  try {
    const kubeconfig = join(folder, 'kubeconfig');
    const elsewhere = parse(readFileSync(process.env.KUBECONFIG ?? '', 'utf8'));
    elsewhere.contexts[0].context.namespace = namespace.name;
    elsewhere.contexts.push({ name: 'other', context: { ...elsewhere.contexts[0].context, namespace: 'kube-public' } });
    writeFileSync(kubeconfig, stringify(elsewhere));
    const here = await stillpoint('list', 'waited', '-o', 'name', '--kubeconfig', kubeconfig);
    expect(here.stdout.trim().split('\n')).toHaveLength(2);
    const latest = await stillpoint('describe', 'waited/latest', '-o', 'name', '--kubeconfig', kubeconfig);
    expect(latest.stdout).toBe(`${here.stdout.split('\n')[0]}\n`);
    expect((await stillpoint('wait', 'waited/latest', '--kubeconfig', kubeconfig)).exitCode).toBe(0);
    // Another context's namespace has none of them, and neither has one that nobody has.
    expect((await stillpoint('list', '--kubeconfig', kubeconfig, '--context', 'other')).stderr).toContain(
      'No backups found in namespace kube-public.',
    );
    expect((await stillpoint('list', '--kubeconfig', kubeconfig, '--context', 'nobody', '-A')).exitCode).toBe(3);
    expect((await stillpoint('describe', 'waited/latest')).exitCode).toBe(5);
    expect((await stillpoint('describe', 'waited/latest', '-A', '-o', 'name')).stdout).toBe(latest.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('bash completes commands, databases and backups from the cluster', async () => {
  const [id] = (await ask('list', 'waited', '-o', 'name')).stdout.match(/\d{14}/) ?? [];
  const typed = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', BASH, 'bash', ...words], {
      env: { ...process.env, STILLPOINT_REGISTRY: thisRun.registry },
    });
    return stdout.trim().split('\n').sort();
  };
  // A shell is not kept waiting: on a busy machine nothing may come at first, as for somebody who presses tab again.
  const completed = (expected: string, ...words: readonly string[]): Promise<readonly string[]> =>
    eventually(`${words.join(' ')} is completed to ${expected}`, async () => {
      const offered = await typed(...words);
      return offered.includes(expected) ? offered : undefined;
    });
  expect(await typed('stillpoint', 'desc')).toEqual(['describe']);
  expect(await typed('stillpoint', 'wait', '--for', '=', 'su')).toEqual(['succeeded']);
  expect(await completed('waited', 'stillpoint', 'list', '-n', namespace.name, 'wai')).toEqual(['waited']);
  expect(await completed('some-policy', 'stillpoint', 'backup', '-n', namespace.name, 'some')).toEqual(['some-policy']);
  await completed(`${namespace.name}/waited/${id}`, 'stillpoint', 'describe', `${namespace.name}/waited/2`);
  await completed(namespace.name, 'stillpoint', 'list', '-n', namespace.name.slice(0, -2));
  // A cluster that does not answer is not waited for.
  expect(await typed('stillpoint', 'list', '--kubeconfig', '/nowhere', '')).toEqual(['']);
});

test('kubectl runs it as its plugin, and completes it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-path-'));
  try {
    for (const name of ['kubectl-stillpoint', 'kubectl_complete-stillpoint']) symlinkSync(BUNDLE, join(folder, name));
    symlinkSync(process.execPath, join(folder, 'node'));
    const kubectl = async (...words: readonly string[]): Promise<string> => {
      const path = `${folder}:${join(process.env.CLUSTER_ROOT ?? '/var/lib/test-cluster', 'bin')}:${process.env.PATH}`;
      const env = { ...process.env, PATH: path, STILLPOINT_REGISTRY: thisRun.registry };
      return (await promisify(execFile)('kubectl', words, { env })).stdout;
    };
    const all = (await ask('list', '-o', 'name')).stdout;
    expect(await kubectl('stillpoint', 'list', '-n', namespace.name, '-o', 'name')).toBe(all);
    expect(await kubectl('stillpoint', '-n', namespace.name, 'list', '-o', 'name')).toBe(all);
    expect(await kubectl('__complete', 'stillpoint', 'list', '-n', namespace.name, 'wai')).toBe('waited\n:4\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Sources the script and completes the last word of its arguments, as a terminal does on a tab. */
const BASH = `
stillpoint() { ${process.execPath} ${BUNDLE} "$@"; }
source <(stillpoint completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_stillpoint
printf '%s\\n' "\${COMPREPLY[@]}"`;

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
  expect(answer.stderr).toMatch(/job \S+ made no backup: job config .* \(config-invalid\)/);
  expect(answer.stderr).not.toMatch(/BackoffLimitExceeded|PodFailurePolicy/);
});

test('backup --wait does not wait for an image that nobody has', async () => {
  await policyOf('imageless', { image: 'stillpoint:never-built' });
  const answer = await run('backup', 'imageless', '--wait');
  expect(answer.exitCode).toBe(4);
  // There is no record, and none is named as if there were.
  expect(answer.stderr).toMatch(/error: job \S+ made no backup: its container runner cannot start: .*never-built/);
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
