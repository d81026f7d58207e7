/**
 * The README's way from code to a restored copy, line by line: its example is synthesised, and every command that it
 * names is run. Only three things are other than there: the storage driver, the image, and who answers for the names.
 */
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Anything, apply, KINDS, list, patch, read, remove } from './harness/cluster';
import { RUN_LABEL, removeNamespace } from './harness/namespace';
import { BACKUP_PASSWORD, startPostgres } from './harness/postgres';
import { eventually } from './harness/wait';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** The README names them, so they cannot be unique. */
const NAMESPACES = ['shop', 'stillpoint'] as const;
/** In the checkout, so that the example finds the constructs; git ignores it. */
const work = join(root, '.cache', 'readme');
let objects: readonly Anything[] = [];

beforeAll(async () => {
  await clear();
  objects = await synthesised();
  const label = { [RUN_LABEL]: inject('registry') };
  await apply(NAMESPACES.map((name) => ({ ...KINDS.namespace, metadata: { name, labels: label } })));
  await startPostgres({ namespace: 'shop', version: '17' });
  await apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-db', namespace: 'shop' },
      stringData: { username: 'stillpoint', password: BACKUP_PASSWORD },
    } as Anything,
  ]);
});
afterAll(async () => {
  await clear();
  for (const object of objects) {
    if (object.metadata?.namespace === undefined)
      await remove(object as Anything & typeof KINDS.job, `${object.metadata?.name}`);
  }
  rmSync(work, { recursive: true, force: true });
});

test('the commands of the README lead from nothing to a restored copy', async () => {
  const commands = blockWith('sh', 'kubectl apply')
    .split('\n')
    .filter((line) => line !== '');
  expect(commands).toHaveLength(7);
  const answers: Record<string, string> = {};
  for (const command of commands) answers[command] = await typed(command);
  const answerTo = (begin: string): string => answers[commands.find((line) => line.startsWith(begin)) ?? ''] ?? '';

  expect(answerTo('stillpoint doctor')).not.toMatch(/^error/m);
  expect(answerTo('stillpoint list')).toMatch(/^orders-db +\d{14} +succeeded +postgres/m);
  expect(answerTo('stillpoint describe')).toMatch(/^Status: +succeeded$/m);
  expect(answerTo('stillpoint restore')).toMatch(/came up on them/);
  expect(await read(KINDS.claim, 'orders-copy', 'shop')).toBeDefined();
});

test('the commands of every day do what is said of them', async () => {
  const commands = blockWith('sh', 'stillpoint status')
    .split('\n')
    .filter((line) => line !== '');
  expect(commands).toHaveLength(7);
  const said: string[] = [];
  for (const command of commands) said.push(await typed(command));
  const [status, database, listed, doctor, rehearsal, backup, deleted] = said;
  expect(status).toMatch(/^orders-db +ok +\d+\w+ +<none> +\d+\w+$/m);
  expect(database).toMatch(/^Policies:\n.*\n +orders-db-backup /m);
  expect(listed).toMatch(/^orders-db +\d{14} +succeeded /m);
  expect(doctor).not.toMatch(/^error/m);
  expect(rehearsal).toMatch(/^ok .* freeze of shop\/orders-db /m);
  expect(backup).toMatch(/succeeded$/m);
  expect(deleted).toMatch(/^backup shop\/orders-db\/\d{14} deleted, with 1 snapshot$/m);
});

test('the commands that remove it leave nothing of it behind', async () => {
  const commands = blockWith('sh', 'stillpoint prune')
    .split('\n')
    .filter((line) => line !== '');
  expect(commands).toHaveLength(5);
  for (const command of commands) {
    expect((await list(KINDS.configMap, 'stillpoint', 'stillpoint.dev/component=record')).length).toBe(
      /removable|0000-/.test(command) ? 0 : 1,
    );
    await typed(command);
  }
  const contents = (await list(KINDS.snapshotContent)).filter(
    ({ spec }) => spec.volumeSnapshotRef.namespace === 'shop',
  );
  expect(contents).toEqual([]);
  expect(await read(KINDS.namespace, 'stillpoint')).toBeUndefined();
});

/** Runs the README's example as its reader would, and returns what it makes. */
async function synthesised(): Promise<readonly Anything[]> {
  mkdirSync(work, { recursive: true });
  const app = join(work, 'main.ts');
  writeFileSync(app, blockWith('ts', 'new App').replace('ebs.csi.aws.com', 'disk.test'));
  await run(process.execPath, ['--import', 'tsx', app], { cwd: root, env: { ...process.env, CDK8S_OUTDIR: dist() } });
  return globSync(`${dist()}/*.yaml`)
    .sort()
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8').replace(/image: stillpoint:\S+/g, `image: ${inject('image')}`);
      writeFileSync(file, text);
      return parseAllDocuments(text).map((document) => document.toJS() as Anything);
    });
}

/** A line of the shell, without a shell. */
async function typed(line: string): Promise<string> {
  const [command = '', ...args] = line.split(/\s+/).map((word) => word.replace(/^dist\//, `${dist()}/`));
  const [file, first] =
    command === 'stillpoint' ? [process.execPath, [join(root, 'bundle/stillpoint.mjs')]] : [kubectl(command), []];
  const { stdout } = await run(file, [...first, ...args], { env: process.env, maxBuffer: 2 ** 24 });
  return stdout;
}

function kubectl(command: string): string {
  const ofCluster = join(process.env.CLUSTER_ROOT ?? '/var/lib/test-cluster', 'bin', command);
  return existsSync(ofCluster) ? ofCluster : command;
}

function dist(): string {
  return join(work, 'dist');
}

function blockWith(language: string, text: string): string {
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, block = '']) => block,
  );
  const found = blocks.find((block) => block.includes(text));
  if (found === undefined) throw new Error(`README.md has no ${language} block with "${text}"`);
  return found;
}

/** Removes what an earlier run has left. Namespaces that are nobody's test are somebody's: they are left alone. */
async function clear(): Promise<void> {
  for (const name of NAMESPACES) {
    const found = await read(KINDS.namespace, name);
    if (found === undefined) continue;
    if (found.metadata?.labels?.[RUN_LABEL] === undefined) {
      throw new Error(`namespace ${name} is not of these tests: remove it, or take another cluster`);
    }
    for (const { metadata } of await list(KINDS.configMap, name)) {
      if ((metadata?.finalizers ?? []).length > 0) {
        await patch(KINDS.configMap, metadata?.name ?? '', name, { metadata: { finalizers: null } });
      }
    }
    await removeNamespace(name);
  }
  for (const name of NAMESPACES) {
    await eventually(`namespace ${name} is gone`, async () => (await read(KINDS.namespace, name)) === undefined, {
      seconds: 180,
    });
  }
}
