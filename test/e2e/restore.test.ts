/**
 * Restores, on the storage of a cluster: beside the original and without it, begun and killed and begun again, and
 * refused before anything is made.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type BackupRecord, LABELS, recordName } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, create, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate, type Write } from './harness/gate';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyPolicy } from './harness/policy';
import { startOnClaims, startPostgres } from './harness/postgres';
import { type Answer, startStillpoint, stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

const ROWS = 1234;

/** A backup whose database, StatefulSet and namespace are gone. Class `disk-wait` binds on first use. */
let lost: { readonly namespace: TestNamespace; readonly record: BackupRecord };
let beside: TestNamespace;

beforeAll(async () => {
  beside = await makeNamespace('beside');
  const namespace = await makeNamespace('lost');
  const server = await startPostgres({
    namespace: namespace.name,
    version: '17',
    separateWal: true,
    storageClass: 'disk-wait',
  });
  const client = await server.connect();
  await client.query(`CREATE TABLE ledger AS SELECT generate_series(1, ${ROWS}) AS number`);
  await client.end();
  const policy = await applyPolicy(server, { separateWal: true });
  lost = { namespace, record: succeeded(await takeBackup(policy)) };
  await remove(KINDS.namespace, namespace.name);
  await eventually(
    'the namespace of the database is gone',
    async () => (await read(KINDS.namespace, namespace.name)) === undefined,
    { seconds: 120 },
  );
});

afterAll(async () => {
  await beside[Symbol.asyncDispose]();
  await lost.namespace[Symbol.asyncDispose]();
});

function lostBackup(): string {
  return `${lost.namespace.name}/orders-db/${lost.record.id}`;
}

/** Restores the backup of the lost namespace. */
function restoreLost(...args: readonly string[]): Promise<Answer> {
  return stillpoint('restore', lostBackup(), '--to-namespace', beside.name, '--timeout', '3m', ...args);
}

/** Everything that carries the name of a restore, contents included. */
async function madeBy(restore: string, namespace = beside.name): Promise<readonly string[]> {
  const selector = `${LABELS.restore}=${restore}`;
  const kinds = [KINDS.configMap, KINDS.job, KINDS.pod, KINDS.claim, KINDS.snapshot];
  const found = await Promise.all(kinds.map((kind) => list(kind, namespace, selector)));
  const contents = (await list(KINDS.snapshotContent, undefined, selector)).filter(
    ({ spec }) => spec.volumeSnapshotRef.namespace === namespace,
  );
  return [...found.flat(), ...contents].map(({ kind, metadata }) => `${kind ?? ''} ${metadata?.name}`.trim()).sort();
}

async function rowsOn(claims: { readonly data: string; readonly wal: string }): Promise<number> {
  const copy = await startOnClaims({ name: uniqueName('copy'), namespace: beside.name, image: 'postgres:17' }, claims);
  const { rows } = await copy.query<{ count: string }>('SELECT count(*) FROM ledger');
  await copy.end();
  return Number(rows[0]?.count);
}

