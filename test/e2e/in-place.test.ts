/**
 * Restores in place: the database's own claims get other volumes, and get their own back. All of it with the rights of
 * InPlaceAccess and no other; killed and begun again; and with somebody who scales up again meanwhile. The claims are for
 * one pod at a time, and no pod of the databases may be evicted.
 */
import { Chart, Testing } from 'cdk8s';
import { BackupVolume, InPlaceAccess, RedisBackup, Registry } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS, type BackupRecord, COMPONENTS, LABELS } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate, type Write } from './harness/gate';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyPolicy, applyPolicyOf, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf } from './harness/records';
import { deployRedis } from './harness/redis-deployment';
import { type Answer, startStillpoint, stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { clientAs } from './kube/account';

const SET = 'orders-db';
const DATA = 'data-orders-db-0';
const LOG = 'wal-orders-db-0';

let namespace: TestNamespace;
let people: TestNamespace;
let server: TestPostgres;
let policy: TestPolicy;
let record: BackupRecord;
/** The present volumes of the StatefulSet, in the order of its claims. */
let volumes: readonly string[];
/** The kubeconfig of somebody who may restore in place, and of one who may not. */
let person: AsyncDisposable & { readonly kubeconfig: string };
let stranger: AsyncDisposable & { readonly kubeconfig: string };

const access = uniqueName('in-place');

beforeAll(async () => {
  namespace = await makeNamespace('in-place');
  server = await startPostgres({
    namespace: namespace.name,
    version: '17',
    separateWal: true,
    accessMode: 'ReadWriteOncePod',
    settings: [
      'archive_mode=on',
      'archive_command=test ! -f /tmp/archive/%f && mkdir -p /tmp/archive && cp %p /tmp/archive/%f',
    ],
  });
  await forbidEvictions(SET);
  await setWhenScaled('Delete');
  await write('CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS number');
  await write(`ALTER SYSTEM SET archive_timeout = '77min'`);
  policy = await applyPolicy(server, { separateWal: true });
  record = succeeded(await takeBackup(policy));
  await write('INSERT INTO ledger SELECT generate_series(1001, 1500)');
  volumes = await volumesNow();
  [person, stranger] = await grant();
});

afterAll(async () => {
  for (const kind of [KINDS.clusterRoleBinding, KINDS.clusterRole]) {
    for (const suffix of ['', '-registry', '-cluster']) await remove(kind, `${access}${suffix}`);
  }
  await remove(
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' },
    `${access}-registry`,
    thisRun.registry,
  );
  await person[Symbol.asyncDispose]();
  await stranger[Symbol.asyncDispose]();
  await people[Symbol.asyncDispose]();
  await namespace[Symbol.asyncDispose]();
});

/** Two accounts; the group of the one is that of all accounts of a namespace of its own. */
async function grant(): Promise<[typeof person, typeof stranger]> {
  people = await makeNamespace('people');
  const account = { ...KINDS.serviceAccount, metadata: { name: 'someone', namespace: people.name } } as Anything;
  await apply([account, { ...account, metadata: { name: 'someone', namespace: namespace.name } }]);
  const chart = new Chart(Testing.app(), 'access');
  new InPlaceAccess(chart, access, {
    group: `system:serviceaccounts:${people.name}`,
    namespaces: [namespace.name],
    registry: Registry.fromNamespace(thisRun.registry),
  });
  await apply(chart.toJson());
  return [await clientAs(people.name, 'someone'), await clientAs(namespace.name, 'someone')];
}

/** A PodDisruptionBudget that none of a database's pods may be spared under. */
async function forbidEvictions(app: string): Promise<void> {
  await apply([
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: app, namespace: namespace.name },
      spec: { maxUnavailable: 0, selector: { matchLabels: { app } } },
    } as Anything,
  ]);
}

async function setWhenScaled(whenScaled: 'Delete' | 'Retain'): Promise<void> {
  await patch(KINDS.statefulSet, SET, namespace.name, {
    spec: { persistentVolumeClaimRetentionPolicy: { whenScaled, whenDeleted: 'Retain' } },
  });
}

async function write(sql: string): Promise<void> {
  const client = await server.connect();
  await client.query(sql);
  await client.end();
}

async function ask(sql: string): Promise<string> {
  const client = await server.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql);
  await client.end();
  return String(Object.values(rows[0] ?? {})[0]);
}

function inPlace(...args: readonly string[]): readonly string[] {
  return ['restore', '--in-place', '-n', namespace.name, '--kubeconfig', person.kubeconfig, ...args];
}

function restore(...args: readonly string[]): Promise<Answer> {
  return stillpoint(...inPlace(...args));
}

