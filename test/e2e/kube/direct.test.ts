/** Cuts without the snapshot controller: what every store holds, and what holds the account that may make contents. */
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupVolume, PostgresBackup, Registry, SnapshotClass } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { StillpointError } from '../../../runner/errors';
import type { KubeClient } from '../../../runner/kube/client';
import { KubernetesRemover } from '../../../runner/kube/pruning';
import type { SnapshotStore, Volume } from '../../../runner/ports';
import { cutContent } from '../../../runner/snapshots/direct-contents';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { SNAPSHOT_CONTENTS, type VolumeSnapshotContent } from '../../../runner/snapshots/objects';
import { ANNOTATIONS, COMPONENTS, LABELS, MANAGED_BY } from '../../../src/contract';
import { snapshotStoreContract } from '../../integration/contract/snapshot-store';
import { apply, KINDS, list, read } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { NEVER } from '../harness/never';
import { eventually } from '../harness/wait';
import { clientAs } from './account';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes, recordOf, snapshotsOnStorage } from './fixture';
import { clusterFixture } from './volume-fixture';

snapshotStoreContract('the cluster', () => clusterFixture(false));
snapshotStoreContract('the cluster, cut directly', () => clusterFixture(true));

const log = keptLog();
const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1000);

describe('a direct cut', () => {
  let space: TestNamespace;
  let client: KubeClient;
  let volumes: readonly Volume[];

  beforeAll(async () => {
    space = await makeNamespace('direct');
    client = await connect();
    volumes = await makeVolumes(space.name, ['data', 'wal']);
  });
  afterAll(() => space[Symbol.asyncDispose]());

  const storeOf = (className: string): SnapshotStore =>
    new KubernetesSnapshots({ client, namespace: space.name, className, direct: true, clock: systemClock, log });
  const contentsOf = async (names: readonly string[]): Promise<readonly { metadata?: { name?: string } }[]> =>
    (await list(KINDS.snapshotContent)).filter(
      ({ spec }) => spec.volumeSnapshotRef.namespace === space.name && names.includes(spec.volumeSnapshotRef.name),
    );

  test('rule 5: is seen with no snapshot there, and becomes an ordinary one, bound both ways', async () => {
    await using kept = await makeRetainClass('VolumeSnapshotClass');
    const store = storeOf(kept.name);
    const request = cutRequest(volumes);
    await store.check(volumes, 'individually');
    const before = client.requestCount;
    const cuts = await store.cut(request, seconds(60));
    // One to ask for each, one list, and a watch; a watch that breaks is opened again.
    expect(client.requestCount - before).toBeLessThanOrEqual(6);
    expect(await list(KINDS.snapshot, space.name, `${LABELS.backup}=${request.id}`)).toEqual([]);
    expect(await snapshotsOnStorage()).toContain(cuts[0]?.handle);
    expect(cuts[0]?.cutAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{4,9}Z$/);

    const ready = await store.ready(cuts, seconds(60));
    for (const { snapshot, uid, content, handle, directContent, restoreSize } of ready) {
      const object = await read(KINDS.snapshot, snapshot, space.name);
      expect(object?.metadata).toMatchObject({
        uid,
        labels: { ...request.labels },
        annotations: { [ANNOTATIONS.jobUid]: request.jobUid },
      });
      expect(object?.status).toMatchObject({ readyToUse: true, boundVolumeSnapshotContentName: content });
      const bound = await read(KINDS.snapshotContent, content ?? '');
      expect(bound?.spec).toMatchObject({
        deletionPolicy: 'Retain',
        source: { snapshotHandle: handle },
        volumeSnapshotRef: { name: snapshot, namespace: space.name, uid },
      });
      expect(directContent).not.toBe(content);
      expect(restoreSize).toBe('64Mi');
    }
    // Made again, as by a pod that finds the record of one that died here.
    expect(await store.ready(cuts, seconds(60))).toMatchObject(cuts.map(({ handle }) => ({ handle })));

    // Deleted, the record takes both contents along, and what they name.
    const record = recordOf(space.name, request, { phase: 'deleting', cuts: ready });
    const remover = new KubernetesRemover(client, { clock: systemClock, log });
    expect(await remover.remove({ record, version: '', deletionRequested: true })).toEqual([]);
    expect(await contentsOf(store.names(request))).toEqual([]);
    const left = await snapshotsOnStorage();
    for (const { handle } of ready) expect(left).not.toContain(handle);
  });

  test('rule 2: is refused by the checks where it could only fail under the freeze', async () => {
    const problems = async (className: string, of: readonly Volume[]): Promise<readonly string[]> =>
      (await storeOf(className).check(of, 'individually')).flatMap(({ severity, code }) =>
        severity === 'error' ? [code] : [],
      );
    await using kept = await makeRetainClass('VolumeSnapshotClass');
    expect(await problems(kept.name, volumes)).toEqual([]);
    expect(await problems('disk', volumes)).toEqual(['class-deletes']);
    expect(await problems('no-such-class', volumes)).toEqual(['class-not-found']);
    const unknown = volumes.map(({ volumeHandle: _, ...volume }) => volume);
    expect(await problems(kept.name, unknown.slice(0, 1))).toEqual(['volume-mismatch']);
  });

  test('rule 7, rule 14: one that comes late is named, kept, and removed by the pruner with what it holds', async () => {
    await using late = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '6000' });
    const store = storeOf(late.name);
    const request = cutRequest(volumes.slice(0, 1));
    const budget = new AbortController();
    systemClock.after(1_500, () => budget.abort(new StillpointError('budget-exceeded', 'the budget is over')));
    await expect(store.cut(request, budget.signal)).rejects.toMatchObject({ code: 'budget-exceeded' });
    const names = store.names(request);
    const leftovers = await store.discard({ id: request.id, jobUid: request.jobUid, names });
    const [content] = await contentsOf(names);
    expect(leftovers).toEqual([`volumesnapshotcontent/${content?.metadata?.name}`]);

    const record = recordOf(space.name, request, { leftovers, plannedSnapshots: names });
    const remover = new KubernetesRemover(client, { clock: systemClock, log });
    expect(await remover.remove({ record, version: '', deletionRequested: false })).toEqual([]);
    expect(await contentsOf(names)).toEqual([]);
    const uid = content?.metadata?.name?.replace('stillpoint-cut-', '');
    expect([...(await snapshotsOnStorage())].filter((handle) => handle.includes(`${uid}`))).toEqual([]);
  });

  test('rule 9: what an earlier attempt has left never takes the cut of the record along', async () => {
    await using kept = await makeRetainClass('VolumeSnapshotClass');
    const store = storeOf(kept.name);
    const request = cutRequest(volumes.slice(0, 1));
    const [earlier] = await store.cut(request, seconds(60));
    const cuts = await store.ready(await store.cut(request, seconds(60)), seconds(60));
    const path = (name: string | undefined): string => `volumesnapshotcontent/${name}`;
    // Whatever the list says: the contents of the record's own cut are among them.
    const leftovers = [earlier?.directContent, cuts[0]?.directContent, cuts[0]?.content].map(path);
    const names = store.names(request);
    const record = recordOf(space.name, request, { phase: 'succeeded', cuts, leftovers, plannedSnapshots: names });
    const remover = new KubernetesRemover(client, { clock: systemClock, log });
    expect(await remover.removeLeftovers({ record, version: '', deletionRequested: false })).toEqual([]);
    const storage = await snapshotsOnStorage();
    expect(storage).toContain(cuts[0]?.handle);
    expect(storage).not.toContain(earlier?.handle);
    expect(await contentsOf(names)).toHaveLength(2);
  });
});