describe('rule 14: when the database, its StatefulSet and its namespace are gone', () => {
  test('its backup restores into another namespace, and a server comes up on it', async () => {
    const restored = await restoreLost('--claim', 'copy', '--start', '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const result = JSON.parse(restored.stdout);
    expect(result).toMatchObject({
      restore: 'copy',
      namespace: beside.name,
      volumes: [
        { volume: 'data', claim: 'copy-data', storageClass: 'disk-wait', mountPath: '/var/lib/postgresql/data' },
        { volume: 'log', claim: 'copy-log', storageClass: 'disk-wait', mountPath: '/var/lib/postgresql/wal' },
      ],
      server: {
        kept: false,
        recorded: { lsn: lost.record.position?.lsn },
        inspection: { identity: { systemIdentifier: lost.record.serverIdentity?.systemIdentifier } },
      },
    });
    expect(result.prepared.done.join('\n')).toContain('wrote backup_label');
    // Only the claims stay: the storage's snapshots are the backup's, and were lent.
    expect(await madeBy('copy')).toEqual(['copy-data', 'copy-log']);
    expect(await rowsOn({ data: 'copy-data', wal: 'copy-log' })).toBe(ROWS);
  });

  test('it restores again: what the first restore removed was not the storage’s snapshot', async () => {
    const restored = await restoreLost('--claim', 'again', '--start', '--keep', '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const [psql, forward] = JSON.parse(restored.stdout).server.reach as string[];
    expect(psql).toMatch(/^kubectl exec -it -n \S+ again-server -c server -- psql -h \/run\/stillpoint -U postgres/);
    expect(forward).toBe(`kubectl port-forward -n ${beside.name} pod/again-server 5432`);
    expect(await madeBy('again')).toEqual(['again-data', 'again-log', 'again-server']);
    const undone = await stillpoint('restore', '--undo', 'again', '--to-namespace', beside.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(undone.stdout).toMatch(/persistentvolume \S+ kept, as its class says/);
    expect(await madeBy('again')).toEqual([]);
    const twice = await stillpoint('restore', '--undo', 'again', '--to-namespace', beside.name);
    expect(twice).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('restore-not-found') });
  });
});

describe('beside the original', () => {
  test('the newest backup restores from its own snapshots, nobody deletes it while its copy is looked at, and the original goes on', async () => {
    await using namespace = await makeNamespace('original');
    const server = await startPostgres({ namespace: namespace.name, version: '15' });
    const policy = await applyPolicy(server);
    await takeBackup(policy);
    const record = succeeded(await takeBackup(policy));
    const restoring = stillpoint('restore', 'latest', '-n', namespace.name, '--claim', 'copy', '--start');
    await eventually('a server starts on the copy', () => read(KINDS.pod, 'copy-server', namespace.name), {
      seconds: 120,
    });
    const deleted = await stillpoint('delete', `${namespace.name}/${record.database}/${record.id}`, '--yes');
    expect(deleted).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('is in use by restore copy') });
    const restored = await restoring;
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(restored.stderr).not.toContain('backup_label');
    expect(restored.stdout).toContain(
      `it is the database cluster ${record.serverIdentity?.systemIdentifier} of the record`,
    );
    const claim = await read(KINDS.claim, 'copy', namespace.name);
    expect(claim?.spec.dataSourceRef.name).toBe(record.cuts[0]?.snapshot);
    expect(claim?.metadata?.labels).toMatchObject({ [LABELS.backup]: record.id, [LABELS.restore]: 'copy' });
    const original = await server.connect();
    await original.query('CREATE TABLE afterwards ()');
    await original.end();
  });
});

describe('a restore that was killed', () => {
  type Point = readonly [what: string, matches: (write: Write) => boolean];
  const made = (operation: Write['operation'], resource: string, name: string): Point[1] => {
    return (write) => write.operation === operation && write.resource === resource && write.name === name;
  };
  const pointsOf = (name: string): readonly Point[] => [
    ['its journal is made', made('CREATE', 'configmaps', `${name}-restore`)],
    ['a snapshot is made', made('CREATE', 'volumesnapshots', `${name}-log`)],
    ['a claim is made', made('CREATE', 'persistentvolumeclaims', `${name}-data`)],
    ['the Job is made', made('CREATE', 'jobs', `${name}-prepare`)],
    ['the journal says that the files are prepared', made('UPDATE', 'configmaps', `${name}-restore`)],
    ['the server is made', made('CREATE', 'pods', `${name}-server`)],
    ['a snapshot is removed', made('DELETE', 'volumesnapshots', `${name}-data`)],
    ['the journal is removed', made('DELETE', 'configmaps', `${name}-restore`)],
  ];

  test('goes on where it was when it is run again, wherever it was killed', async () => {
    await using gate = await openGate(beside.name);
    const name = uniqueName('phoenix');
    const args = ['restore', lostBackup(), '--to-namespace', beside.name, '--claim', name, '--start'];
    for (const [what, matches] of pointsOf(name)) {
      const held = gate.hold(matches);
      const running = startStillpoint(...args);
      const write = await Promise.race([held, running.answer]);
      if (!('refuse' in write)) throw new Error(`it ended before ${what}: ${write.stderr}`);
      running.kill();
      await running.answer;
      write.refuse();
    }
    const atLast = await stillpoint(...args);
    expect(atLast, atLast.stderr).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('going on with it') });
    expect(await madeBy(name)).toEqual([`${name}-data`, `${name}-log`]);
    expect(await rowsOn({ data: `${name}-data`, wal: `${name}-log` })).toBe(ROWS);
    const again = await stillpoint(...args);
    expect(again).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(new RegExp(`${name}-(data|log) was made of backup .* already`)),
    });
  });
});