async function volumeOf(claim: string): Promise<string> {
  return (await read(KINDS.claim, claim, namespace.name))?.spec.volumeName;
}

function volumesNow(): Promise<readonly string[]> {
  return Promise.all([DATA, LOG].map(volumeOf));
}

async function modesOf(claim: string): Promise<readonly string[]> {
  return (await read(KINDS.claim, claim, namespace.name))?.spec.accessModes;
}

async function policyOf(volume: string): Promise<string> {
  return (await read(KINDS.volume, volume))?.spec.persistentVolumeReclaimPolicy;
}

/** A write of the command, at which the test stops it. */
type Point = readonly [what: string, matches: (write: Write) => boolean];
function at(operation: Write['operation'], resource: string, name: RegExp | string): Point[1] {
  return (write) =>
    write.operation === operation &&
    write.resource === resource &&
    (typeof name === 'string' ? write.name === name : name.test(write.name));
}

function scaledTo(replicas: number): Point[1] {
  return (write) => at('UPDATE', 'statefulsets', SET)(write) && write.object?.spec.replicas === replicas;
}

async function replicasNow(): Promise<number> {
  return (await read(KINDS.statefulSet, SET, namespace.name))?.spec.replicas;
}

/** The restores in place that have begun here. */
async function begun(): Promise<number> {
  return (await list(KINDS.configMap, namespace.name, `${LABELS.component}=${COMPONENTS.inPlace}`)).length;
}

test('the snapshots tell what they are, as in seed 002', async () => {
  const snapshot = await read(KINDS.snapshot, record.cuts[0]?.snapshot ?? '', namespace.name);
  expect(snapshot?.metadata?.labels).toMatchObject({
    [LABELS.engine]: 'postgres',
    [LABELS.batch]: record.id,
    [LABELS.group]: policy.name,
    [LABELS.serverVersion]: record.serverVersion,
    [LABELS.type]: 'application-consistent',
  });
  expect(snapshot?.metadata?.annotations).toMatchObject({
    [ANNOTATIONS.serverVersion]: record.serverVersion,
    [ANNOTATIONS.position]: JSON.stringify(record.position),
  });
});

describe('before anything is touched', () => {
  test('every step is said, and none is done with --dry-run or without a yes', async () => {
    for (const [args, exitCode] of [
      [['--dry-run'], 0],
      [[], 3],
    ] as const) {
      const said = await restore(record.id, ...args);
      expect(said, said.stderr).toMatchObject({ exitCode });
      const text = exitCode === 0 ? said.stdout : said.stderr;
      expect(text).toContain(`StatefulSet ${namespace.name}/${SET}`);
      expect(text).toMatch(
        /keep the present volume of data-orders-db-0 as claim data-orders-db-0-before-\d{14} \(Retain\)/,
      );
      expect(text).toContain('scale StatefulSet orders-db from 1 to 0');
      expect(text).toContain('its standbys have to be made anew');
    }
    expect(await volumesNow()).toEqual(volumes);
    expect(await policyOf(volumes[0] ?? '')).toBe('Delete');
  });

  test('what would put the replicas back is found, and refused', async () => {
    const hpa = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' } as const;
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: SET };
    await apply([
      {
        ...hpa,
        metadata: { name: SET, namespace: namespace.name },
        spec: { scaleTargetRef, maxReplicas: 1 },
      } as Anything,
    ]);
    const scaled = await restore(record.id, '--dry-run');
    expect(scaled, scaled.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`scaled by HorizontalPodAutoscaler ${SET}, which leaves it alone`),
    });
    await remove(hpa, SET, namespace.name);
    const tracking = (value: string | null): Promise<void> =>
      patch(KINDS.statefulSet, SET, namespace.name, {
        metadata: { annotations: { 'argocd.argoproj.io/tracking-id': value } },
      });
    await tracking(`orders:apps/StatefulSet:${namespace.name}/${SET}`);
    const argo = await restore(record.id, '--yes');
    expect(argo).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('(workload-contested)') });
    expect(argo.stderr).toContain('argocd app set orders --sync-policy none');
    await tracking(null);
  });

  test('an account without the rights is told which', async () => {
    const args = [
      'restore',
      record.id,
      '--in-place',
      '-n',
      namespace.name,
      '--yes',
      '--kubeconfig',
      stranger.kubeconfig,
    ];
    const refused = await stillpoint(...args);
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('permission-missing') });
    expect(await begun()).toBe(0);
    expect(await volumesNow()).toEqual(volumes);
  });
});

