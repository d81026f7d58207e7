import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { CONFIG_MAPS, PODS } from '../../../runner/kube/objects';
import { KubernetesPlatform } from '../../../runner/kube/platform';
import type { Volume } from '../../../runner/ports';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS } from '../../../runner/snapshots/objects';
import { type AccessRequest, backupAccess, prunerAccess } from '../../../src/contract';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { makeAccount } from './account';
import { cutRequest, keptLog, makeVolumes, snapshotsOnStorage } from './fixture';

let space: TestNamespace;
let volumes: readonly Volume[];
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('account');
  volumes = await makeVolumes(space.name, ['data']);
});

afterAll(() => space[Symbol.asyncDispose]());

const request = (clusterScope: boolean): AccessRequest => ({
  claims: ['data'],
  byLabel: false,
  byPod: false,
  directCut: false,
  slots: 0,
  snapshotClasses: ['disk'],
  groupClasses: [],
  lease: 'stillpoint-orders-db',
  registryNamespace: space.name,
  clusterScope,
});
const platformOf = (client: ConstructorParameters<typeof KubernetesPlatform>[0], clusterScope = true) =>
  new KubernetesPlatform(client, {
    namespace: space.name,
    registryNamespace: space.name,
    needs: backupAccess(request(clusterScope)),
    hints: { needed: 'apply it again', optional: 'it works without' },
  });

test('the rights that a policy grants are found to be enough, in one request a namespace', async () => {
  await using account = await makeAccount(space.name, backupAccess(request(true)));
  const findings = await platformOf(account.client).checkAccess();
  expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
  expect(findings.length).toBe(backupAccess(request(true)).length);
  expect(account.client.requestCount).toBe(1);
});

test('rule 2: a right that is missing is named, with what it is for', async () => {
  const needs = backupAccess(request(true)).map((need) =>
    need.resource === 'volumesnapshots' ? { ...need, verbs: ['get', 'list', 'watch'] } : need,
  );
  await using account = await makeAccount(space.name, needs);
  const missing = (await platformOf(account.client).checkAccess()).filter(({ severity }) => severity === 'error');
  expect(missing).toEqual([
    expect.objectContaining({
      code: 'permission-missing',
      hint: 'apply it again',
      message: expect.stringMatching(
        new RegExp(
          `may not create, delete, patch volumesnapshots in namespace ${space.name}: needed to ask for the snapshots`,
        ),
      ),
    }),
  ]);
});

test('without rights on the cluster a backup is checked as far as it goes, and its cut is seen all the same', async () => {
  await using account = await makeAccount(space.name, backupAccess(request(false)));
  const platform = platformOf(account.client, true);
  const optional = (await platform.checkAccess()).filter(({ severity }) => severity !== 'ok');
  expect(optional.length).toBeGreaterThan(0);
  expect(optional.every(({ severity, hint }) => severity === 'warning' && hint === 'it works without')).toBe(true);
  expect(await platform.clusterUid()).toBeUndefined();
  const [volume] = await platform.resolveVolumes([{ name: 'data', role: 'data', claim: 'data' }]);
  expect(volume).toMatchObject({ persistentVolume: volumes[0]?.persistentVolume });
  expect(volume?.driver).toBeUndefined();

  const { client } = account;
  const store = new KubernetesSnapshots({ client, namespace: space.name, className: 'disk', clock: systemClock, log });
  const checked = await store.check(volume === undefined ? [] : [volume], 'individually');
  expect(checked.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
    'warning permission-missing',
    'warning permission-missing',
  ]);
  const asked = cutRequest(volume === undefined ? [] : [volume]);
  const cuts = await store.cut(asked, AbortSignal.timeout(60_000));
  expect(cuts[0]).toMatchObject({ content: expect.stringContaining('snapcontent-'), seenBy: 'creationTime' });
  const [ready] = await store.ready(cuts, AbortSignal.timeout(60_000));
  expect(ready?.readyAt).toBeDefined();
  // Whether the class retains cannot be read either: what may be left is named for the pruner.
  const left = await store.discard({ id: asked.id, jobUid: asked.jobUid, names: store.names(asked) });
  expect(left).toEqual([`volumesnapshotcontent/${cuts[0]?.content}`]);
  expect(await snapshotsOnStorage()).not.toContain(`snap-${cuts[0]?.uid}`);
});

test('the account that takes backups can read no secret, and delete no record and no pod', async () => {
  await using account = await makeAccount(space.name, backupAccess(request(true)));
  const { client } = account;
  const secrets = { ...CONFIG_MAPS, kind: 'Secret', plural: 'secrets' };
  await expect(client.list(secrets, { namespace: space.name })).rejects.toMatchObject({
    code: 'permission-missing',
    message: `the account may not list secrets in ${space.name}`,
  });
  await expect(client.delete(CONFIG_MAPS, { namespace: space.name, name: 'x' })).rejects.toMatchObject({
    code: 'permission-missing',
  });
  await expect(client.delete(PODS, { namespace: space.name, name: 'x' })).rejects.toMatchObject({
    code: 'permission-missing',
  });
});

test('rule 14: the account that takes backups cannot turn a content to Delete', async () => {
  await using account = await makeAccount(space.name, backupAccess(request(true)));
  const change = account.client.patch(SNAPSHOT_CONTENTS, { name: 'x' }, { spec: { deletionPolicy: 'Delete' } });
  await expect(change).rejects.toMatchObject({ code: 'permission-missing' });
});

test('the pruner can remove contents, and cannot make snapshots', async () => {
  await using account = await makeAccount(space.name, prunerAccess());
  const { client } = account;
  expect(await client.delete(SNAPSHOT_CONTENTS, { name: 'no-such-content' })).toBe(false);
  const snapshot = { metadata: { name: 'x', namespace: space.name }, spec: { source: {} } };
  await expect(client.create(VOLUME_SNAPSHOTS, snapshot)).rejects.toMatchObject({ code: 'permission-missing' });
});
