/**
 * Copies of plain volumes off the cluster: a group that the storage has cut at one instant, and volumes that are found by their labels,
 * one of them large, with holes and many small files. They come back in a namespace that never saw a snapshot of them.
 */
import { readFile } from 'node:fs/promises';
import { Chart, Duration, Size, Testing } from 'cdk8s';
import {
  BackupVolume,
  GroupSnapshotClass,
  Registry,
  SnapshotClass,
  SnapshotCopy,
  SnapshotCopyRestore,
  VolumeBackup,
  type VolumeBackupProps,
} from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type BackupRecord, COMPONENTS, LABELS } from '../../src/contract';
import { SOAK } from '../support/soak';
import { type Anything, apply, KINDS, list, read, remove } from './harness/cluster';
import { DumpScene, type Policy } from './harness/dump-scene';
import { FILE_OWNER, type Filling, fillVolume, startFilesPod, type Tree, treeOf } from './harness/files';
import { jobEnd, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { NEVER } from './harness/never';
import { runnerProcess } from './harness/runner-process';
import { eventually } from './harness/wait';

/** What a worker may take at most, whatever lies on the volumes, in MiB. Its limit is 512. */
const MEMORY_MIB = 256;

const MINUTES = 60_000;

/** In the soak 2.3 GiB to read, and 1.2 to store; else a tenth. Either is more than a worker's memory admits. */
const LARGE: Filling = SOAK
  ? { seed: 1, denseMib: 1100, sparseMib: 1024, smallFiles: 40_000 }
  : { seed: 1, denseMib: 200, sparseMib: 200, smallFiles: 4_000 };
const small = (seed: number): Filling => ({ seed, denseMib: 8, sparseMib: 16, smallFiles: 300 });

const FILLINGS: Readonly<Record<string, Filling>> = {
  uploads: small(2),
  index: small(3),
  'found-a': LARGE,
  'found-b': small(4),
};
/** As `found-a` needs it: all of its holes are written out. */
const SIZES: Readonly<Record<string, string>> = { 'found-a': '3Gi' };

let scene: DumpScene;
let namespace: string;
/** Where nobody ever saw a snapshot, with a registry that knows of no backup. */
let elsewhere: TestNamespace;
let trees: Readonly<Record<string, Tree>>;

beforeAll(async () => {
  scene = await DumpScene.start('copy-volumes');
  ({ namespace } = scene);
  elsewhere = await makeNamespace('copy-elsewhere');
  await scene.s3.secret('store', elsewhere.name);
  const names = Object.keys(FILLINGS);
  await apply(
    names.map(
      (name) =>
        ({
          ...KINDS.claim,
          metadata: { name, namespace, labels: { files: name.startsWith('found') ? 'found' : 'named' } },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: SIZES[name] ?? '256Mi' } } },
        }) as Anything,
    ),
  );
  await startFilesPod(namespace, 'writer', names);
  const found: [string, Tree][] = [];
  for (const [name, filling] of Object.entries(FILLINGS)) {
    await fillVolume(namespace, 'writer', name, filling);
    found.push([name, await treeOf(namespace, 'writer', name)]);
  }
  trees = Object.fromEntries(found);
}, 15 * MINUTES);
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
});

/** A policy of volumes, and one of copies of its backups. */
async function policies(
  id: string,
  props: Pick<VolumeBackupProps, 'volumes' | 'snapshotClass' | 'groupSnapshotClass'>,
  maxVolumes?: number,
): Promise<{ readonly backup: Policy; readonly copies: Policy }> {
  let backup: Policy | undefined;
  const copies = await scene.policy(`${id}-copy`, (chart, { storage, ...usual }) => {
    const of = new VolumeBackup(chart, id, { ...usual, ...props, schedule: NEVER });
    backup = { name: of.policyName, namespace, database: of.databaseName };
    return new SnapshotCopy(chart, `${id}-copy`, {
      ...{ ...usual, of, storage, schedule: NEVER, runAsUser: FILE_OWNER, deadline: Duration.minutes(20) },
      ...(maxVolumes === undefined ? {} : { maxVolumes }),
    });
  });
  if (backup === undefined) throw new Error('there is no policy of volumes');
  return { backup, copies };
}

