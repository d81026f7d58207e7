/**
 * Safety rules 9 and 14: who has the token of a policy's account can neither make the pruner delete the backups of
 * another namespace, nor change what a restore there works by.
 */
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupVolume, PostgresBackup, Registry, SnapshotClass } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { prune } from '../../../runner/commands/prune';
import type { KubeClient } from '../../../runner/kube/client';
import { CONFIG_MAPS, type ConfigMap } from '../../../runner/kube/objects';
import { KubernetesRemover } from '../../../runner/kube/pruning';
import type { StoredRecord } from '../../../runner/ports';
import { KubernetesRegistry } from '../../../runner/registry/kubernetes';
import { KubernetesUses } from '../../../runner/registry/kubernetes-uses';
import { KubernetesPolicies } from '../../../runner/registry/policies';
import { recordData, recordObject } from '../../../runner/registry/record-object';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { type BackupRecord, COMPONENTS, LABELS, policyDocumentName, recordName } from '../../../src/contract';
import { apply, KINDS, list, patch, read, remove } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { NEVER } from '../harness/never';
import { eventually } from '../harness/wait';
import { clientAs } from './account';
import { connect, cutRequest, keptLog, makeVolumes, recordOf } from './fixture';

/** A registry with the accounts of two policies, each in a namespace of its own, and of the pruner. */
interface Place extends AsyncDisposable {
  readonly registry: string;
  readonly shop: TestNamespace;
  readonly bank: TestNamespace;
  readonly shopAccount: KubeClient;
  readonly bankAccount: KubeClient;
  readonly pruner: KubeClient;
}

const POLICY = 'orders-db-backup';

