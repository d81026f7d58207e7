/** What the other tests lean on: a harness that is wrong would make them pass for nothing. */
import { describe, expect, test } from 'vitest';
import { type Anything, apply, KINDS, patch, read } from './harness/cluster';
import { contentsOf } from './harness/contents';
import { followDriverLog, goDurationMs, misbehavingClass } from './harness/disk';
import { openGate } from './harness/gate';
import { removeLeftovers } from './harness/leftovers';
import { makeNamespace, RUN_LABEL, uniqueName } from './harness/namespace';
import { startPostgres } from './harness/postgres';
import { snapshotsLeft } from './harness/records';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

const snapshot = (name: string, namespace: string, claim: string, className: string): object => ({
  ...KINDS.snapshot,
  metadata: { name, namespace },
  spec: { volumeSnapshotClassName: className, source: { persistentVolumeClaimName: claim } },
});

describe('the harness', () => {
  test('starts a PostgreSQL with a log on a volume of its own, which this machine reaches', async () => {
    await using namespace = await makeNamespace('server');
    const server = await startPostgres({ namespace: namespace.name, version: '17', separateWal: true });
    const client = await server.connect();
    const { rows } = await client.query<{ version: string; wal: string }>(
      "SELECT current_setting('server_version_num') AS version, (SELECT count(*) FROM pg_ls_dir('/var/lib/postgresql/wal/pg_wal'))::text AS wal",
    );
    await client.end();
    expect(Number(rows[0]?.version)).toBeGreaterThanOrEqual(170000);
    expect(Number(rows[0]?.wal)).toBeGreaterThan(0);
  });

  test('makes the storage slow, reads how long it took from its log, and leaves no snapshot behind', async () => {
    await using namespace = await makeNamespace('disk');
    const server = await startPostgres({ namespace: namespace.name, version: '15' });
    const log = await followDriverLog();
    await using slow = await misbehavingClass({ cutDelayMs: 700 });
    const from = performance.now();
    await apply([snapshot('one', namespace.name, server.claims.data, slow.name)]);
    await eventually('the snapshot is ready', async () => {
      return (await read(KINDS.snapshot, 'one', namespace.name))?.status?.readyToUse === true;
    });
    expect(performance.now() - from).toBeGreaterThanOrEqual(700);
    // Other tests have theirs in the log, too.
    expect(Math.max(...(await log.durations('CreateSnapshot')))).toBeGreaterThanOrEqual(700);
    expect(await snapshotsLeft(namespace.name)).toHaveLength(2);
  });

  test('removes what a run has left that was ended from outside, its snapshots on the storage too', async () => {
    await using namespace = await makeNamespace('ended');
    const ended = uniqueName('e2e-registry');
    await patch(KINDS.namespace, namespace.name, '', { metadata: { labels: { [RUN_LABEL]: ended } } });
    const { claims } = await startPostgres({ namespace: namespace.name, version: '15', claimLabels: { part: 'left' } });
    const group = {
      volumeGroupSnapshotClassName: thisRun.registry,
      source: { selector: { matchLabels: { part: 'left' } } },
    };
    await apply([
      snapshot('one', namespace.name, claims.data, thisRun.registry),
      { ...KINDS.groupSnapshot, metadata: { name: 'all', namespace: namespace.name }, spec: group } as Anything,
    ]);
    const contents = async (): Promise<number> => (await contentsOf(namespace.name)).length;
    await eventually('one by itself, the group and its member have contents', async () => (await contents()) === 3);
    await removeLeftovers();
    expect(await read(KINDS.namespace, namespace.name)).toBeUndefined();
    await eventually('nothing stands for a snapshot on the storage', async () => (await contents()) === 0);
  });

  test('holds one write at the door and lets the others through', async () => {
    await using namespace = await makeNamespace('gate');
    await using gate = await openGate(namespace.name);
    const config = (name: string): object => ({ ...KINDS.configMap, metadata: { name, namespace: namespace.name } });
    const held = gate.hold(({ name }) => name === 'held');
    const writing = apply([config('held')]);
    const { write, refuse } = await held;
    await apply([config('free')]);
    expect(write).toMatchObject({ operation: 'CREATE', resource: 'configmaps', namespace: namespace.name });
    expect(await read(KINDS.configMap, 'held', namespace.name)).toBeUndefined();
    refuse();
    await expect(writing).rejects.toThrow(/the gate is closed/);
  });

  test.each([
    ['3ms', 3],
    ['1.5s', 1500],
    ['1m2s', 62_000],
    ['250µs', 0.25],
  ])('reads Go’s notation of a duration: %s', (text, ms) => {
    expect(goDurationMs(text)).toBeCloseTo(ms);
  });
});
