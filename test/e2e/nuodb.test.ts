/**
 * NuoDB on the cluster's stand-in for a storage manager with its backup hooks: the hooks' messages and files are those of
 * NuoDB's own, the database behind them is none (test/e2e/harness/nuodb.ts).
 */
import { execFile } from 'node:child_process';
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupGroup, BackupVolume, NuoDbMember, VolumeMember } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordName } from '../../src/contract';
import { attemptBackup, attemptEnd, succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, eventsOn, KINDS, list, patch, read, remove } from './harness/cluster';
import { forget, nthGuard, nthPod, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import {
  applyNuoDbPolicy,
  DATABASE,
  startStorageManagers,
  stateOfCopy,
  type TestStorageManagers,
} from './harness/nuodb';
import { secret } from './harness/objects';
import { isReady } from './harness/pods';
import { type TestPolicy, usualProps } from './harness/policy';
import { recordOf, snapshotsLeft } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

/** The cut of the class disk-late takes 15 s. */
const LATE = { className: 'disk-late', budget: Duration.seconds(40) };
const SHORT = { className: 'disk-late', budget: Duration.seconds(8) };
const SHORT_MS = 8_000;

let namespace: TestNamespace;
let managers: TestStorageManagers;

beforeAll(async () => {
  namespace = await makeNamespace('nuodb');
  managers = await startStorageManagers({ namespace: namespace.name, replicas: 2 });
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (database: string, options: object = {}): Promise<TestPolicy> =>
  applyNuoDbPolicy(namespace.name, { database, ...options });

/** Waits until a backup holds the archive, and somebody has been asked for its cuts. */
async function held(database: string): Promise<void> {
  await eventually('the archive stands still', async () => (await managers.state()).frozen, { seconds: 120 });
  await eventually(
    'the cuts are asked for',
    async () => (await list(KINDS.snapshot, namespace.name, `stillpoint.dev/database=${database}`)).length > 0,
  );
}

/** Milliseconds until the archive goes on. */
async function goesOn(): Promise<number> {
  const from = Date.now();
  await eventually('the archive goes on', async () => !(await managers.state()).frozen, { seconds: 120 });
  return Date.now() - from;
}

async function leavesNothing(database: string): Promise<void> {
  await eventually('nothing is left', async () => (await snapshotsLeft(namespace.name, database)).length === 0, {
    seconds: 60,
  });
}

/** What kubectl says, and what it complains of. */
function kubectl(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile('kubectl', args, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}

async function deleted(backup: string): Promise<void> {
  const answer = await stillpoint('delete', backup, '--yes');
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
}

describe('NuoDB (a stand-in), a storage manager with a journal of its own', () => {
  test('the ready one with the lowest ordinal is held, archive and journal are cut, and fit each other in the copy', async () => {
    const policy = await policyOf('demo');
    const before = await managers.state();
    const record = succeeded(await takeBackup(policy));
    expect(record).toMatchObject({
      engine: 'nuodb',
      layout: 'held',
      freezes: 'log-recycling',
      serverIdentity: { database: 'demo', domain: 'nuodb', release: 'db' },
      workload: { pod: managers.pod(0), kind: 'StatefulSet', name: managers.statefulSet },
      position: { backupId: record.id, mode: 'hotsnap' },
      proof: { holds: true, before: { facts: { backup: record.id } }, after: { facts: { backup: record.id } } },
      heldUndone: { by: 'runner' },
    });
    expect(record.volumes.map(({ name, claim }) => [name, claim])).toEqual([
      ['archive', `archive-volume-${managers.pod(0)}`],
      ['journal', `journal-volume-${managers.pod(0)}`],
    ]);
    expect(record.cuts.map(({ snapshot }) => snapshot).sort()).toEqual([
      `demo-archive-${record.id}`,
      `demo-journal-${record.id}`,
    ]);
    const after = await managers.state();
    expect(after).toMatchObject({ frozen: false, backup: '' });
    expect(after.archive).toBe(after.journal);

    const restored = await stillpoint('restore', `${namespace.name}/demo/${record.id}`, '--claim', 'copy');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    process.stdout.write(restored.stdout);
    const copy = await stateOfCopy('copy', namespace.name, { archive: 'copy-archive', journal: 'copy-journal' });
    expect(copy.archive).toBe(copy.journal);
    expect(copy.journal).toBeGreaterThanOrEqual(before.journal);
    process.stdout.write(
      `    held ${record.freezeWindowMs} ms; the copy has ${copy.journal} atoms, ${before.journal} before\n`,
    );
  });

  test('another one is taken while the first is not ready', async () => {
    const first = await runnerProcess(managers.pod(0), namespace.name);
    first.halt();
    try {
      await eventually('it is not ready', async () => !(await isReady(managers.pod(0), namespace.name)));
      const record = succeeded(await takeBackup(await policyOf('second')));
      expect(record.workload?.pod).toBe(managers.pod(1));
      expect(record.volumes.map(({ claim }) => claim)).toContain(`journal-volume-${managers.pod(1)}`);
    } finally {
      first.resume();
    }
    await eventually('it is ready again', () => isReady(managers.pod(0), namespace.name));
  });

  test('rule 2: is refused while another backup is at work at the hooks, which goes on', async () => {
    const policy = await policyOf('overlapping');
    expect(await managers.hook('/pre-backup/20200101000000', { timeout: 120 })).toMatchObject({ status: 200 });
    const { error } = await attemptBackup(policy);
    expect(error).toMatchObject({ code: 'freeze-left', message: expect.stringContaining('20200101000000') });
    expect(await managers.state()).toMatchObject({ frozen: true, backup: '20200101000000' });
    expect(await managers.hook('/post-backup/20200101000000')).toMatchObject({ status: 200 });
    expect(await snapshotsLeft(namespace.name, 'overlapping')).toEqual([]);
  });

  test.each([
    {
      how: 'was ended by somebody under the cut',
      database: 'ended',
      disturb: async (id: string) => void (await managers.hook(`/post-backup/${id}`)),
      message: /say that no backup is at work/,
    },
    {
      how: 'was ended, and another one begun',
      database: 'replaced',
      disturb: async (id: string) => {
        await managers.hook(`/post-backup/${id}`);
        await managers.hook('/pre-backup/20200101000001', { timeout: 40 });
      },
      message: /say that backup 20200101000001 is at work/,
    },
  ])('rule 6: is no backup when it $how', async ({ database, disturb, message }) => {
    const policy = await policyOf(database, LATE);
    const job = await startBackup(policy);
    await held(database);
    await disturb((await recordOf(policy, job)).id);
    const { record, error } = await attemptEnd(policy, job);
    expect(error).toMatchObject({ code: 'proof-failed', message: expect.stringMatching(message) });
    expect(record).toMatchObject({ phase: 'failed', heldUndone: { by: 'runner' } });
    await leavesNothing(database);
    await managers.hook('/post-backup/20200101000001');
    expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
  });

  test('rule 6: is no backup when its storage manager was started anew, with the files of the backup; the next one is', async () => {
    const policy = await policyOf('restarted', LATE);
    const job = await startBackup(policy);
    await held('restarted');
    (await runnerProcess(managers.pod(0), namespace.name)).kill();
    const { record, error } = await attemptEnd(policy, job);
    // The guard may be the first to see that nobody answers.
    expect(error?.code).toMatch(/^(proof-failed|guard-acted)$/);
    expect(record?.phase).toBe('failed');
    await leavesNothing('restarted');
    await eventually('it serves again', () => isReady(managers.pod(0), namespace.name), { seconds: 60 });
    expect((await managers.state()).frozen).toBe(false);
    succeeded(await takeBackup(await policyOf('restarted')));
    expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
    process.stdout.write(`    restarted: ${error?.code}: ${error?.message}\n`);
  });

  test('rule 7: is let go when the budget is over, and leaves no snapshot', async () => {
    const { record, error } = await attemptBackup(await policyOf('late', SHORT));
    expect(error).toMatchObject({ code: 'budget-exceeded' });
    expect(record).toMatchObject({ phase: 'failed', heldUndone: { by: 'runner' } });
    expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
    await leavesNothing('late');
  });

  test.each([
    { who: 'its guard', database: 'guarded', kills: ['runner'] as const },
    { who: 'the hooks themselves', database: 'alone', kills: ['guard', 'runner'] as const },
  ])('rule 8: is let go by $who when who began it is killed', async ({ database, kills }) => {
    const policy = await policyOf(database, SHORT);
    const job = await startBackup(policy);
    const pods = { runner: await nthPod(job), guard: await nthGuard(job) };
    const processes = await Promise.all(kills.map((which) => runnerProcess(pods[which], namespace.name)));
    await held(database);
    for (const process of processes) process.kill();
    const ms = await goesOn();
    expect(ms).toBeLessThan(SHORT_MS + 5_000);
    const events = await eventsOn(KINDS.job, job.name, job.namespace);
    process.stdout.write(
      `    ${database}: went on after ${ms} ms; ${events.find((event) => event.includes('GuardActed')) ?? 'no guard has acted'}\n`,
    );
    await forget(job);
    expect((await recordOf(policy, job)).phase).not.toBe('succeeded');
    // What the dead runner has asked for may be cut yet: the next run undoes it, and is good.
    await stillpoint('heal', policy.name, '-n', namespace.name);
    expect((await recordOf(policy, job)).heldUndone).toMatchObject({ by: kills.length === 1 ? 'guard' : 'heal' });
  });

  test('rule 8: is let go by heal when nobody else is left, and not a second time', async () => {
    const policy = await policyOf('healed', { ...LATE, budget: Duration.seconds(120) });
    const job = await startBackup(policy);
    const pods = [await nthGuard(job), await nthPod(job)];
    const processes = await Promise.all(pods.map((pod) => runnerProcess(pod, namespace.name)));
    await held('healed');
    for (const process of processes) process.kill();
    await forget(job);
    expect(await managers.state()).toMatchObject({ frozen: true });
    const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
    expect(healed.stdout).toMatch(/backup \d+ was ended at the backup hooks at /);
    expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
    const again = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(again.stdout).toMatch(/nothing is held/);
  });
});

describe('NuoDB (a stand-in), of a control plane', () => {
  const resource = { apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database' };
  const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
  const PASSWORD = 'atoms that nobody counts';
  const spec = {
    dbName: 'demo',
    tier: 'n0.small',
    passwordRef: { kind: 'Secret', name: 'demo-dba' },
    archiveVolume: { volumeSize: '1Gi' },
  };

  beforeAll(async () => {
    // Of its own no more than the name and the version: the fields of the spec are whatever they are.
    await apply([
      {
        ...definition,
        metadata: { name: 'databases.cp.nuodb.com' },
        spec: {
          group: 'cp.nuodb.com',
          names: { kind: 'Database', plural: 'databases', singular: 'database', listKind: 'DatabaseList' },
          scope: 'Namespaced',
          versions: [
            {
              name: 'v1beta1',
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: 'object',
                  // As the client spells x-kubernetes-preserve-unknown-fields: it drops what it does not know.
                  properties: { spec: { type: 'object', x_kubernetes_preserve_unknown_fields: true } },
                },
              },
            },
          ],
        },
      } as Anything,
    ]);
    await eventually('the kind is served', async () => {
      await apply([
        {
          ...resource,
          metadata: {
            name: 'acme-messaging-demo',
            namespace: namespace.name,
            labels: { 'cp.nuodb.com/organization': 'acme', 'cp.nuodb.com/project': 'messaging' },
          },
          spec: { ...spec, dbaPassword: PASSWORD },
        } as Anything,
      ]);
      return true;
    });
    await apply([secret({ name: 'demo-dba', namespace: namespace.name }, { password: PASSWORD })]);
  });

  afterAll(() => remove(definition, 'databases.cp.nuodb.com'));

  test('its Database resource is in the record, the password of its DBA in a Secret that goes with that; both are made anew for a copy', async () => {
    const policy = await policyOf('kept', {
      databaseResource: 'acme-messaging-demo',
      organization: 'acme',
      project: 'messaging',
      dbaCredentials: Secret.fromSecretName(new Chart(Testing.app(), 'secrets'), 'dba', 'demo-dba'),
    });
    const record = succeeded(await takeBackup(policy));
    const name = recordName(namespace.name, 'kept', record.id);
    expect(record.resource).toEqual({
      ...resource,
      plural: 'databases',
      name: 'acme-messaging-demo',
      path: `/backups/acme/messaging/demo/${record.id}`,
      labels: { 'cp.nuodb.com/organization': 'acme', 'cp.nuodb.com/project': 'messaging' },
      spec,
      secret: name,
    });
    expect(JSON.stringify(record)).not.toContain(PASSWORD);
    const kept = await read(KINDS.secret, name, thisRun.registry);
    expect(Buffer.from(kept?.data.password ?? '', 'base64').toString()).toBe(PASSWORD);
    const described = await stillpoint('describe', `${namespace.name}/kept/${record.id}`);
    expect(described.stdout).toContain(`Database acme-messaging-demo, /backups/acme/messaging/demo/${record.id} there`);
    expect(described.stdout).not.toContain(PASSWORD);
    const asPolicy = ['--as', `system:serviceaccount:${namespace.name}:${policy.name}`, '-n', thisRun.registry];
    expect(await kubectl('auth', 'can-i', 'get', `secret/${name}`, ...asPolicy)).toMatch(/no/);
    expect(await kubectl('auth', 'can-i', 'create', 'secrets', ...asPolicy)).toMatch(/yes/);
    for (const [other, type] of [
      [`other.kept.${record.id}`, 'Opaque'],
      [`${namespace.name}.kept.20200101000000`, 'example.com/another'],
    ]) {
      const refused = await kubectl('create', 'secret', 'generic', `${other}`, `--type=${type}`, ...asPolicy);
      expect(refused).toMatch(/the account of a policy may make/);
    }

    // Its copy: another resource, of the restored volumes, with another password.
    const again = ['restore', `${namespace.name}/kept/${record.id}`, '--claim', 'dbaas', '--size', '2Gi', '--resource'];
    const itself = await stillpoint(...again, 'acme-messaging-demo');
    expect(itself).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/is the one that the backup is of/) });
    const small = await stillpoint(...again.with(5, '1Mi'), 'acme-messaging-copy');
    expect(small).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/1Mi/) });
    const restored = await stillpoint(...again, 'acme-messaging-copy');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(restored.stdout).toContain(`Database ${namespace.name}/acme-messaging-copy`);
    const copy = await read(resource, 'acme-messaging-copy', namespace.name);
    expect(copy?.metadata?.labels).toMatchObject({ 'cp.nuodb.com/organization': 'acme' });
    expect(copy?.spec).toEqual({
      dbName: 'demo',
      tier: 'n0.small',
      passwordRef: { kind: 'Secret', name: 'acme-messaging-copy-credentials' },
      archiveVolume: { volumeSize: '2Gi' },
      journalVolume: { volumeSize: '2Gi' },
    });
    const credentials = await read(KINDS.secret, 'acme-messaging-copy-credentials', namespace.name);
    const { data = '', recorded = '' } = credentials?.data ?? {};
    expect(Buffer.from(recorded, 'base64').toString()).toBe(PASSWORD);
    expect(Buffer.from(data, 'base64').toString()).toMatch(/^[0-9a-f]{48}$/);
    const twice = await stillpoint(...again.with(3, 'second'), 'acme-messaging-copy');
    expect(twice).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/is there already/) });
    const state = await stateOfCopy('dbaas', namespace.name, { archive: 'dbaas-archive', journal: 'dbaas-journal' });
    expect(state.archive).toBe(state.journal);

    // Undone, it takes along what it has made, and nothing of the original's.
    const undone = await stillpoint('restore', '--undo', 'dbaas', '-n', namespace.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(undone.stdout).toContain(`Database ${namespace.name}/acme-messaging-copy removed`);
    expect(undone.stdout).toContain(`Secret ${namespace.name}/acme-messaging-copy-credentials removed`);
    expect(await read(resource, 'acme-messaging-copy', namespace.name)).toBeUndefined();
    expect(await read(KINDS.secret, 'acme-messaging-copy-credentials', namespace.name)).toBeUndefined();
    expect(await read(KINDS.claim, 'dbaas-archive', namespace.name)).toBeUndefined();
    expect(await read(resource, 'acme-messaging-demo', namespace.name)).toBeDefined();
    expect(await read(KINDS.secret, 'demo-dba', namespace.name)).toBeDefined();
    expect(await read(KINDS.secret, name, thisRun.registry)).toBeDefined();

    // The last good one would stay.
    succeeded(await takeBackup(policy));
    await deleted(`${namespace.name}/kept/${record.id}`);
    await eventually('the Secret is gone with the record', async () => {
      return (await read(KINDS.secret, name, thisRun.registry)) === undefined;
    });
  });

  test('a clone brings its Database resource along, with a password of its own, and goes with it', async () => {
    const latest = `${namespace.name}/kept/latest`;
    const cloned = await stillpoint('clone', latest, '--to', 'messaging-copy', '--resource', 'acme-messaging-clone');
    expect(cloned, cloned.stderr).toMatchObject({ exitCode: 0 });
    const made = await read(resource, 'acme-messaging-clone', namespace.name);
    expect(made?.spec).toMatchObject({ dbName: 'demo', archiveVolume: { volumeSize: expect.any(String) } });
    const credentials = await read(KINDS.secret, `${made?.spec?.passwordRef?.name}`, namespace.name);
    expect(Buffer.from(credentials?.data?.recorded ?? '', 'base64').toString()).toBe(PASSWORD);
    expect(Buffer.from(credentials?.data?.data ?? '', 'base64').toString()).toMatch(/^[0-9a-f]{48}$/);
    const both = await stillpoint('clone', latest, '--to', 'other', '--resource', 'acme-other', '--workload');
    expect(both).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('it joins others') });
    const undone = await stillpoint('clone', '--undo', 'messaging-copy', '-n', namespace.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await read(resource, 'acme-messaging-clone', namespace.name)).toBeUndefined();
    expect(await read(resource, 'acme-messaging-demo', namespace.name)).toBeDefined();
  });

  test('rule 2: a resource that is not there stops the backup before anything is touched', async () => {
    const { error } = await attemptBackup(await policyOf('gone', { databaseResource: 'nothing' }));
    expect(error).toMatchObject({ code: 'resource-not-found' });
  });
});

