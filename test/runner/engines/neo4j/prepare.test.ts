import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { prepare } from '../../../../runner/engines/neo4j/prepare';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-neo4j-'));
  await mkdir(join(folder, 'databases'));
});
afterEach(() => rm(folder, { recursive: true }));

const prepared = () => prepare([{ name: 'data', role: 'data', path: folder }], record(), new QuietLog());
const there = (name: string) =>
  access(join(folder, name)).then(
    () => true,
    () => false,
  );

it('an empty server_id, which no server starts on, is removed from a copy, and that is said', async () => {
  await writeFile(join(folder, 'server_id'), '');
  expect((await prepared()).done).toContainEqual(expect.stringContaining(`${join(folder, 'server_id')} was empty`));
  expect(await there('server_id')).toBe(false);
});

it('one that is whole stays as it is, and nothing is said where there is none', async () => {
  expect((await prepared()).done).toHaveLength(1);
  await writeFile(join(folder, 'server_id'), 'of a server');
  expect((await prepared()).done).toHaveLength(1);
  expect(await readFile(join(folder, 'server_id'), 'utf8')).toBe('of a server');
});

it.each([
  ['4.4.44', 'dbms.directories.data=', 'dbms.memory.heap.max_size=262144k'],
  ['5.26.30', 'server.directories.data=', 'server.memory.heap.max_size=262144k'],
])('a server of %s gets settings by its own names', async (serverVersion, data, heap) => {
  const settings = { 'server.memory.heap.max_size': '256.00MiB' };
  const of = record({ serverVersion, settings });
  await prepare([{ name: 'data', role: 'data', path: folder }], of, new QuietLog());
  const lines = (await readFile(join(folder, '.stillpoint', 'neo4j.conf'), 'utf8')).split('\n');
  expect(lines).toContain(`${data}${folder}`);
  expect(lines).toContain(heap);
});
