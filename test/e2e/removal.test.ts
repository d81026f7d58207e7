/**
 * Those who remove backups and those who use them, together: two prunes, a prune and a deletion, a prune and a restore. The
 * gate stops one of them at a write, so that the other comes in between.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { type PruneResult, prune } from '../../runner/commands/prune';
import { KubernetesRemover } from '../../runner/kube/pruning';
import { recordPath } from '../../runner/output/records';
import type { StoredRecord } from '../../runner/ports';
import { KubernetesUses } from '../../runner/registry/kubernetes-uses';
import { KubernetesPolicies } from '../../runner/registry/policies';
import { ANNOTATIONS, LABELS, recordName } from '../../src/contract';
import { KINDS, read } from './harness/cluster';
import { type Gate, openGate, type Write } from './harness/gate';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { startStillpoint, stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { connect, keptLog, makeVolumes, snapshotsOnStorage } from './kube/fixture';
import { addBackup, applyRetention, type HistoryPlace, registryOf } from './kube/history';

let space: TestNamespace;
let base: Omit<HistoryPlace, 'database'>;
let gate: Gate;
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('removal');
  const volumes = await makeVolumes(space.name, ['data']);
  base = {
    client: await connect(),
    namespace: space.name,
    log,
    volumes: volumes.map((volume) => ({
      ...volume,
      mountPath: '/data',
      capacity: '64Mi',
      accessModes: ['ReadWriteOnce'],
    })),
  };
  gate = await openGate(space.name);
});
afterAll(async () => {
  await gate[Symbol.asyncDispose]();
  await space[Symbol.asyncDispose]();
});

/** Two good backups of a database, of which its policy keeps the newer. */
async function twoBackups(
  database: string,
): Promise<{ readonly place: HistoryPlace; readonly older: StoredRecord; readonly newer: StoredRecord }> {
  const place = { ...base, database };
  await applyRetention(place, { keepLast: 1 });
  const older = await addBackup(place, '2026-10-01T02:00:00Z');
  return { place, older, newer: await addBackup(place, '2026-10-02T02:00:00Z') };
}

/** A prune of one database alone, in this process. */
function pruneHere(database: string): Promise<PruneResult> {
  const { client } = base;
  const world = { clock: systemClock, log };
  return prune(
    {
      ...world,
      registry: registryOf(base),
      policies: new KubernetesPolicies(client, { namespace: thisRun.registry, log }),
      uses: new KubernetesUses(client, { namespace: thisRun.registry, ...world }),
      remover: new KubernetesRemover(client, world),
      holder: randomUUID(),
    },
    { namespace: space.name, database },
  );
}

/** The ids on record whose snapshot the storage has. */
async function good({ namespace, database }: HistoryPlace): Promise<readonly string[]> {
  const storage = await snapshotsOnStorage();
  const stored = await registryOf(base).list({ namespace, database, phases: ['succeeded'] });
  for (const { record } of stored) for (const { handle = '' } of record.cuts) expect(storage).toContain(handle);
  return stored.map(({ record: { id } }) => id);
}

const objectName = ({ record: { namespace, database, id } }: StoredRecord): string =>
  recordName(namespace, database, id);
/** The write by which a removal begins. */
const commitOf =
  (stored: StoredRecord) =>
  ({ resource, operation, name, object }: Write): boolean =>
    resource === 'configmaps' &&
    operation === 'UPDATE' &&
    name === objectName(stored) &&
    object?.metadata?.labels?.[LABELS.phase] === 'deleting';

test('two prunes at once do what one does, and neither fails', async () => {
  const { place } = await twoBackups('two-prunes');
  const results = await Promise.all([pruneHere('two-prunes'), pruneHere('two-prunes')]);
  for (const { left } of results) expect(left).toEqual([]);
  expect(results.flatMap(({ removed }) => removed).length).toBeGreaterThanOrEqual(1);
  expect(await good(place)).toEqual(['20261002020000']);
});