test('a restore asks for a pod on volumes that are made at once when they are made: a scheduler may miss what happens meanwhile', async () => {
  await using gate = await openGate(beside.name);
  const held = gate.hold(({ operation, name }) => operation === 'CREATE' && name === 'bound-prepare');
  const args = ['restore', lostBackup(), '--to-namespace', beside.name, '--claim', 'bound', '--storage-class', 'disk'];
  const running = startStillpoint(...args);
  const write = await Promise.race([held, running.answer]);
  if (!('refuse' in write)) throw new Error(`it ended before its Job was made: ${write.stderr}`);
  for (const claim of ['bound-data', 'bound-log']) {
    expect((await read(KINDS.claim, claim, beside.name))?.status?.phase).toBe('Bound');
  }
  write.refuse();
  expect(await running.answer).toMatchObject({ exitCode: 7 });
  const undone = await stillpoint('restore', '--undo', 'bound', '--to-namespace', beside.name);
  expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
});

describe('a restore that fails half-way', () => {
  test('says what it has made, and the one command that removes it does', async () => {
    const failed = await restoreLost('--claim', 'half', '--image', 'no-such-image:1');
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(restore-failed)') });
    expect(failed.stderr).toMatch(/container prepare cannot start: .*no-such-image/);
    expect(failed.stderr).toMatch(/made so far: Job \S+\/half-prepare, claim \S+\/half-data/);
    const [, command = ''] = /`stillpoint (restore --undo half --to-namespace \S+)`/.exec(failed.stderr) ?? [];
    const undone = await stillpoint(...command.split(' '));
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await madeBy('half')).toEqual([]);
  });

  test('goes on with the right image, but not as another restore', async () => {
    await restoreLost('--claim', 'mended', '--image', 'no-such-image:1');
    const other = await restoreLost('--claim', 'mended', '--size', '1Gi');
    expect(other).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('with other claims, sizes or classes'),
    });
    const mended = await restoreLost('--claim', 'mended');
    expect(mended, mended.stderr).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('going on with it') });
    expect(await madeBy('mended')).toEqual(['mended-data', 'mended-log']);
  });

  test('a server that crashes is told with the end of its log', async () => {
    const backup = await recordedOtherwise('crashing', (record) => ({
      ...record,
      workload: { ...record.workload, image: 'postgres:15' },
    }));
    const failed = await stillpoint('restore', backup, '--to-namespace', beside.name, '--claim', 'crash', '--start');
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(restore-not-started)') });
    expect(failed.stderr).toContain('database files are incompatible with server');
    expect(failed.stderr).toContain('restore --undo crash');
  });

  test('a snapshot that the storage has no more ends it at once', async () => {
    const backup = await recordedOtherwise('vanished', (record) => ({
      ...record,
      cuts: record.cuts.map((cut) => ({ ...cut, handle: 'snap-nowhere' })),
    }));
    const into = ['--to-namespace', beside.name, '--claim', 'vanished', '--timeout', '3m'];
    const failed = await stillpoint('restore', backup, ...into);
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(restore-failed)') });
    expect(failed.stderr).toContain('the storage of driver disk.test has no snapshot snap-nowhere');
    expect(failed.stderr).not.toContain('not done after');
  });

  test('what it waits for is told when its time is up', async () => {
    const backup = await recordedOtherwise('nowhere', (record) => ({
      ...record,
      workload: {
        ...record.workload,
        spec: { template: { spec: { containers: [], nodeSelector: { disk: 'none' } } } },
      },
    }));
    const into = ['--to-namespace', beside.name, '--claim', 'nowhere', '--timeout', '12s'];
    const failed = await stillpoint('restore', backup, ...into);
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(restore-failed)') });
    expect(failed.stderr).toMatch(
      /not done after 12 s: Job \S+\/nowhere-prepare has not ended: .*node affinity\/selector/,
    );
  });

  test('snapshots of another database than the record says are not prepared', async () => {
    const backup = await recordedOtherwise('mistaken', (record) => ({
      ...record,
      serverIdentity: { ...record.serverIdentity, systemIdentifier: '42' },
    }));
    const failed = await stillpoint('restore', backup, '--to-namespace', beside.name, '--claim', 'mistake');
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(restore-differs)') });
    expect(failed.stderr).toMatch(/holds the database cluster \d+, the record says 42/);
  });
});

