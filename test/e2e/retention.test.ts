/** What a retention keeps and what it removes, on the storage too: by the pruner's own Job, and by hand. */
import { randomUUID } from 'node:crypto';
import type { RetentionProps } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { keepingFindings } from '../../runner/commands/keeping';
import { type PruneResult, prune as pruneRecords } from '../../runner/commands/prune';
import { KubernetesInventory } from '../../runner/kube/inventory';
import { KubernetesRemover } from '../../runner/kube/pruning';
import { recordPath } from '../../runner/output/records';
import { KubernetesUses } from '../../runner/registry/kubernetes-uses';
import { KubernetesPolicies } from '../../runner/registry/policies';
import { recordName } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, patch, read, remove } from './harness/cluster';
import { prune } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy } from './harness/policy';
import { startPostgres } from './harness/postgres';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { connect, keptLog, makeVolumes, snapshotsOnStorage } from './kube/fixture';
import { addBackup, applyRetention, type HistoryPlace, registryOf } from './kube/history';

let space: TestNamespace;
let base: Omit<HistoryPlace, 'database'>;
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('retention');
  const volumes = await makeVolumes(space.name, ['data']);
  base = { client: await connect(), namespace: space.name, volumes, log };
});
afterAll(() => space[Symbol.asyncDispose]());

/** A database of its own, with a policy that keeps what is said. */
async function database(name: string, retention: RetentionProps, timeZone?: string): Promise<HistoryPlace> {
  const place = { ...base, database: name };
  await applyRetention(place, retention, timeZone);
  return place;
}

/** A prune of this namespace alone, in this process. */
function pruneHere(patienceMs?: number): Promise<PruneResult> {
  const { client } = base;
  const world = { clock: systemClock, log };
  return pruneRecords(
    {
      ...world,
      registry: registryOf(base),
      policies: new KubernetesPolicies(client, { namespace: thisRun.registry, log }),
      uses: new KubernetesUses(client, { namespace: thisRun.registry, ...world }),
      remover: new KubernetesRemover(client, { ...world, patienceMs }),
      holder: randomUUID(),
    },
    { namespace: space.name },
  );
}

/** The ids that are on record, newest first; and whether each one's snapshot is on the storage. */
async function onRecord(place: HistoryPlace): Promise<readonly string[]> {
  const { namespace, database } = place;
  const storage = await snapshotsOnStorage();
  return (await registryOf(place).list({ namespace, database })).map(({ record: { id, cuts } }) =>
    cuts.every(({ handle = '' }) => storage.has(handle)) ? id : `${id} without its snapshot`,
  );
}

test('after a backup its Job has the pruner remove what is not kept, and that rests again', async () => {
  const server = await startPostgres({ namespace: space.name, version: '17' });
  const policy = await applyPolicy(server, { retention: { keepLast: 1 } });
  const first = succeeded(await takeBackup(policy));
  const second = succeeded(await takeBackup(policy));
  const place = { ...base, database: policy.database };
  await eventually('only the second is left', async () => (await onRecord(place)).join() === second.id, {
    seconds: 120,
  });
  expect(await snapshotsOnStorage()).not.toContain(first.cuts[0]?.handle);
  await eventually('the pruner rests', async () => {
    const deployment = await read({ apiVersion: 'apps/v1', kind: 'Deployment' }, 'stillpoint-pruner', thisRun.registry);
    return deployment?.spec.replicas === 0 && (deployment.status?.replicas ?? 0) === 0;
  });
});

