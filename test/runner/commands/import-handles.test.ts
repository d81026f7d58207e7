/** The import of bare handles, with a registry of files. The storage and its cluster are a stand-in that says what it was asked for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type HandleSource, importBackup } from '../../../runner/commands/import';
import { engine as mongodb } from '../../../runner/engines/mongodb';
import { engine as nuodb } from '../../../runner/engines/nuodb';
import { StillpointError } from '../../../runner/errors';
import type { Registry, StoredRecord } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { bareSnapshots } from '../../../runner/travel/bare';
import type { ImportPlan } from '../../../runner/travel/plan';
import type { ImportSite } from '../../../runner/travel/site';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';

let folder: string;
let files: DirectoryRegistry;
let kept: Record<string, string>[];
let keepFails: boolean;
let removed: ImportPlan[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-handles-'));
  files = new DirectoryRegistry(folder, new QuietLog());
  [kept, keepFails, removed] = [[], false, []];
});
afterEach(() => rm(folder, { recursive: true }));

/** A folder keeps no secrets: this one says what it was told to. */
function registry(): Registry {
  return Object.assign(Object.create(files) as Registry, {
    create: files.create.bind(files),
    update: files.update.bind(files),
    get: files.get.bind(files),
    list: files.list.bind(files),
    keepSecret: async ({ record }: StoredRecord, values: Record<string, string>): Promise<string> => {
      if (keepFails) throw new StillpointError('permission-missing', 'may not create secrets');
      kept.push(values);
      return `kept-${record.id}`;
    },
  });
}

const site: ImportSite = {
  whoami: async () => 'admin',
  begun: async () => undefined,
  checkNamespace: async () => undefined,
  check: async () => ({ name: 'retained', parameters: {} }),
  make: async ({ snapshots }) => ({
    cuts: snapshots.map(({ cut }) => ({ ...cut, restoreSize: '1Gi' })),
    warnings: ['slow'],
  }),
  remove: async (plan) => {
    removed.push(plan);
    return [];
  },
};

const resource = {
  ...{ apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', name: 'acme-messaging-demo' },
  path: '/backups/acme/messaging/demo/20241004095616',
  labels: {},
  spec: { dbName: 'demo' },
};

const source = (more: Partial<HandleSource> = {}): HandleSource => ({
  ...{ namespace: 'nuodb', database: 'demo', engine: 'nuodb', driver: 'disk.test' },
  snapshots: bareSnapshots(
    { handles: ['archive=snap-a', 'journal=snap-j'], sizes: [], volume: 'data' },
    'nuodb',
    nuodb.restore.bareVolumes ?? [],
  ),
  ...more,
});

const imported = (given: HandleSource, into: Registry = registry()) =>
  importBackup(
    {
      ...{ registry: into, site, clock: new FakeClock(), runnerVersion: '0.1.0' },
      engineNamed: async (name) => (name === 'nuodb' ? nuodb : mongodb),
      say: () => undefined,
      signal: new AbortController().signal,
    },
    given,
  );

const whole = { id: '20241004095616', resource, password: 'hush' };

it('makes a backup of the pair, with the resource and a Secret for the password, which stands nowhere else', async () => {
  const { record, already, warnings } = await imported(source(whole));
  expect([already, warnings]).toEqual([false, ['slow']]);
  expect(record).toMatchObject({
    ...{ id: '20241004095616', phase: 'succeeded', engine: 'nuodb', imported: { ownsData: false } },
    resource: { ...resource, plural: 'databases', secret: 'kept-20241004095616' },
    cuts: [
      { volume: 'archive', handle: 'snap-a' },
      { volume: 'journal', handle: 'snap-j' },
    ],
  });
  expect(kept).toEqual([{ password: 'hush' }]);
  expect((await files.get('nuodb', 'demo', whole.id))?.record).toEqual(record);
  expect(JSON.stringify(record)).not.toContain('hush');
});

it('a second time makes nothing, and is told by its handles where it was given no id', async () => {
  const first = await imported(source());
  const { record, already } = await imported(source());
  expect([already, record.id]).toEqual([true, first.record.id]);
  const other = source({
    snapshots: source().snapshots.map((each) => ({ ...each, handle: `${each.handle}2` })),
    id: first.record.id,
  });
  await expect(imported(other)).rejects.toMatchObject({ code: 'import-exists' });
});

it('whose password could not be kept stays, and the same command again keeps it', async () => {
  keepFails = true;
  await expect(imported(source(whole))).rejects.toMatchObject({
    code: 'permission-missing',
    hint: expect.stringContaining('the same command again'),
  });
  expect(removed).toEqual([]);
  keepFails = false;
  const { record, already } = await imported(source(whole));
  expect([already, record.resource?.secret, kept.length]).toEqual([true, 'kept-20241004095616', 1]);
  await imported(source(whole));
  expect(kept.length).toBe(1);
});

it('is refused before anything is made where a registry keeps no passwords', async () => {
  await expect(imported(source(whole), files)).rejects.toMatchObject({ code: 'usage-invalid' });
  expect(await files.get('nuodb', 'demo', whole.id)).toBeUndefined();
});

it('is refused of a resource of another kind: a person of many rights would make it', async () => {
  const forged = { ...resource, apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' };
  await expect(imported(source({ ...whole, resource: forged }))).rejects.toMatchObject({
    code: 'import-invalid',
    message: expect.stringContaining('RoleBinding (rbac.authorization.k8s.io/v1), and a nuodb is made from a Database'),
  });
});

it('is refused of an engine whose files a record alone explains', async () => {
  await expect(imported(source({ engine: 'mongodb' }))).rejects.toMatchObject({ code: 'import-invalid' });
});