describe('a PostgreSQL in a StatefulSet that deletes claims when scaled down', () => {
  let undo: readonly string[];

  test('rule 12: goes back to the rows of the backup; what was there is kept', async () => {
    const restored = await restore('latest', '--yes', '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const result = JSON.parse(restored.stdout);
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1000');
    const kept = result.operation.volumes.map(({ kept: { present } }: { kept: { present: string } }) => present);
    expect(await Promise.all(kept.map(volumeOf))).toEqual(volumes);
    expect(await Promise.all(volumes.map(policyOf))).toEqual(['Retain', 'Retain']);
    expect(await Promise.all((await volumesNow()).map(policyOf))).toEqual(['Delete', 'Delete']);
    for (const claim of [DATA, LOG, ...kept]) expect(await modesOf(claim)).toEqual(['ReadWriteOncePod']);
    const set = await read(KINDS.statefulSet, SET, namespace.name);
    expect(set?.spec).toMatchObject({ replicas: 1, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } });
    // A backup of the state before was taken, too.
    expect((await recordsOf(policy)).map(({ id, phase }) => [id === result.operation.saved, phase])).toEqual([
      [false, 'succeeded'],
      [true, 'succeeded'],
    ]);
    undo = result.undo.split(' ').slice(2);
  });

  test('rule 13, the other way round: it is the original again, and no copy of it', async () => {
    expect(await ask('SHOW archive_command')).toContain('/tmp/archive');
    expect(await ask('SHOW archive_timeout')).toBe('77min');
    expect(await ask('SHOW max_logical_replication_workers')).not.toBe('0');
    // On a timeline of its own: what it archives does not bear the names of what is in the archive.
    expect(await ask('SELECT pg_walfile_name(pg_current_wal_lsn())')).toMatch(/^00000002/);
    await write('INSERT INTO ledger VALUES (9999)');
    // The policy finds it as before: claims have the names that they had.
    const next = succeeded(await takeBackup(policy));
    expect(next.serverIdentity?.systemIdentifier).toBe(record.serverIdentity?.systemIdentifier);
  });

  test('--undo puts the kept volume back, and keeps the restored one', async () => {
    const restored = await volumesNow();
    // What people have set since is not set back to what there was when the restore began.
    await setWhenScaled('Retain');
    await patch(KINDS.claim, DATA, namespace.name, { metadata: { labels: { tier: 'gold' } } });
    const undone = await restore(...undo, '--yes', '-o', 'json');
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    const set = await read(KINDS.statefulSet, SET, namespace.name);
    expect(set?.spec.persistentVolumeClaimRetentionPolicy).toMatchObject({ whenScaled: 'Retain' });
    expect((await read(KINDS.claim, DATA, namespace.name))?.metadata?.labels).toMatchObject({ tier: 'gold' });
    await setWhenScaled('Delete');
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1500');
    expect(await volumesNow()).toEqual(volumes);
    const { operation } = JSON.parse(undone.stdout);
    const kept = operation.volumes.map(({ kept: each }: { kept: { restored: string } }) => each.restored);
    expect(await Promise.all(kept.map(volumeOf))).toEqual(restored);
    const twice = await restore(...undo, '--yes');
    expect(twice).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('is undone already') });
  });
});

