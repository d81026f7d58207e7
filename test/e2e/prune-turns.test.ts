/** A prune keeps the snapshot controller busy as backups do: it takes turns with them. */
import { expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { KubernetesSlots } from '../../runner/kube/slots';
import { slotName } from '../../src/contract';
import { KINDS, read } from './harness/cluster';
import { jobEnd, nthPod, startBackup } from './harness/job';
import { followLog } from './harness/logs';
import { makeNamespace } from './harness/namespace';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { connect, keptLog, makeVolumes, snapshotsOnStorage } from './kube/fixture';
import { addBackup, applyRetention, type HistoryPlace, registryOf } from './kube/history';

const never = new AbortController().signal;
const LIMIT_SECONDS = 200;

const holder = async (): Promise<string | undefined> =>
  (await read(KINDS.lease, slotName(0), thisRun.registry))?.spec?.holderIdentity;

test('while another one has its turn at the snapshot controller nothing is removed, and then all of it', async () => {
  await using space = await makeNamespace('prune-turns');
  const volumes = await makeVolumes(space.name, ['data']);
  const client = await connect();
  const place: HistoryPlace = { client, namespace: space.name, database: 'orders-db', volumes, log: keptLog() };
  await applyRetention(place, { keepLast: 1 });
  const older = await addBackup(place, '2026-10-01T02:00:00Z');
  const newer = await addBackup(place, '2026-10-02T02:00:00Z');
  const [cut] = older.record.cuts;
  const slots = new KubernetesSlots(place.client, {
    namespace: thisRun.registry,
    count: 1,
    holder: 'a backup that is frozen',
    limitMs: LIMIT_SECONDS * 1000,
    clock: systemClock,
    log: place.log,
  });
  const turn = await slots.take(never);

  const pruner = await startBackup({ name: 'stillpoint-pruner', namespace: thisRun.registry });
  await using log = await followLog(await nthPod(pruner), thisRun.registry);
  const waits = async (): Promise<boolean> =>
    (await log.lines()).some(({ message }) => message?.startsWith('waiting for the snapshot controller') === true);
  // It looks first at all that the other tests have in the registry.
  await eventually('the pruner waits', waits, { seconds: LIMIT_SECONDS });
  expect(await snapshotsOnStorage()).toContain(cut?.handle);
  expect((await read(KINDS.snapshotContent, cut?.content ?? ''))?.spec?.deletionPolicy).toBe('Retain');
  expect(await holder()).toBe('a backup that is frozen');

  await turn?.release(0);
  expect(await jobEnd(pruner)).toBe('Complete');
  expect(await snapshotsOnStorage()).not.toContain(cut?.handle);
  const left = await registryOf(place).list({ namespace: space.name });
  expect(left.map(({ record }) => record.id)).toEqual([newer.record.id]);
});