async function makePlace(admissionPolicy: boolean): Promise<Place> {
  await using made = new AsyncDisposableStack();
  const [registry, shop, bank] = [
    await makeNamespace('guard'),
    made.use(await makeNamespace('shop')),
    made.use(await makeNamespace('bank')),
  ];
  made.defer(async () => {
    for (const { metadata } of await list(KINDS.configMap, registry.name)) {
      await patch(KINDS.configMap, `${metadata?.name}`, registry.name, { metadata: { finalizers: null } });
    }
    await registry[Symbol.asyncDispose]();
  });
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry', {
    namespaceName: registry.name,
    image: inject('image'),
    admissionPolicy,
    // These tests prune themselves.
    schedule: NEVER,
  });
  await apply(chart.toJson().filter(({ kind }) => kind !== 'Namespace'));
  for (const { name } of [shop, bank]) await applyPolicy(name, registry.name);
  const clientOf = async (namespace: string, account: string): Promise<KubeClient> =>
    made.use(await clientAs(namespace, account)).client;
  const place = {
    registry: registry.name,
    shop,
    bank,
    shopAccount: await clientOf(shop.name, POLICY),
    bankAccount: await clientOf(bank.name, POLICY),
    pruner: await clientOf(registry.name, 'stillpoint-pruner'),
  };
  const kept = made.move();
  return { ...place, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A policy as a user has it, for a server that is not needed here. */
async function applyPolicy(namespace: string, registry: string): Promise<void> {
  const chart = new Chart(Testing.app(), 'policy', { namespace });
  new PostgresBackup(chart, 'orders-db', {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
    volumes: [BackupVolume.fromClaimName('data')],
    snapshotClass: SnapshotClass.fromName('disk'),
    schedule: NEVER,
    registry: Registry.fromNamespace(registry),
    image: inject('image'),
    name: POLICY,
  });
  await apply(chart.toJson());
}

const log = keptLog();
const registryAs = (client: KubeClient, { registry }: Place): KubernetesRegistry =>
  new KubernetesRegistry(client, { namespace: registry, clock: systemClock, log });
const newRecord = (namespace: TestNamespace, more: Partial<BackupRecord> = {}): BackupRecord =>
  recordOf(namespace.name, cutRequest([]), more);
const nameOf = ({ namespace, database, id }: BackupRecord): string => recordName(namespace, database, id);
const pruneIn = (place: Place): ReturnType<typeof prune> =>
  prune({
    registry: registryAs(place.pruner, place),
    policies: new KubernetesPolicies(place.pruner, { namespace: place.registry, log }),
    uses: new KubernetesUses(place.pruner, { namespace: place.registry, clock: systemClock, log }),
    clock: systemClock,
    holder: 'this test',
    remover: new KubernetesRemover(place.pruner, { clock: systemClock, log }),
    log,
  });

describe('the account of a policy', () => {
  let place: Place;
  /** A record of the other namespace, as its own policy has written it. */
  let theirs: StoredRecord;
  let theirObject: ConfigMap;

  beforeAll(async () => {
    place = await makePlace(true);
    await eventually('the API server knows the guard', async () => {
      const asked = registryAs(place.shopAccount, place).create(newRecord(place.bank));
      return await asked.then(
        () => false,
        ({ message }: Error) => message.includes('denied request'),
      );
    });
    theirs = await registryAs(place.bankAccount, place).create(newRecord(place.bank, { phase: 'succeeded' }));
    theirObject = await objectOf(theirs);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  async function objectOf({ record }: StoredRecord): Promise<ConfigMap> {
    const found = await place.shopAccount.get(CONFIG_MAPS, { name: nameOf(record), namespace: place.registry });
    if (found === undefined) throw new Error(`record ${nameOf(record)} is gone`);
    return found;
  }
  const createOwn = (more: Partial<BackupRecord> = {}): Promise<StoredRecord> =>
    registryAs(place.shopAccount, place).create(newRecord(place.shop, more));
  const create = (object: ConfigMap): Promise<unknown> => place.shopAccount.create(CONFIG_MAPS, object);
  /** Changes an object's metadata and nothing else. */
  const change = (object: ConfigMap, metadata: Partial<ConfigMap['metadata']>): Promise<unknown> =>
    place.shopAccount.replace(CONFIG_MAPS, { ...object, metadata: { ...object.metadata, ...metadata } });

  const refusal = (why: string): object => ({
    code: 'kubernetes-refused',
    status: 403,
    message: expect.stringContaining(`denied request: the account of a policy ${why}`),
  });
  const FOREIGN = 'may write records of its own namespace only';

  test('is held by expressions that the API server has no doubts about', async () => {
    const status = await eventually('the expressions are checked', async () => {
      const policy = await read(KINDS.admissionPolicy, `stillpoint.${place.registry}.records`);
      return policy?.status?.typeChecking === undefined ? undefined : policy.status;
    });
    expect(status.typeChecking.expressionWarnings ?? []).toEqual([]);
  });

  test('keeps the records of its own namespace', async () => {
    const registry = registryAs(place.shopAccount, place);
    let stored = await createOwn({ phase: 'pending' });
    for (const phase of ['freezing', 'cut', 'succeeded'] as const) {
      stored = await registry.update(stored, { ...stored.record, phase });
    }
    expect((await objectOf(stored)).metadata.labels).toMatchObject({ [LABELS.phase]: 'succeeded' });
  });

  test('writes no record of another namespace, by whatever name or label', async () => {
    const foreign = recordObject(newRecord(place.bank), place.registry);
    const own = recordObject(newRecord(place.shop), place.registry);
    await expect(create(foreign)).rejects.toMatchObject(refusal(FOREIGN));
    const { labels: _, ...unlabelled } = foreign.metadata;
    await expect(create({ ...foreign, metadata: unlabelled })).rejects.toMatchObject(refusal(FOREIGN));
    const disguises: readonly Partial<ConfigMap['metadata']>[] = [
      { name: own.metadata.name },
      { name: 'mine' },
      { labels: { ...own.metadata.labels } },
    ];
    for (const disguise of disguises) {
      const disguised = { ...foreign, metadata: { ...foreign.metadata, ...disguise } };
      await expect(create(disguised)).rejects.toMatchObject(refusal(FOREIGN));
    }
  });

  test('changes no record of another namespace, nor takes it over', async () => {
    const registry = registryAs(place.shopAccount, place);
    await expect(registry.update(theirs, { ...theirs.record, phase: 'deleting' })).rejects.toMatchObject(
      refusal(FOREIGN),
    );
    const changes: readonly Partial<ConfigMap['metadata']>[] = [
      { labels: {} },
      { labels: { ...theirObject.metadata.labels, [LABELS.namespace]: place.shop.name } },
      { finalizers: [] },
      { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'gone' }] } as object,
    ];
    for (const each of changes) await expect(change(theirObject, each)).rejects.toMatchObject(refusal(FOREIGN));
    expect(await objectOf(theirs)).toEqual(theirObject);
  });

  test('does not make its own what only the name says is its own', async () => {
    const { data, metadata } = recordObject(newRecord(place.shop), place.registry);
    const labels = { ...metadata.labels, [LABELS.namespace]: place.bank.name };
    await apply([{ ...KINDS.configMap, metadata: { ...metadata, labels }, data } as object]);
    const object = await place.shopAccount.get(CONFIG_MAPS, metadata);
    if (object === undefined) throw new Error('the object is gone');
    await expect(change(object, { labels: { ...metadata.labels } })).rejects.toMatchObject(refusal(FOREIGN));
  });

  test('cannot let its own records slip out of what holds them', async () => {
    const object = await objectOf(await createOwn());
    const { labels = {} } = object.metadata;
    const { [LABELS.phase]: _, ...without } = labels;
    await expect(change(object, { labels: without })).rejects.toMatchObject(refusal('may take no label from a record'));
    await expect(change(object, { labels: { ...labels, [LABELS.database]: 'users-db' } })).rejects.toMatchObject(
      refusal('may write a record only under the name that its labels make'),
    );
    await expect(change(object, { labels: { ...labels, [LABELS.component]: 'other' } })).rejects.toMatchObject(
      refusal('may write a record only under the name that its labels make'),
    );
    await expect(change(object, { finalizers: [] })).rejects.toMatchObject(
      refusal('may not take the finalizer from a record'),
    );
    expect((await place.shopAccount.get(CONFIG_MAPS, object.metadata))?.metadata).toEqual(object.metadata);
  });

  test('leaves a record alone that is being deleted', async () => {
    const stored = await createOwn();
    await patch(KINDS.configMap, nameOf(stored.record), place.registry, {
      metadata: { labels: { [LABELS.phase]: 'deleting' } },
    });
    const object = await objectOf(stored);
    await expect(
      change(object, { labels: { ...object.metadata.labels, [LABELS.phase]: 'failed' } }),
    ).rejects.toMatchObject(refusal('may not change a record that is being deleted'));
  });

  test('cannot have deleted what was cut or has failed; a rehearsal, which cuts nothing, takes its record back', async () => {
    const registry = registryAs(place.shopAccount, place);
    for (const phase of ['pending', 'cut', 'failed'] as const) {
      const stored = await createOwn({ phase });
      await expect(registry.update(stored, { ...stored.record, phase: 'deleting' })).rejects.toMatchObject(
        refusal('may not have a backup deleted'),
      );
    }
    const rehearsed = await createOwn({ phase: 'freezing' });
    await registry.update(rehearsed, { ...rehearsed.record, phase: 'deleting' });
  });

  test('cannot have a backup deleted, undo that it has succeeded, or release it', async () => {
    const registry = registryAs(place.shopAccount, place);
    const stored = await createOwn({ phase: 'succeeded', retention: { protected: true } });
    const { record } = stored;
    await expect(registry.update(stored, { ...record, phase: 'deleting' })).rejects.toMatchObject(
      refusal('may not have a backup deleted'),
    );
    await expect(registry.update(stored, { ...record, phase: 'failed' })).rejects.toMatchObject(
      refusal('may not undo that a backup has succeeded'),
    );
    await expect(registry.update(stored, { ...record, retention: { protected: false } })).rejects.toMatchObject(
      refusal('may not release a backup'),
    );
    // What the content alone says counts for nothing.
    const object = await objectOf(stored);
    await place.shopAccount.replace(CONFIG_MAPS, { ...object, ...recordData({ ...record, retention: {} }) });
    expect((await registry.get(record.namespace, record.database, record.id))?.record.retention?.protected).toBe(true);
    await place.shopAccount.replace(CONFIG_MAPS, {
      ...(await objectOf(stored)),
      ...recordData({ ...record, phase: 'failed' }),
    });
    await expect(registry.get(record.namespace, record.database, record.id)).rejects.toMatchObject({
      code: 'record-unreadable',
    });
  });

  test('cannot say what is kept of backups, its own or those of others', async () => {
    const name = policyDocumentName(place.bank.name, POLICY);
    const labels = { [LABELS.component]: COMPONENTS.policy, [LABELS.namespace]: place.bank.name };
    const document = { metadata: { name, namespace: place.registry, labels }, data: {} };
    const refused = refusal('may not say what is kept of backups');
    await expect(create(document)).rejects.toMatchObject(refused);
    await expect(create({ ...document, metadata: { name, namespace: place.registry } })).rejects.toMatchObject(refused);
    const mine = { ...document.metadata, name: 'mine' };
    await expect(create({ ...document, metadata: mine })).rejects.toMatchObject(refused);
    await apply([{ ...KINDS.configMap, ...document } as object]);
    const object = await place.shopAccount.get(CONFIG_MAPS, document.metadata);
    if (object === undefined) throw new Error('the document is gone');
    await expect(change(object, { labels: {} })).rejects.toMatchObject(refused);
  });

  test('is no hindrance to others: other ConfigMaps, a person, and the pruner', async ({ task }) => {
    await create({ metadata: { name: `other-${task.result?.retryCount ?? 0}`, namespace: place.registry }, data: {} });
    const mine = await createOwn({ phase: 'succeeded' });
    for (const { record } of [mine, theirs]) {
      await patch(KINDS.configMap, nameOf(record), place.registry, { metadata: { annotations: { seen: 'yes' } } });
      await remove(KINDS.configMap, nameOf(record), place.registry);
    }
    const { removed, left } = await pruneIn(place);
    expect(removed).toEqual(
      expect.arrayContaining([mine, theirs].map(({ record }) => expect.stringContaining(record.id))),
    );
    expect(left).toEqual([]);
    for (const { record } of [mine, theirs]) {
      expect(await read(KINDS.configMap, nameOf(record), place.registry)).toBeUndefined();
    }
  });
});

describe('where the guard is left out', () => {
  let place: Place;
  beforeAll(async () => {
    place = await makePlace(false);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test('rights alone do not keep an account from the records of another namespace', async () => {
    const theirs = await registryAs(place.bankAccount, place).create(newRecord(place.bank));
    const changed = await registryAs(place.shopAccount, place).update(theirs, { ...theirs.record, phase: 'succeeded' });
    expect(changed.record.phase).toBe('succeeded');
  });

  test('the pruner does not act on a record that is labelled as one of this namespace and speaks of another', async () => {
    const request = cutRequest(await makeVolumes(place.bank.name, ['data']));
    const client = await connect();
    const store = new KubernetesSnapshots({
      client,
      namespace: place.bank.name,
      className: 'disk',
      clock: systemClock,
      log,
    });
    const cuts = await store.ready(await store.cut(request, AbortSignal.timeout(60_000)), AbortSignal.timeout(60_000));
    const content = recordOf(place.bank.name, request, { phase: 'deleting', cuts });
    const own = recordObject({ ...content, namespace: place.shop.name }, place.registry);
    await place.shopAccount.create(CONFIG_MAPS, { ...own, ...recordData(content) });

    expect(await pruneIn(place)).toEqual({ removed: [], cleaned: [], left: [] });
    expect(log.lines.join('\n')).toContain(`${own.metadata.name} has the content of ${nameOf(content)}`);
    expect(await read(KINDS.snapshot, cuts[0]?.snapshot ?? '', place.bank.name)).toBeDefined();
    await expect(registryAs(client, place).get(place.shop.name, content.database, content.id)).rejects.toMatchObject({
      code: 'record-unreadable',
    });

    // The same under its own name is what the pruner does act on.
    await registryAs(client, place).create(content);
    expect((await pruneIn(place)).removed).toHaveLength(1);
    expect(await read(KINDS.snapshot, cuts[0]?.snapshot ?? '', place.bank.name)).toBeUndefined();
  });
});