test('the pruner removes what the retention does not keep, with snapshots, contents and records', async () => {
  const place = await database('daily', { keepDaily: 2 }, 'Europe/Berlin');
  // 23:30 and 00:30 in Berlin: the first three are of three days, the last two of one.
  for (const at of ['2026-10-23T22:30:00Z', '2026-10-24T22:30:00Z', '2026-10-25T23:30:00Z', '2026-10-26T02:30:00Z']) {
    await addBackup(place, at);
  }
  const before = await registryOf(place).list({ namespace: space.name, database: 'daily' });
  const planned = await stillpoint('prune', '--dry-run', '-n', space.name, '-o', 'json');
  expect(planned.exitCode, planned.stderr).toBe(0);
  const rows: { readonly database: string }[] = JSON.parse(planned.stdout);
  expect(rows.filter(({ database }) => database === 'daily')).toMatchObject([
    { backup: '20261026023000', action: 'keep', reasons: [{ rule: 'keepDaily' }, { rule: 'last-good' }] },
    { backup: '20261025233000', action: 'remove', reasons: [{ rule: 'keepDaily' }] },
    { backup: '20261024223000', action: 'keep', reasons: [{ text: 'the newest of 2026-10-25' }] },
    { backup: '20261023223000', action: 'remove', reasons: [{ text: expect.stringContaining('2026-10-24 is older') }] },
  ]);
  expect(await onRecord(place)).toHaveLength(4);

  await prune();
  expect(await onRecord(place)).toEqual(['20261026023000', '20261024223000']);
  const storage = await snapshotsOnStorage();
  for (const { record } of before.filter((_, index) => index % 2 === 1)) {
    const [cut] = record.cuts;
    expect(storage).not.toContain(cut?.handle);
    expect(await read(KINDS.snapshot, cut?.snapshot ?? '', space.name)).toBeUndefined();
    expect(await read(KINDS.snapshotContent, cut?.content ?? '')).toBeUndefined();
  }
  const again = await stillpoint('prune', '--dry-run', '-n', space.name, '-o', 'name');
  expect(again.stdout).not.toContain('/daily/');
});

test('rule 10: the last good and the last verified backup stay, and the protected ones, whatever the retention says', async () => {
  const place = await database('rule-ten', { keepLast: 1 });
  const failed = { phase: 'failed', times: { started: '2026-10-09T02:00:00.000Z' } } as const;
  await addBackup(place, '2026-10-01T02:00:00Z');
  await addBackup(place, '2026-10-02T02:00:00Z', { retention: { protected: true } });
  await addBackup(place, '2026-10-03T02:00:00Z', { trigger: 'pre-deployment' });
  await addBackup(place, '2026-10-04T02:00:00Z', { verification: { verdict: 'passed' } });
  await addBackup(place, '2026-10-05T02:00:00Z', { trigger: 'pre-deployment', retention: { protected: false } });
  await addBackup(place, '2026-10-06T02:00:00Z', { needs: ['20261001020000'] });
  await addBackup(place, '2026-10-08T02:00:00Z', failed);
  await addBackup(place, '2026-10-09T02:00:00Z', failed);
  await prune();
  expect(await onRecord(place)).toEqual([
    // Of those that failed long ago the newest record alone.
    '20261009020000',
    '20261006020000',
    '20261004020000',
    '20261003020000',
    '20261002020000',
    '20261001020000',
  ]);
});

test('protect keeps a backup from everybody, and release lets it go', async () => {
  const place = await database('protection', { keepLast: 1 });
  const stored = await addBackup(place, '2026-10-01T02:00:00Z');
  await addBackup(place, '2026-10-02T02:00:00Z');
  const name = recordPath(stored.record);
  const object = recordName(space.name, 'protection', stored.record.id);
  const protect = await stillpoint('protect', name, '--reason', 'before the audit');
  expect(protect, protect.stderr).toMatchObject({ exitCode: 0, stdout: `backup ${name} protected\n` });
  expect((await stillpoint('describe', name)).stdout).toMatch(/^Protected: +yes, by \S+ at 20\S+: before the audit$/m);

  await expect(remove(KINDS.configMap, object, thisRun.registry)).rejects.toThrow(/the backup is protected/);
  expect(await stillpoint('delete', name, '--yes')).toMatchObject({
    exitCode: 3,
    stderr: expect.stringMatching(/is protected, and not released \(delete-refused\)\n.*stillpoint release/),
  });
  await pruneHere();
  expect(await onRecord(place)).toEqual(['20261002020000', '20261001020000']);

  expect((await stillpoint('release', name)).stdout).toBe(`backup ${name} released\n`);
  await pruneHere();
  expect(await onRecord(place)).toEqual(['20261002020000']);
});

test('a record that kubectl deletes is listed as deleting, and the next prune takes its data along', async () => {
  const place = { ...base, database: 'kubectl' };
  const [first, last] = [
    await addBackup(place, '2026-10-01T02:00:00Z'),
    await addBackup(place, '2026-10-02T02:00:00Z'),
  ];
  for (const { record } of [first, last]) {
    await remove(KINDS.configMap, recordName(space.name, 'kubectl', record.id), thisRun.registry);
  }
  expect((await stillpoint('list', 'kubectl', '-n', space.name)).stdout.match(/ deleting /g)).toHaveLength(2);
  expect(await onRecord(place)).toHaveLength(2);
  // Also the last good one: somebody has asked for it by name.
  await prune();
  expect(await onRecord(place)).toEqual([]);
  const storage = await snapshotsOnStorage();
  for (const { record } of [first, last]) expect(storage).not.toContain(record.cuts[0]?.handle);
});