describe('NuoDB (a stand-in), otherwise', () => {
  test('a journal that shares the volume of the archive is cut with it, once', async () => {
    await using own = await makeNamespace('nuodb-one');
    const one = await startStorageManagers({ namespace: own.name, separateJournal: false });
    const before = await one.state();
    const record = succeeded(await takeBackup(await applyNuoDbPolicy(own.name, { database: 'demo' })));
    expect(record).toMatchObject({ layout: 'atomic', volumes: [{ name: 'archive' }], proof: { holds: true } });
    const restored = await stillpoint('restore', `${own.name}/demo/${record.id}`, '--claim', 'copy');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await stateOfCopy('copy', own.name, { archive: 'copy' });
    expect(copy.journal).toBeGreaterThanOrEqual(before.journal);
    expect(copy.archive).toBe(copy.journal);
  });

  test('as a member of a group it is cut with a plain volume, at one instant', async () => {
    await using own = await makeNamespace('nuodb-group');
    const one = await startStorageManagers({ namespace: own.name });
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } };
    await apply([{ ...KINDS.claim, metadata: { name: 'attachments', namespace: own.name }, spec: claim } as Anything]);
    for (const name of [`archive-volume-${one.pod(0)}`, `journal-volume-${one.pod(0)}`, 'attachments']) {
      await patch(KINDS.claim, name, own.name, { metadata: { labels: { 'cut-with': 'shop' } } });
    }
    const chart = new Chart(Testing.app(), 'policy', { namespace: own.name });
    const policy = new BackupGroup(chart, 'shop', {
      members: [
        new NuoDbMember('messaging', { databaseLabel: DATABASE }),
        new VolumeMember('attachments', { volumes: [BackupVolume.fromClaimName('attachments')] }),
      ],
      ...usualProps({ className: 'disk', asGroup: true }),
    });
    await apply(chart.toJson());
    const before = await one.state();
    const record = succeeded(
      await takeBackup({ name: policy.policyName, namespace: own.name, database: policy.databaseName }),
    );
    expect(record.members?.map(({ name, engine, workload }) => [name, engine, workload?.pod])).toEqual([
      ['messaging', 'nuodb', one.pod(0)],
      ['attachments', 'volume', undefined],
    ]);
    expect(record.cuts).toHaveLength(3);
    expect(new Set(record.cuts.map(({ group }) => group)).size).toBe(1);
    expect(await one.state()).toMatchObject({ frozen: false, backup: '' });
    const restored = await stillpoint('restore', `${own.name}/shop/${record.id}`, '--claim', 'copy');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const claims = { archive: 'copy-archive-messaging', journal: 'copy-journal-messaging' };
    const copy = await stateOfCopy('copy', own.name, claims);
    expect(copy.archive).toBe(copy.journal);
    expect(copy.journal).toBeGreaterThanOrEqual(before.journal);
  });

  test('with storage groups one storage manager of each is held, and all are cut at one instant', async () => {
    await using own = await makeNamespace('nuodb-groups');
    const [a, b] = await Promise.all(
      ['a', 'b'].map((release) => startStorageManagers({ namespace: own.name, release })),
    );
    const unsaid = await attemptBackup(await applyNuoDbPolicy(own.name, { database: 'unsaid' }));
    expect(unsaid.error).toMatchObject({ code: 'config-invalid', message: expect.stringMatching(/release \(a, b\)/) });
    const policy = await applyNuoDbPolicy(own.name, {
      database: 'demo',
      asGroup: true,
      className: 'disk',
      storageGroupReleases: ['a', 'b'],
    });
    const record = succeeded(await takeBackup(policy));
    expect(record.members?.map(({ name, workload }) => [name, workload?.pod])).toEqual([
      ['a', a?.pod(0)],
      ['b', b?.pod(0)],
    ]);
    expect(record.volumes.map(({ name }) => name).sort()).toEqual(['archive-a', 'archive-b', 'journal-a', 'journal-b']);
    expect(new Set(record.cuts.map(({ group }) => group)).size).toBe(1);
    for (const managersOf of [a, b]) expect(await managersOf?.state()).toMatchObject({ frozen: false, backup: '' });
    const restored = await stillpoint('restore', `${own.name}/demo/${record.id}`, '--claim', 'copy');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  });
});
