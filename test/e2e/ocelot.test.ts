/**
 * Ocelot, as its charts have it (dist/): a real Neo4j Community and the uploads that it speaks of, in one backup while
 * somebody uploads, and with both stopped; both claims restored from it; the graph dumped to a bucket, and back from there. Only
 * namespaces, snapshot class, image, bucket and the backup's name are other than in the files.
 */
import { globSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { type BackupRecord, LABELS } from '../../src/contract';
import { SOAK } from '../support/soak';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, KINDS, list, patch, read } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { BACKEND, GRAPH, knownIn, type Sums, startOcelot, storedIn, Uploader } from './harness/ocelot';
import { startS3, type TestS3 } from './harness/s3';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

let namespace: TestNamespace;

beforeAll(async () => {
  namespace = await makeNamespace('ocelot');
  await startOcelot(namespace.name);
  await applied('ocelot');
  // The tests start their Jobs, whatever minute it is.
  for (const { metadata } of await list(KINDS.cronJob, namespace.name)) {
    await patch(KINDS.cronJob, metadata?.name ?? '', namespace.name, { spec: { suspend: true } });
  }
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** What stands in a file of dist/, with other values in place of the ones given. */
function objectsOf(chart: string, values: Readonly<Record<string, string>> = {}): readonly Anything[] {
  const [file = `no chart ${chart}`] = globSync(`dist/*-${chart}.k8s.yaml`);
  let text = moved(readFileSync(file, 'utf8'));
  for (const [from, to] of Object.entries(values)) text = text.replaceAll(from, to);
  return parseAllDocuments(text).map((document): Anything => document.toJS());
}

async function applied(chart: string, values: Readonly<Record<string, string>> = {}): Promise<readonly Anything[]> {
  const objects = objectsOf(chart, values);
  await apply(objects);
  return objects;
}

function moved(text: string): string {
  const registry = inject('registry');
  return (
    text
      .replaceAll(/namespace: ocelot$/gm, `namespace: ${namespace.name}`)
      .replaceAll('serviceaccount:ocelot:', `serviceaccount:${namespace.name}:`)
      // Names that begin with, or hold, the namespace: of rights, records and policies in the registry.
      .replaceAll(/\bocelot\.(?=ocelot)/g, `${namespace.name}.`)
      .replaceAll(/\bstillpoint:\d[\d.]*/g, inject('image'))
      .replaceAll(/(namespace|className): stillpoint$/gm, `$1: ${registry}`)
      .replaceAll(/^( *- )stillpoint$/gm, `$1${registry}`)
  );
}

const policyOf = (database: string): Parameters<typeof takeBackup>[0] => ({
  name: `${database}-backup`,
  namespace: namespace.name,
  database,
});

/** The date that the names of its snapshots end with. */
function dateOf({ database, cuts }: Pick<BackupRecord, 'database' | 'cuts'>): string {
  const names = cuts.map(({ snapshot }) => snapshot).toSorted();
  const date = names[0]?.slice(-10) ?? '';
  expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  expect(names).toEqual([`${database}-data-neo4j-${date}`, `${database}-files-uploads-${date}`]);
  return date;
}

/** Every file that the graph knows is there as it was; a file that it does not know yet was about to be told. */
function compare(known: Sums, stored: Sums): { readonly wrong: readonly string[]; readonly untold: readonly string[] } {
  return {
    wrong: [...known].filter(([file, sum]) => stored.get(file) !== sum).map(([file]) => file),
    untold: [...stored.keys()].filter((file) => !known.has(file)),
  };
}

test('the graph and the uploads are cut as one while both are written to, and both claims restore from the names with the date', async () => {
  await using uploader = await Uploader.start(namespace.name, 'running');
  await uploader.more(50);
  const record = succeeded(await takeBackup(policyOf('ocelot')));
  await uploader.more(20);
  await uploader.stop();
  expect(record).toMatchObject({
    freezes: 'writes',
    proof: { holds: true },
    held: expect.arrayContaining([expect.objectContaining({ by: 'hook' })]),
    heldUndone: { by: 'runner' },
  });
  expect(record.proof?.after.facts).toEqual(record.proof?.before.facts);

  const objects = await applied('ocelot-restore', { '20261121020000': record.id, '2026-11-21': dateOf(record) });
  for (const { metadata } of objects.filter(({ kind }) => kind === 'Job')) {
    await eventually(
      `${metadata?.name} is complete`,
      async () => (await read(KINDS.job, metadata?.name ?? '', namespace.name))?.status?.succeeded === 1,
      { seconds: 120 },
    );
  }
  const [known, stored] = await Promise.all([
    knownIn(namespace.name, 'ocelot-neo4j-copy-data-neo4j'),
    storedIn(namespace.name, 'ocelot-uploads-copy-files-uploads'),
  ]);
  const { wrong, untold } = compare(known, stored);
  expect(wrong).toEqual([]);
  expect(untold.length).toBeLessThanOrEqual(1);
  const { firstAsked = '', lastCutSeen = '' } = record.times;
  const before = uploader.acknowledged.filter(({ atMs }) => atMs < Date.parse(firstAsked));
  const after = uploader.begun.filter(({ atMs }) => atMs > Date.parse(lastCutSeen));
  expect(before.filter(({ file }) => !known.has(file))).toEqual([]);
  expect(after.filter(({ file }) => stored.has(file))).toEqual([]);
  expect([before.length, after.length].map((count) => count > 10)).toEqual([true, true]);
  process.stdout.write(
    `    ${known.size} uploads in the copy, ${untold.length} untold, held ${record.freezeWindowMs} ms\n`,
  );
});

test('the graph is dumped to a bucket from a copy of its claim while it is written to, and is restored from there', async () => {
  const s3 = await startS3(namespace.name);
  await s3.secret('store', namespace.name);
  await using uploader = await Uploader.start(namespace.name, 'dumped');
  await uploader.more(10);
  const known = [...uploader.acknowledged];
  const isOfRestore = ({ metadata }: Anything): boolean => metadata?.labels?.[LABELS.backup] !== undefined;
  await apply(
    inBucketOf(
      s3,
      objectsOf('ocelot-dump').filter((object) => !isOfRestore(object)),
    ),
  );
  await patch(KINDS.cronJob, 'ocelot-dump-backup', namespace.name, { spec: { suspend: true } });
  const record = succeeded(await takeBackup(policyOf('ocelot-dump')));
  await uploader.more(1);
  await uploader.stop();
  expect(record).toMatchObject({ engine: 'neo4j', mode: 'dump', dump: { only: 'neo4j' } });
  expect(await s3.keys()).toContain(record.objects?.[0]?.key);

  const restore = objectsOf('ocelot-dump', { '20261121030000': record.id }).filter(isOfRestore);
  await apply(inBucketOf(s3, restore));
  const job = restore.find(({ kind }) => kind === 'Job')?.metadata?.name ?? '';
  await eventually(
    `${job} is complete`,
    async () => (await read(KINDS.job, job, namespace.name))?.status?.succeeded === 1,
    {
      seconds: 180,
    },
  );
  const copy = await knownIn(namespace.name, 'ocelot-neo4j-from-dump');
  expect(known.filter(({ file }) => !copy.has(file))).toEqual([]);
  process.stdout.write(`    dumped: ${record.objects?.[0]?.bytes} bytes, ${copy.size} uploads known in the copy\n`);
});

/** The same, with a store of this test in place of the one that the file names. */
function inBucketOf({ bucket, endpoint }: TestS3, objects: readonly Anything[]): readonly Anything[] {
  return objects.map((object) => {
    const [[name, text] = []] = Object.entries((object.data ?? {}) as Readonly<Record<string, string>>);
    if (object.kind !== 'ConfigMap' || name === undefined || text === undefined) return object;
    const { spec, ...config } = parse(text);
    if (spec.storage === undefined) return object;
    expect(spec.storage.s3).toEqual({ bucket: 'backups-of-ocelot', region: 'eu-central-1' });
    const storage = { ...spec.storage, s3: { bucket, endpoint, pathStyle: true } };
    return { ...object, data: { [name]: stringify({ ...config, spec: { ...spec, storage } }) } };
  });
}

// What stops and starts them again is shown by neo4j.test.ts; that it does so for a group takes minutes: in the soak.
const stopped = test.skipIf(!SOAK);
stopped('with both stopped the files are closed: the graph knows all that is there, and both run again', async () => {
  const uploader = await Uploader.start(namespace.name, 'stopped');
  await uploader.more(5);
  await uploader[Symbol.asyncDispose]();
  const record = succeeded(await takeBackup(policyOf('ocelot-offline')));
  expect(record).toMatchObject({ freezes: 'everything', proof: { holds: true }, heldUndone: { by: 'runner' } });
  expect(record.held?.map(({ member }) => member).toSorted()).toEqual([
    expect.stringContaining(`deployment/${BACKEND}`),
    expect.stringContaining(`deployment/${GRAPH}`),
  ]);
  expect(record.downtimeMs).toBeGreaterThan(record.freezeWindowMs ?? Number.NaN);
  dateOf(record);
  const restored = await stillpoint('restore', `${namespace.name}/ocelot-offline/${record.id}`, '--claim', 'stopped');
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const [known, stored] = await Promise.all([
    knownIn(namespace.name, 'stopped-data-neo4j'),
    storedIn(namespace.name, 'stopped-files-uploads'),
  ]);
  expect(compare(known, stored)).toEqual({ wrong: [], untold: [] });
  expect(uploader.acknowledged.filter(({ file }) => !known.has(file))).toEqual([]);
  await using again = await Uploader.start(namespace.name, 'again');
  await again.more(1);
  process.stdout.write(`    stopped: held ${record.freezeWindowMs} ms, downtime ${record.downtimeMs} ms\n`);
});