test('what cannot be deleted stays listed as deleting, and the next prune goes on with it', async () => {
  const place = await database('stuck', { keepLast: 1 });
  const stored = await addBackup(place, '2026-10-01T02:00:00Z');
  await addBackup(place, '2026-10-02T02:00:00Z');
  const content = stored.record.cuts[0]?.content ?? '';
  const holdOn = async (finalizers: readonly string[]): Promise<void> => {
    const object = await read(KINDS.snapshotContent, content);
    const others = (object?.metadata?.finalizers ?? []).filter((each) => !each.startsWith('stillpoint.test/'));
    await patch(KINDS.snapshotContent, content, '', { metadata: { finalizers: [...others, ...finalizers] } });
  };
  await holdOn(['stillpoint.test/stuck']);
  expect((await pruneHere(2_000)).left).toEqual([recordPath(stored.record)]);
  const described = await stillpoint('describe', recordPath(stored.record), '-o', 'json');
  expect(JSON.parse(described.stdout)).toMatchObject({
    phase: 'deleting',
    leftovers: [expect.stringContaining('volumesnapshot')],
  });
  const refused = await stillpoint('restore', recordPath(stored.record), '--claim', 'copy');
  expect(refused.stderr).toMatch(/cannot be restored: it is deleting/);
  await holdOn([]);
  expect(await pruneHere()).toMatchObject({ removed: [recordPath(stored.record)], left: [] });
  expect(await snapshotsOnStorage()).not.toContain(stored.record.cuts[0]?.handle);
});

test('doctor says what the retention would do, and finds orphans of either kind; nothing removes them', async () => {
  const place = await database('orphans', { keepLast: 1 });
  const lost = await addBackup(place, '2026-10-01T02:00:00Z', { policy: 'gone' });
  const good = await addBackup(place, '2026-10-02T02:00:00Z');
  const stray = await addBackup(place, '2026-10-03T02:00:00Z');
  // The record without its data, and the data without its record.
  const { snapshot = '', content = '' } = lost.record.cuts[0] ?? {};
  await patch(KINDS.snapshotContent, content, '', { spec: { deletionPolicy: 'Delete' } });
  await remove(KINDS.snapshot, snapshot, space.name);
  await eventually('the snapshot is gone', async () => {
    const there = [await read(KINDS.snapshotContent, content), await read(KINDS.snapshot, snapshot, space.name)];
    return there.every((each) => each === undefined);
  });
  const object = recordName(space.name, 'orphans', stray.record.id);
  await patch(KINDS.configMap, object, thisRun.registry, { metadata: { finalizers: null } });
  await remove(KINDS.configMap, object, thisRun.registry);

  const findings = await keepingFindings({
    registry: registryOf(base),
    policies: new KubernetesPolicies(base.client, { namespace: thisRun.registry, log }),
    inventory: new KubernetesInventory(base.client),
    namespace: space.name,
    clock: systemClock,
    config: { metadata: { name: 'orphans-backup' }, spec: { database: 'orphans', prune: true } },
  });
  expect(findings.map(({ severity, code, subject, message }) => [severity, code, subject, message])).toEqual([
    ['ok', 'ok', 'retention', '2 backups are kept, 0 would go at the next prune'],
    ['warning', 'retention-missing', 'policy gone', expect.stringContaining('its one backup is kept')],
    [
      'warning',
      'orphan-found',
      `volumesnapshot/${stray.record.cuts[0]?.snapshot}`,
      expect.stringContaining('no record'),
    ],
    ['warning', 'orphan-found', `volumesnapshotcontent/${stray.record.cuts[0]?.content}`, expect.any(String)],
    ['warning', 'snapshot-missing', recordPath(lost.record), expect.stringContaining(snapshot)],
  ]);
  await pruneHere();
  expect(await snapshotsOnStorage()).toContain(stray.record.cuts[0]?.handle);
  expect((await onRecord(place)).join()).toBe(`${good.record.id},${lost.record.id} without its snapshot`);
});