test('rule 10: a prune in the midst of a deletion counts what is about to go as gone', async () => {
  const { place, newer } = await twoBackups('delete-and-prune');
  const held = gate.hold(commitOf(newer));
  const deletion = stillpoint('delete', recordPath(newer.record), '--yes');
  const commit = await held;
  expect((await pruneHere('delete-and-prune')).removed).toEqual([]);
  expect(await good(place)).toEqual(['20261002020000', '20261001020000']);
  commit.allow();
  // The prune took the mark for that of somebody who has crashed: then the deletion has to be asked for again.
  const { exitCode, stderr } = await deletion;
  expect([0, 6], stderr).toContain(exitCode);
  expect((await good(place)).length).toBe(exitCode === 0 ? 1 : 2);
});

test('rule 10: a deletion in the midst of a prune is refused: the other one is about to go', async () => {
  const { place, older, newer } = await twoBackups('prune-and-delete');
  const held = gate.hold(commitOf(older));
  const pruning = pruneHere('prune-and-delete');
  const commit = await held;
  expect(await stillpoint('delete', recordPath(newer.record), '--yes')).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('is the last good one of its database'),
  });
  commit.allow();
  expect((await pruning).removed).toEqual([recordPath(older.record)]);
  expect(await good(place)).toEqual(['20261002020000']);
});

test('a restore that begins in the midst of a prune keeps its backup', async () => {
  const { place, older } = await twoBackups('restore-in-prune');
  const held = gate.hold(commitOf(older));
  const pruning = pruneHere('restore-in-prune');
  const commit = await held;
  {
    const uses = new KubernetesUses(base.client, { namespace: thisRun.registry, clock: systemClock, log });
    await using use = await uses.begin(older, 'restore copy');
    commit.allow();
    expect((await pruning).removed).toEqual([]);
    expect(await good(place)).toContain(use.record.id);
    expect(use.lost.aborted).toBe(false);
  }
  const { metadata } = (await read(KINDS.configMap, objectName(older), thisRun.registry)) ?? {};
  expect(Object.keys(metadata?.annotations ?? {}).filter((key) => key.startsWith(ANNOTATIONS.use))).toEqual([]);
  expect((await pruneHere('restore-in-prune')).removed).toEqual([recordPath(older.record)]);
});

test('rule 10: what is being restored is neither pruned nor deleted, until its restore ends or is killed', async () => {
  const { place, older } = await twoBackups('in-use');
  const name = recordPath(older.record);
  const held = gate.hold(({ resource, operation, namespace }) => {
    return resource === 'configmaps' && operation === 'CREATE' && namespace === space.name;
  });
  const restore = startStillpoint('restore', name, '--claim', 'copy');
  const ended = restore.answer.then(({ stderr }) => Promise.reject(new Error(stderr)));
  const journal = await Promise.race([held, ended]);
  expect((await stillpoint('prune', '--dry-run', '-n', space.name)).stdout).toMatch(
    /20261001020000 .* keep +in-use: in use by restore copy/,
  );
  // Both look on until the restore has renewed its mark.
  const [pruned, deleted] = await Promise.all([pruneHere('in-use'), stillpoint('delete', name, '--yes')]);
  expect(pruned.removed).toEqual([]);
  expect(deleted).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('is in use by restore copy') });
  expect(await good(place)).toHaveLength(2);
  restore.kill();
  await restore.answer;
  journal.refuse();
  expect((await pruneHere('in-use')).removed).toEqual([name]);
  expect(await good(place)).toEqual(['20261002020000']);
});

test('what is deleted with kubectl while it is in use goes when it is not', async () => {
  const { older } = await twoBackups('asked-in-use');
  const uses = new KubernetesUses(base.client, { namespace: thisRun.registry, clock: systemClock, log });
  await using kept = new AsyncDisposableStack();
  const use = kept.use(await uses.begin(older, 'clone copy'));
  await base.client.delete(
    { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
    {
      name: objectName(older),
      namespace: thisRun.registry,
    },
  );
  expect((await pruneHere('asked-in-use')).removed).toEqual([]);
  expect(await snapshotsOnStorage()).toContain(older.record.cuts[0]?.handle);
  expect(use.lost.aborted).toBe(false);
  await kept.disposeAsync();
  await eventually('it is removed', async () =>
    (await pruneHere('asked-in-use')).removed.includes(recordPath(older.record)),
  );
  expect(await snapshotsOnStorage()).not.toContain(older.record.cuts[0]?.handle);
});