describe('killed', () => {
  const restoring: readonly Point[] = [
    ['the journal is made', at('CREATE', 'configmaps', /^orders-db-in-place-/)],
    ['the copy is being made', at('CREATE', 'persistentvolumeclaims', /^data-orders-db-0-restored-/)],
    ['the copy was looked at', at('UPDATE', 'configmaps', /^orders-db-in-place-/)],
    ['the copy is attached', at('CREATE', 'jobs', /-attach$/)],
    ['the copy lets its claim go', at('DELETE', 'persistentvolumeclaims', /^data-orders-db-0-restored-/)],
    ['it is scaled down', scaledTo(0)],
    ['the claim lets its volume go', at('DELETE', 'persistentvolumeclaims', DATA)],
    ['the claim of the log gets its volume', at('CREATE', 'persistentvolumeclaims', LOG)],
    ['it is scaled up', scaledTo(1)],
    ['what was there is kept', at('CREATE', 'persistentvolumeclaims', /^wal-orders-db-0-before-/)],
  ];
  const undoing: readonly Point[] = [
    ['it is scaled down', scaledTo(0)],
    ['the claim gets its volume back', at('CREATE', 'persistentvolumeclaims', DATA)],
    ['what was restored is kept', at('CREATE', 'persistentvolumeclaims', /^data-orders-db-0-restored-/)],
  ];

  async function killedAt(points: readonly Point[], args: readonly string[]): Promise<void> {
    await using gate = await openGate(namespace.name);
    for (const [what, matches] of points) {
      const held = gate.hold(matches);
      const running = startStillpoint(...args);
      const stopped = await Promise.race([held, running.answer]);
      if (!('refuse' in stopped)) throw new Error(`it ended before ${what}: ${stopped.stderr}`);
      running.kill();
      const { stderr } = await running.answer;
      // Rule 10: the record would be marked, if these rights reached so far; that they do not is said, and stops nothing.
      if (what === 'the copy is being made') expect(stderr).toContain('cannot be marked as in use');
      stopped.refuse();
    }
  }

  test('it goes on where it was when it is run again, wherever it was killed; and so does the way back', {
    timeout: 600_000,
  }, async () => {
    const before = await begun();
    const args = inPlace(record.id, '--yes', '--no-backup-first');
    await killedAt(restoring, args);
    const restored = await stillpoint(...args, '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1000');
    // All of it was one restore: the first one's journal was never written.
    expect(await begun()).toBe(before + 1);
    const undo = inPlace(...JSON.parse(restored.stdout).undo.split(' ').slice(2), '--yes');
    await killedAt(undoing, undo);
    const undone = await stillpoint(...undo);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('what was restored') });
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1500');
    expect(await volumesNow()).toEqual(volumes);
  });

  test('before it was touched, undoing removes the copy alone', async () => {
    const args = inPlace(record.id, '--yes', '--no-backup-first');
    await killedAt([['it is looked at', at('CREATE', 'pods', /-server$/)]], args);
    const other = await restore('latest', '--in-place', '--undo', 'no-such');
    expect(other).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('restore-not-found') });
    const [journal] = (await list(KINDS.configMap, namespace.name, `${LABELS.component}=${COMPONENTS.inPlace}`)).filter(
      ({ data }) => /phase: (staging|checked|staged)/.test(data['operation.yaml']),
    );
    const id = journal?.metadata?.labels?.[LABELS.inPlace] ?? '';
    const undone = await restore('--undo', id);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('was not touched') });
    expect(await read(KINDS.claim, `${DATA}-restored-${id}`, namespace.name)).toBeUndefined();
    expect(await volumesNow()).toEqual(volumes);
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1500');
  });
});

describe('somebody who scales it up again meanwhile', () => {
  test('is noticed: it stops with nothing lost, and goes on when that has ended', async () => {
    // A stand-in for an operator, an autoscaler or a GitOps tool.
    await using gate = await openGate(namespace.name);
    const held = gate.hold(scaledTo(0));
    const args = ['--yes', '--no-backup-first'];
    const running = startStillpoint(...inPlace(record.id, ...args));
    const down = await Promise.race([held, running.answer]);
    if (!('allow' in down)) throw new Error(`it was never scaled down: ${down.stderr}`);
    down.allow();
    await eventually('it is scaled down', async () => (await replicasNow()) === 0);
    await patch(KINDS.statefulSet, SET, namespace.name, { spec: { replicas: 1 } });
    const stopped = await running.answer;
    expect(stopped).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('(workload-contested)') });
    expect(stopped.stderr).toMatch(/something else has scaled StatefulSet \S+ up again/);
    expect(stopped.stderr).toMatch(/no data is lost.*the same command again goes on with it.*--undo \d{14}/);
    const again = await restore(record.id, ...args, '-o', 'json');
    expect(again, again.stderr).toMatchObject({ exitCode: 0 });
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1000');
    const undone = await restore(...JSON.parse(again.stdout).undo.split(' ').slice(2), '--yes');
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await volumesNow()).toEqual(volumes);
    expect(await ask('SELECT count(*) FROM ledger')).toBe('1500');
  });
});

describe('a Redis in a Deployment', () => {
  test('goes back, and the claim keeps its labels', async () => {
    const redis = await deployRedis({ namespace: namespace.name, image: 'redis:8', name: 'cache-db' });
    await forbidEvictions(redis.name);
    const say = async (...words: readonly string[]): Promise<unknown> => {
      const client = await redis.connect();
      const answer = await client.send(...words);
      await client.end();
      return answer;
    };
    await say('SET', 'season', 'summer');
    const taken = succeeded(
      await takeBackup(
        await applyPolicyOf(RedisBackup, { ...redis, volumes: [BackupVolume.fromServerPod('data')] }, {}),
      ),
    );
    await say('SET', 'season', 'autumn');
    const restored = await restore(`${redis.name}/${taken.id}`, '--yes', '--no-backup-first', '-o', 'json');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(await say('GET', 'season')).toBe('summer');
    const claim = await read(KINDS.claim, redis.claim, namespace.name);
    expect(claim).toMatchObject({
      metadata: { labels: { team: 'shop' } },
      spec: { accessModes: ['ReadWriteOncePod'] },
    });
    const undone = await restore(...JSON.parse(restored.stdout).undo.split(' ').slice(2), '--yes');
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    await eventually('the database is as it was', async () => (await say('GET', 'season')) === 'autumn');
  });
});