describe('the account that may make contents', () => {
  let registry: TestNamespace;
  let shop: TestNamespace;
  let account: Awaited<ReturnType<typeof clientAs>>;
  let volume: Volume;
  const POLICY = 'orders-db-backup';
  const CLASS = {
    metadata: { name: 'disk' },
    driver: 'disk.test',
    deletionPolicy: 'Retain',
  } as const;

  beforeAll(async () => {
    [registry, shop] = [await makeNamespace('guard'), await makeNamespace('shop')];
    const chart = new Chart(Testing.app(), 'registry');
    new Registry(chart, 'registry', {
      namespaceName: registry.name,
      image: inject('image'),
      schedule: NEVER,
    });
    await apply(chart.toJson().filter(({ kind }) => kind !== 'Namespace'));
    const policies = new Chart(Testing.app(), 'policy', { namespace: shop.name });
    new PostgresBackup(policies, 'orders-db', {
      host: 'orders-db',
      credentials: Secret.fromSecretName(policies, 'login', 'orders-db'),
      volumes: [BackupVolume.fromClaimName('data')],
      snapshotClass: SnapshotClass.fromName('disk'),
      directCut: true,
      schedule: NEVER,
      registry: Registry.fromNamespace(registry.name),
      image: inject('image'),
      name: POLICY,
    });
    await apply(policies.toJson());
    [volume] = (await makeVolumes(shop.name, ['data'])) as [Volume];
    account = await clientAs(shop.name, POLICY);
    await eventually('the API server knows the guard', async () => {
      return await rehearse({ spec: { deletionPolicy: 'Delete' } }).then(
        () => false,
        ({ message }: Error) => message.includes('denied request'),
      );
    });
  });
  afterAll(async () => {
    await account[Symbol.asyncDispose]();
    await shop[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  interface Change {
    readonly metadata?: object;
    readonly spec?: object;
  }

  /** Asks to make a content as a direct cut does, with something changed; nothing is kept. */
  async function rehearse({ metadata, spec }: Change): Promise<void> {
    const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: COMPONENTS.snapshot };
    const uid = '00000000-0000-4000-8000-000000000000';
    const content = cutContent({ volume, snapshot: 'orders-db-data', uid, labels, annotations: {} }, CLASS);
    const changed = {
      metadata: { ...content.metadata, ...metadata },
      spec: { ...content.spec, ...spec },
    } as VolumeSnapshotContent;
    await account.client.rehearse(SNAPSHOT_CONTENTS, changed);
  }
  const refusal = (why: string): object => ({
    status: 403,
    message: expect.stringContaining(`denied request: the account of a policy ${why}`),
  });

  test('is held by expressions that the API server has no doubts about', async () => {
    const status = await eventually('the expressions are checked', async () => {
      const policy = await read(KINDS.admissionPolicy, `stillpoint.${registry.name}.contents`);
      return policy?.status?.typeChecking === undefined ? undefined : policy.status;
    });
    expect(status.typeChecking.expressionWarnings ?? []).toEqual([]);
  });

  test('makes those of direct cuts', async () => {
    await rehearse({});
    const name = 'stillpoint-snapshot-00000000-0000-4000-8000-000000000000';
    await rehearse({ metadata: { name }, spec: { source: { snapshotHandle: 'snap-1' } } });
  });

  test('rule 9: makes none for another namespace, and none that says so', async () => {
    const ref = { name: 'theirs', namespace: registry.name, uid: 'theirs' };
    const why = 'may make contents for its own namespace only';
    await expect(rehearse({ spec: { volumeSnapshotRef: ref } })).rejects.toMatchObject(refusal(why));
    const labels = {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.component]: COMPONENTS.snapshot,
      [LABELS.namespace]: registry.name,
    };
    const unsaid = 'may make contents only that say what they are';
    await expect(rehearse({ metadata: { labels } })).rejects.toMatchObject(refusal(unsaid));
  });

  test('rule 14: makes none that deletes', async () => {
    await expect(rehearse({ spec: { deletionPolicy: 'Delete' } })).rejects.toMatchObject(
      refusal('may make no content that deletes'),
    );
  });

  test('makes none that looks like one of the snapshot controller, or a cut under the name of what stands for one', async () => {
    const why = 'may make contents only under the names of direct cuts';
    await expect(rehearse({ metadata: { name: 'snapcontent-1' } })).rejects.toMatchObject(refusal(why));
    await expect(rehearse({ spec: { source: { snapshotHandle: 'snap-1' } } })).rejects.toMatchObject(refusal(why));
  });

  test('changes and deletes none at all', async () => {
    const ref = { name: 'x' };
    const change = account.client.patch(SNAPSHOT_CONTENTS, ref, { spec: { deletionPolicy: 'Delete' } });
    await expect(change).rejects.toMatchObject({ code: 'permission-missing' });
    await expect(account.client.delete(SNAPSHOT_CONTENTS, ref)).rejects.toMatchObject({ code: 'permission-missing' });
  });

  test('rule 2: finds out before the freeze what it will be refused', async () => {
    const theirs = { ...volume, namespace: registry.name };
    const store = new KubernetesSnapshots({
      client: account.client,
      namespace: shop.name,
      className: 'disk',
      direct: true,
      clock: systemClock,
      log,
    });
    const findings = await store.check([theirs], 'individually');
    const refused = findings.filter(({ code }) => code === 'kubernetes-refused');
    expect(refused).toEqual([
      expect.objectContaining({ severity: 'error', message: expect.stringContaining('for its own namespace only') }),
    ]);
  });

  test('is not held to its own volumes: the API server cannot tell whose a handle is', async () => {
    await rehearse({ spec: { source: { volumeHandle: 'a volume of somebody else' } } });
  });
});