describe('refused before anything is made', () => {
  const refusals: readonly [what: string, args: readonly string[], exitCode: number, message: RegExp][] = [
    [
      'a namespace that is not there',
      ['--to-namespace', 'no-such'],
      3,
      /there is no namespace no-such.*namespace-not-found/,
    ],
    [
      'a class that is not there',
      ['--storage-class', 'no-such'],
      3,
      /there is no storage class no-such.*class-not-found/,
    ],
    ['a size that is too small', ['--size', '100Mi'], 2, /100Mi is too small for volume data: it takes 512Mi/],
    ['a name that is none', ['--claim', 'Nope'], 2, /is no name for a claim/],
    ['--keep without --start', ['--keep'], 2, /--keep keeps the server that --start starts/],
  ];

  test.each(refusals)('%s', async (_, args, exitCode, message) => {
    const claim = args.includes('--claim') ? [] : ['--claim', 'refused'];
    const refused = await restoreLost(...claim, ...args);
    expect(refused).toMatchObject({ exitCode, stdout: '', stderr: expect.stringMatching(message) });
    expect(await madeBy('refused')).toEqual([]);
  });

  test('rule 12: a claim that is there already, whoever made it', async () => {
    await create({
      ...KINDS.claim,
      metadata: { name: 'taken-log', namespace: beside.name },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'disk-wait',
        resources: { requests: { storage: '1Gi' } },
      },
    } as Anything);
    const refused = await restoreLost('--claim', 'taken');
    expect(refused).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/claim \S+\/taken-log is there already/),
    });
    expect(await madeBy('taken')).toEqual([]);
  });

  test('rule 9: a backup that failed', async () => {
    const backup = await recordedOtherwise('failed', (record) => ({ ...record, phase: 'failed' }));
    const refused = await stillpoint('restore', backup, '--to-namespace', beside.name, '--claim', 'refused');
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('backup-not-restorable') });
  });

  test('a namespace whose quota has no room for a claim', async () => {
    await using full = await makeNamespace('full');
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota' } as const;
    await apply([
      { ...quota, metadata: { name: 'none', namespace: full.name }, spec: { hard: { persistentvolumeclaims: '0' } } },
    ] as Anything[]);
    await eventually('the quota counts', async () => {
      return (await read(quota, 'none', full.name))?.status?.used?.persistentvolumeclaims === '0';
    });
    const refused = await stillpoint('restore', lostBackup(), '--to-namespace', full.name, '--claim', 'copy');
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/exceeded quota: none/) });
    expect(await madeBy('copy', full.name)).toEqual([]);
  });

  test('a namespace that lets no root in, where the owner of the files is not recorded', async () => {
    await using strict = await makeNamespace('strict');
    const into = ['--to-namespace', strict.name, '--claim', 'copy'];
    const enforced = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await patch(KINDS.namespace, strict.name, '', { metadata: { labels: enforced } });
    const asRoot = await stillpoint('restore', lostBackup(), ...into);
    expect(asRoot).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/violates PodSecurity "restricted/) });
    expect(await madeBy('copy', strict.name)).toEqual([]);

    const backup = await recordedOtherwise('hardened', (record) => ({
      ...record,
      workload: { ...record.workload, podSecurity: { runAsUser: 999, runAsGroup: 999, fsGroup: 999 } },
    }));
    const restored = await stillpoint('restore', backup, ...into, '--start');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  });
});

describe('undoing a restore', () => {
  test('is refused while somebody uses its claims', async () => {
    const restored = await restoreLost('--claim', 'used');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const pod = uniqueName('user');
    const copy = await startOnClaims(
      { name: pod, namespace: beside.name, image: 'postgres:17' },
      { data: 'used-data', wal: 'used-log' },
    );
    await copy.end();
    const refused = await stillpoint('restore', '--undo', 'used', '-n', beside.name);
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining(`is in use by pod ${pod}`) });
    expect(await madeBy('used')).toEqual(['used-data', 'used-log']);
  });
});

/** The same backup with another record: as if it had been taken of another database, or otherwise. */
async function recordedOtherwise(database: string, change: (record: BackupRecord) => BackupRecord): Promise<string> {
  const { record } = lost;
  const namespace = lost.namespace.name;
  const original = await read(KINDS.configMap, recordName(namespace, 'orders-db', record.id), inject('registry'));
  const changed = change({ ...(parse(original?.data['record.yaml']) as BackupRecord), database });
  await apply([
    {
      ...KINDS.configMap,
      metadata: {
        name: recordName(namespace, database, record.id),
        namespace: inject('registry'),
        labels: { ...original?.metadata?.labels, [LABELS.database]: database, [LABELS.phase]: changed.phase },
      },
      data: { 'record.yaml': stringify(changed) },
    } as Anything,
  ]);
  return `${namespace}/${database}/${record.id}`;
}
