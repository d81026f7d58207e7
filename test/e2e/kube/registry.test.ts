import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { StoredRecord } from '../../../runner/ports';
import { KubernetesRegistry } from '../../../runner/registry/kubernetes';
import { FINALIZER, LABELS } from '../../../src/contract';
import { apply, KINDS, patch, read, remove } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, cutRequest, forgetRecords, keptLog, recordOf } from './fixture';

let space: TestNamespace;
let registry: KubernetesRegistry;
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('records');
  registry = new KubernetesRegistry(await connect(), { namespace: space.name, clock: systemClock, log });
});

afterAll(async () => {
  await forgetRecords(space.name);
  await space[Symbol.asyncDispose]();
});

const newRecord = (database = 'orders-db') => ({
  ...recordOf('shop', cutRequest([])),
  database,
  phase: 'pending' as const,
});
const nameOf = ({ record }: StoredRecord): string => `${record.namespace}.${record.database}.${record.id}`;

test('a record is a ConfigMap that people can read and select', async () => {
  const stored = await registry.create(newRecord());
  const object = await read(KINDS.configMap, nameOf(stored), space.name);
  expect(object?.metadata?.labels).toMatchObject({
    [LABELS.database]: 'orders-db',
    [LABELS.namespace]: 'shop',
    [LABELS.phase]: 'pending',
    [LABELS.backup]: stored.record.id,
  });
  expect(object?.metadata?.finalizers).toEqual([FINALIZER]);
  expect(object?.data?.['record.yaml']).toContain('database: orders-db');
  expect(await registry.get('shop', 'orders-db', stored.record.id)).toEqual(stored);
  expect(await registry.get('shop', 'orders-db', '20000101000000')).toBeUndefined();
  await expect(registry.create(stored.record)).rejects.toMatchObject({ code: 'id-taken' });
});

test('rule 11: an update is a compare-and-swap, and keeps what others wrote', async () => {
  const first = await registry.create(newRecord());
  await patch(KINDS.configMap, nameOf(first), space.name, { metadata: { annotations: { team: 'shop' } } });
  await expect(registry.update(first, { ...first.record, phase: 'failed' })).rejects.toMatchObject({
    code: 'record-conflict',
  });
  const now = await registry.get('shop', 'orders-db', first.record.id);
  if (now === undefined) throw new Error('the record is gone');
  const second = await registry.update(now, { ...now.record, phase: 'freezing' });
  expect(second.record.phase).toBe('freezing');
  const object = await read(KINDS.configMap, nameOf(first), space.name);
  expect(object?.metadata).toMatchObject({ annotations: { team: 'shop' }, labels: { [LABELS.phase]: 'freezing' } });
  await expect(registry.update(now, now.record)).rejects.toMatchObject({ code: 'record-conflict' });
});

test('a list is filtered, has the newest first, and passes over what it cannot read', async () => {
  const one = await registry.create(newRecord('listed-db'));
  const two = await registry.create(newRecord('listed-db'));
  const labels = { [LABELS.component]: 'record', [LABELS.namespace]: 'shop', [LABELS.database]: 'listed-db' };
  await apply([
    {
      ...KINDS.configMap,
      metadata: { name: 'strange', namespace: space.name, labels },
      data: { 'record.yaml': 'a: [' },
    } as object,
  ]);
  const found = await registry.list({ namespace: 'shop', database: 'listed-db' });
  expect(found.map(({ record }) => record.id)).toEqual([two.record.id, one.record.id]);
  expect(log.lines.join('\n')).toContain('strange');
  await registry.update(one, { ...one.record, phase: 'cut' });
  const unfinished = await registry.list({ namespace: 'shop', database: 'listed-db', phases: ['freezing', 'cut'] });
  expect(unfinished.map(({ record }) => record.id)).toEqual([one.record.id]);
  expect(await registry.list({ namespace: 'shop', database: 'nobody' })).toEqual([]);
});

test('a record that does not fit is said to be unreadable', async () => {
  const stored = await registry.create(newRecord());
  await patch(KINDS.configMap, nameOf(stored), space.name, { data: { 'record.yaml': 'kind: Something' } });
  await expect(registry.get('shop', 'orders-db', stored.record.id)).rejects.toMatchObject({
    code: 'record-unreadable',
    message: expect.stringContaining(nameOf(stored)),
  });
});

test('a record that somebody deletes stays, marked, until it is removed', async () => {
  const stored = await registry.create(newRecord());
  expect(stored.deletionRequested).toBe(false);
  await remove(KINDS.configMap, nameOf(stored), space.name);
  const marked = await registry.get('shop', 'orders-db', stored.record.id);
  expect(marked?.deletionRequested).toBe(true);
  if (marked === undefined) throw new Error('the record is gone');
  await registry.remove(marked);
  expect(await read(KINDS.configMap, nameOf(stored), space.name)).toBeUndefined();
});

test('a record is removed with its finalizer', async () => {
  const stored = await registry.create(newRecord());
  await registry.remove(stored);
  expect(await read(KINDS.configMap, nameOf(stored), space.name)).toBeUndefined();
});

test('a record is followed from before it is there until after it is gone', async () => {
  const record = newRecord();
  const stop = new AbortController();
  const phases: (string | undefined)[] = [];
  const following = (async () => {
    for await (const stored of registry.follow(record, stop.signal)) phases.push(stored?.record.phase);
  })();
  await eventually('it is known not to be there', async () => phases.length === 1);
  const stored = await registry.create(record);
  const updated = await registry.update(stored, { ...record, phase: 'freezing' });
  await registry.remove(updated);
  await eventually('all was seen', async () => phases.length > 1 && phases.at(-1) === undefined);
  stop.abort();
  await following;
  expect(phases.filter((phase, index) => phase !== phases[index - 1] || index === 0)).toEqual([
    undefined,
    'pending',
    'freezing',
    undefined,
  ]);
});

test('a namespace that is not there is said to be missing', async () => {
  const elsewhere = new KubernetesRegistry(await connect(), { namespace: 'no-such-registry', clock: systemClock, log });
  await expect(elsewhere.list({})).rejects.toMatchObject({ code: 'registry-not-found' });
  await expect(elsewhere.create(newRecord())).rejects.toMatchObject({ code: 'registry-not-found' });
});
