/** Clones with the custom resource of a control plane. The cluster is a stand-in that writes down in which order it was asked for what. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CloneSite } from '../../../runner/clone/site';
import { type CloneOptions, clone } from '../../../runner/commands/clone';
import { engine as nuodb } from '../../../runner/engines/nuodb';
import { StillpointError } from '../../../runner/errors';
import { formatClone } from '../../../runner/output/clone';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { PlannedResource, ResourceSite } from '../../../runner/restore/resource';
import type { RestoreSite } from '../../../runner/restore/site';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const cutOf = (volume: string, restoreSize: string): BackupRecord['cuts'][number] => ({
  ...{ volume, snapshot: `s-${volume}`, seenBy: 'creationTime', driverKnown: true, restoreSize },
  ...{ askedAt: '2026-01-01T02:00:02Z', seenAt: '2026-01-01T02:00:03Z' },
});

const original = record({
  ...{ namespace: 'nuodb', database: 'demo', id: '20261126020000', engine: 'nuodb', runnerImage: 'stillpoint:1' },
  volumes: [
    { name: 'archive', role: 'data', claim: 'a', mountPath: '/a', capacity: '20Gi', storageClass: 'fast' },
    { name: 'journal', role: 'log', claim: 'j', mountPath: '/j', capacity: '5Gi', storageClass: 'fast' },
  ],
  cuts: [cutOf('archive', '10Gi'), cutOf('journal', '5Gi')],
  resource: {
    ...{ apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', plural: 'databases', name: 'acme-messaging-demo' },
    ...{ spec: { dbName: 'demo', archiveVolume: { volumeSize: '20Gi' } }, secret: 'nuodb.demo.20261126020000' },
  },
});

let folder: string;
let registry: DirectoryRegistry;
let asked: string[];
let planned: PlannedResource | undefined;
let refusal: StillpointError | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-clone-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
  [asked, planned, refusal] = [[], undefined, undefined];
  await registry.create(original);
});
afterEach(() => rm(folder, { recursive: true }));

const note = (what: string) => async (): Promise<never[]> => {
  asked.push(what);
  return [];
};

const resources: ResourceSite = {
  check: async (_, resource) => {
    asked.push('check resource');
    if (refusal !== undefined) throw refusal;
    planned = resource;
  },
  make: async (_, { namespace, name }) => {
    asked.push('make resource');
    return [`Secret ${namespace}/${name}-credentials`, `Database ${namespace}/${name}`];
  },
};

function cloned(more: Partial<CloneOptions> = {}) {
  const site = {
    check: note('check'),
    makeVolumes: note('volumes'),
    prepare: async () => ({ dataPath: '/a', uid: 1, gid: 1, done: [] }),
    finish: note('finish'),
  } as unknown as RestoreSite;
  const clones = {
    check: note('check clone'),
    begin: async () => 'making',
    advance: note('ready'),
    undoCommand: () => 'undo it',
  } as unknown as CloneSite;
  const use = { record: original, lost: new AbortController().signal, [Symbol.asyncDispose]: async () => undefined };
  return clone(
    {
      ...{ registry, site, clones, resources, uses: { begin: async () => use } },
      engineOf: async () => nuodb,
      say: () => undefined,
      signal: new AbortController().signal,
    },
    {
      ...{ backup: 'nuodb/demo/20261126020000', filter: {}, to: 'demo-copy', workload: false, sizes: ['archive=30Gi'] },
      ...{ resource: 'acme-messaging-copy', ...more },
    },
  );
}

it('have it after their files, and before they are called ready; all was checked before anything was made', async () => {
  const result = await cloned();
  expect(asked).toEqual(['check clone', 'check', 'check resource', 'volumes', 'make resource', 'ready', 'finish']);
  expect(planned).toMatchObject({
    ...{ kind: 'Database', name: 'acme-messaging-copy', namespace: 'nuodb' },
    // As asked for, else as recorded.
    spec: { dbName: 'demo', archiveVolume: { volumeSize: '30Gi' }, journalVolume: { volumeSize: '5Gi' } },
    secret: { name: 'acme-messaging-copy-credentials', recordedIn: 'nuodb.demo.20261126020000' },
  });
  expect(result.resources).toHaveLength(2);
  expect(formatClone(result, 'table')).toContain('\nDatabase nuodb/acme-messaging-copy\n');
});

it('have none unless one is asked for', async () => {
  const result = await cloned({ resource: undefined });
  expect(asked.filter((each) => each.includes('resource'))).toEqual([]);
  expect(result).not.toHaveProperty('resources');
});

it('are not begun where it cannot be made', async () => {
  refusal = new StillpointError('restore-exists', 'Database nuodb/acme-messaging-copy is there already');
  await expect(cloned()).rejects.toMatchObject({ code: 'restore-exists' });
  expect(asked).not.toContain('volumes');
});

it.each<[string, Partial<CloneOptions>, RegExp]>([
  ['the name of the original', { resource: 'acme-messaging-demo' }, /is the one that the backup is of/],
  ['a clone that replaces another', { generation: '3fa91c02' }, /does not go with --replace/],
  ['a size below the snapshot', { sizes: ['archive=1Gi'] }, /archive/],
])('are refused: %s', async (_, more, message) => {
  await expect(cloned(more)).rejects.toThrow(message);
  expect(asked).toEqual([]);
});

it('start no server of NuoDB, and so no --workload beside it', async () => {
  await expect(cloned({ workload: true })).rejects.toMatchObject({ code: 'backup-not-restorable' });
});
