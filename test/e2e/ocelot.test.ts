/**
 * Ocelot, as its charts have it (dist/): a real Neo4j Community and the uploads that it speaks of, in one backup while
 * somebody uploads, and with both stopped; both claims restored from it. Only namespaces, snapshot class, image and the backup's name are
 * other than in the files.
 */
import { globSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, KINDS, list, patch, read } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { BACKEND, GRAPH, knownIn, type Sums, startOcelot, storedIn, Uploader } from './harness/ocelot';
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

/** Applies a file of dist/, with other values in place of the ones given. */
async function applied(chart: string, values: Readonly<Record<string, string>> = {}): Promise<readonly Anything[]> {
  const [file = `no chart ${chart}`] = globSync(`dist/*-${chart}.k8s.yaml`);
  let text = moved(readFileSync(file, 'utf8'));
  for (const [from, to] of Object.entries(values)) text = text.replaceAll(from, to);
  const objects = parseAllDocuments(text).map((document): Anything => document.toJS());
  await apply(objects);
  return objects;
}

function moved(text: string): string {
  const registry = inject('registry');
  return text
    .replaceAll(/namespace: ocelot$/gm, `namespace: ${namespace.name}`)
    .replaceAll('stillpoint.ocelot.', `stillpoint.${namespace.name}.`)
    .replaceAll('serviceaccount:ocelot:', `serviceaccount:${namespace.name}:`)
    .replaceAll('- ocelot.ocelot.', `- ${namespace.name}.ocelot.`)
    .replaceAll(/\bstillpoint:\d[\d.]*/g, inject('image'))
    .replaceAll(/(namespace|className): stillpoint$/gm, `$1: ${registry}`)
    .replaceAll(/^( *- )stillpoint$/gm, `$1${registry}`);
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

// What stops and starts them again is shown by neo4j.test.ts; that it does so for a group takes minutes: in the soak.
const stopped = test.skipIf(process.env.CONTRACT !== 'all');
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