/** Copies the newest backup. Answers with the record, and the most memory that the worker's process has had, in MiB. */
async function copied(copies: Policy): Promise<{ readonly record: BackupRecord; readonly peakMib: number }> {
  let pid: number | undefined;
  let peakKib = 0;
  const worker = `${LABELS.component}=${COMPONENTS.copyWorker},${LABELS.database}=${copies.database}`;
  const sample = async (): Promise<void> => {
    if (pid === undefined) {
      const [pod] = (await list(KINDS.pod, namespace, worker)).filter(
        ({ status }) => status?.containerStatuses?.[0]?.state?.running !== undefined,
      );
      if (pod !== undefined) pid = (await runnerProcess(pod.metadata?.name ?? '', namespace)).pid;
      return;
    }
    // Its own high-water mark: the last one that is seen is the highest. A process that has ended has none.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
  };
  const job = await startBackup(copies);
  expect(await jobEnd(job, 900, sample)).toBe('Complete');
  const record = (await scene.recordsOf(copies)).find(({ owner }) => owner.jobUid === job.uid);
  if (record === undefined) throw new Error('there is no record');
  return { record, peakMib: peakKib / 1024 };
}

/** Restores a copy where nobody knows of it, and reads what is there then, by the names of its volumes. */
async function restored(id: string, record: BackupRecord): Promise<Readonly<Record<string, Tree>>> {
  const chart = new Chart(Testing.app(), id, { namespace: elsewhere.name });
  const names = record.copy?.volumes?.map(({ name }) => name) ?? [];
  const { jobName, claimNames } = new SnapshotCopyRestore(chart, id, {
    ...{ databaseNamespace: namespace, database: record.database, backup: record.id },
    ...{ storage: scene.storage(chart), image: inject('image'), deadline: Duration.minutes(20) },
    registry: Registry.fromNamespace(inject('registry')),
    volumes: names.map((name) => ({ name, mountPath: `/volumes/${name}`, size: Size.gibibytes(3) })),
  });
  await apply(chart.toJson());
  const job = await eventually(`Job ${jobName} is there`, () => read(KINDS.job, jobName, elsewhere.name));
  expect(await jobEnd({ name: jobName, namespace: elsewhere.name, uid: job.metadata?.uid ?? '' }, 900)).toBe(
    'Complete',
  );
  await startFilesPod(elsewhere.name, `${id}-reader`, claimNames);
  const found: [string, Tree][] = [];
  for (const [index, name] of names.entries()) {
    found.push([name, await treeOf(elsewhere.name, `${id}-reader`, claimNames[index] ?? '')]);
  }
  await remove(KINDS.pod, `${id}-reader`, elsewhere.name);
  return Object.fromEntries(found);
}

/** What there is in the namespace for the sake of copies. */
const leftOver = async (): Promise<readonly unknown[]> => [
  ...(await list(KINDS.claim, namespace, `${LABELS.component}=${COMPONENTS.copy}`)),
  ...(await list(KINDS.pod, namespace, `${LABELS.component}=${COMPONENTS.copyWorker}`)),
];

describe('a copy', () => {
  test(
    'of volumes that the storage has cut as a group comes back, each with its own files',
    async () => {
      const { backup, copies } = await policies('named', {
        volumes: ['uploads', 'index'].map((claim) => BackupVolume.fromClaimName(claim, { name: claim })),
        groupSnapshotClass: GroupSnapshotClass.fromName(inject('registry')),
      });
      const { record: source } = await scene.good(backup);
      expect(source.layout).toBe('group');
      expect(new Set(source.cuts.map(({ group }) => group)).size).toBe(1);
      const { record } = await copied(copies);
      expect(await restored('named-back', record)).toEqual({ uploads: trees.uploads, index: trees.index });
      expect(await leftOver()).toEqual([]);
    },
    10 * MINUTES,
  );

  test(
    'of volumes that are found by labels has places for more, stays small in memory whatever lies there, and comes back',
    async () => {
      const { backup, copies } = await policies(
        'found',
        {
          volumes: [BackupVolume.fromLabels({ files: 'found' })],
          snapshotClass: SnapshotClass.fromName(inject('registry')),
        },
        3,
      );
      const { record: source } = await scene.good(backup);
      expect(source.volumes.map(({ name, claim }) => [name, claim])).toEqual([
        ['data-0', 'found-a'],
        ['data-1', 'found-b'],
      ]);
      const { record, peakMib } = await copied(copies);
      expect(record.warnings).toEqual([]);
      const large = record.copy?.volumes?.find(({ name }) => name === 'data-0');
      expect(large?.entries).toBeGreaterThan(LARGE.smallFiles);
      expect(large?.bytes).toBeGreaterThan((LARGE.denseMib + LARGE.sparseMib - 50) * 1024 ** 2);
      // Nothing was measured where nothing was seen.
      expect(peakMib).toBeGreaterThan(10);
      expect(peakMib).toBeLessThan(MEMORY_MIB);
      expect(await leftOver()).toEqual([]);
      expect(await restored('found-back', record)).toEqual({ 'data-0': trees['found-a'], 'data-1': trees['found-b'] });
    },
    25 * MINUTES,
  );
});
