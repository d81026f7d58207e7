/** Running copies beside the original: of each engine that has them, and what keeps them apart from it. */
import { Chart, Testing } from 'cdk8s';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { Registry, ScheduledClone } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CloneResult } from '../../runner/commands/clone';
import { type BackupRecord, LABELS } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, create, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { jobEnd, nthPod, podEnd, startBackup } from './harness/job';
import { startMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { NEVER } from './harness/never';
import { applyMySqlPolicy, applyPolicy, applyRedisPolicy, type TestPolicy } from './harness/policy';
import { SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from './harness/postgres';
import { usersOf } from './harness/records';
import { connectRedis, infoOf, startRedis } from './harness/redis';
import { type Answer, startStillpoint, stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

const ROWS = 2345;

const CLONE_KINDS = {
  service: { apiVersion: 'v1', kind: 'Service' },
  secret: { apiVersion: 'v1', kind: 'Secret' },
  networkPolicy: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
  endpoints: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
} as const;

let shop: TestNamespace;
let staging: TestNamespace;
let server: TestPostgres;
let policy: TestPolicy;
let record: BackupRecord;

beforeAll(async () => {
  [shop, staging] = [await makeNamespace('shop'), await makeNamespace('staging')];
  // Arguments of the original's that a copy must not have.
  const settings = ['archive_mode=on', 'archive_command=false'];
  server = await startPostgres({ namespace: shop.name, version: '17', separateWal: true, settings });
  const client = await server.connect();
  await client.query(
    `CREATE TABLE ledger AS SELECT n AS number, 'of ' || n AS name FROM generate_series(1, ${ROWS}) n`,
  );
  await client.end();
  policy = await applyPolicy(server, { separateWal: true } as object);
  record = succeeded(await takeBackup(policy));
});

afterAll(async () => {
  await staging[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

function clone(...args: readonly string[]): Promise<Answer> {
  return stillpoint('clone', ...args, '--timeout', '4m');
}

/** Everything that a clone is made of, as `Pod copy-0`. */
async function madeOf(name: string, namespace: string): Promise<readonly string[]> {
  const { service, secret, networkPolicy } = CLONE_KINDS;
  const kinds = [KINDS.statefulSet, KINDS.pod, KINDS.job, KINDS.claim, KINDS.snapshot, KINDS.configMap];
  const selectors = [`${LABELS.clone}=${name}`, `${LABELS.restore}=${name}`];
  const found = await Promise.all(
    [...kinds, service, secret, networkPolicy].flatMap((kind) =>
      selectors.map(async (selector) =>
        (await list(kind, namespace, selector)).map(({ metadata }) => `${kind.kind} ${metadata?.name}`),
      ),
    ),
  );
  const contents = (await list(KINDS.snapshotContent, undefined, selectors[1])).filter(
    ({ spec }) => spec.volumeSnapshotRef.namespace === namespace,
  );
  return [...new Set([...found.flat(), ...contents.map(({ metadata }) => `Content ${metadata?.name}`)])].sort();
}

/** What must stay as it is of the original: its pod, its claims, and whom its Service leads to. */
async function original(): Promise<object> {
  const slices = await list(CLONE_KINDS.endpoints, shop.name, `kubernetes.io/service-name=${server.name}`);
  const uidOf = async (kind: typeof KINDS.pod | typeof KINDS.claim, name: string): Promise<unknown> =>
    (await read(kind, name, shop.name))?.metadata?.uid;
  return {
    pod: await uidOf(KINDS.pod, server.pod),
    claims: [await uidOf(KINDS.claim, server.claims.data), await uidOf(KINDS.claim, server.claims.wal ?? '')],
    endpoints: slices.flatMap(({ endpoints }) => endpoints.map(({ targetRef }: Anything) => targetRef.name)),
  };
}

async function passwordOf(name: string, namespace: string): Promise<string> {
  const secret = await read(CLONE_KINDS.secret, name, namespace);
  return Buffer.from(secret?.data.password, 'base64').toString();
}

/** A session as the administrator, at the pod of a clone. */
async function connect(name: string, namespace: string, password?: string): Promise<pg.Client> {
  const host = (await read(KINDS.pod, `${name}-0`, namespace))?.status.podIP;
  const own = password ?? (await passwordOf(`${name}-clone`, namespace));
  const client = new pg.Client({ host, user: 'postgres', password: own, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function ask<T extends object>(name: string, namespace: string, sql: string): Promise<T | undefined> {
  const client = await connect(name, namespace);
  try {
    return (await client.query<T>(sql)).rows[0];
  } finally {
    await client.end();
  }
}

async function scripts(name: string, namespace: string, data: Readonly<Record<string, string>>): Promise<void> {
  await apply([{ ...KINDS.configMap, metadata: { name, namespace }, data } as Anything]);
}

describe('a clone beside the original', () => {
  test('of a backup that is taken for it: every row, a login of its own, and nothing of the original’s', async () => {
    const before = await original();
    const answer = await clone(`${policy.name}/now`, '-n', shop.name, '--to', 'copy', '--workload', '-o', 'json');
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    const result = JSON.parse(answer.stdout) as CloneResult;
    expect(result).toMatchObject({
      clone: 'copy',
      namespace: shop.name,
      claims: [
        { volume: 'data', claim: 'copy-data' },
        { volume: 'log', claim: 'copy-log' },
      ],
      server: { host: `copy.${shop.name}.svc`, port: 5432, username: 'postgres', secret: 'copy-clone' },
    });
    expect(result.backup.id).not.toBe(record.id);
    expect(await ask('copy', shop.name, 'SELECT count(*)::int AS rows FROM ledger')).toEqual({ rows: ROWS });
    await expect(connect('copy', shop.name, SUPERUSER_PASSWORD)).rejects.toThrow(/password authentication failed/);
    expect(await original()).toEqual(before);
  });

  test('rule 13: it archives nothing, replicates nothing, and is let out nowhere', async () => {
    expect(await ask('copy', shop.name, 'SHOW archive_mode')).toEqual({ archive_mode: 'off' });
    expect(await ask('copy', shop.name, 'SHOW max_logical_replication_workers')).toEqual({
      max_logical_replication_workers: '0',
    });
    const walls = await read(CLONE_KINDS.networkPolicy, 'copy-clone', shop.name);
    expect(walls?.spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [{ ports: [{ port: 53 }, { port: 53 }] }],
    });
    const pod = await read(KINDS.pod, 'copy-0', shop.name);
    expect(pod?.metadata?.labels).not.toHaveProperty('app');
    expect(pod?.spec).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
  });

  test('what is written to it does not come to the original', async () => {
    await ask('copy', shop.name, 'DELETE FROM ledger');
    const client = await server.connect();
    const { rows } = await client.query('SELECT count(*)::int AS rows FROM ledger');
    await client.end();
    expect(rows).toEqual([{ rows: ROWS }]);
    expect(await ask('copy', shop.name, 'SELECT count(*)::int AS rows FROM ledger')).toEqual({ rows: 0 });
  });

  test('outlives its pod, and is listed', async () => {
    const { uid } = (await read(KINDS.pod, 'copy-0', shop.name))?.metadata ?? {};
    await remove(KINDS.pod, 'copy-0', shop.name);
    await eventually(
      'another pod is ready',
      async () => {
        const pod = await read(KINDS.pod, 'copy-0', shop.name);
        const ready = pod?.status?.conditions?.some(
          (each: Anything) => each.type === 'Ready' && each.status === 'True',
        );
        return pod?.metadata?.uid !== uid && ready === true;
      },
      { seconds: 90 },
    );
    expect(await ask('copy', shop.name, 'SELECT count(*)::int AS rows FROM ledger')).toEqual({ rows: 0 });
    const listed = await stillpoint('clone', '--list', '-n', shop.name);
    expect(listed.stdout).toMatch(new RegExp(`copy +${shop.name}/orders-db/\\d{14} +ready +yes`));
  });

  test('rule 12: another one of its name is refused, and so is a name that somebody else has', async () => {
    const again = await clone('latest', '-n', shop.name, '--to', 'copy', '--workload');
    expect(again).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/there is a clone \S+\/copy already.*clone-exists/s),
    });
    const taken = await clone('latest', '-n', shop.name, '--to', server.name, '--workload');
    expect(taken).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/is there already, and is not overwritten.*clone-exists/s),
    });
    expect(await madeOf(server.name, shop.name)).toEqual([]);
  });

  test('is removed only when nobody else uses it, and then without a trace; the original stays', async () => {
    const before = await original();
    const made = await madeOf('copy', shop.name);
    expect(made).toContain('StatefulSet copy');
    const user = uniqueName('user');
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'copy-data' } }];
    const containers = [{ name: 'user', image: 'node:24', command: ['node', '-e', 'setInterval(() => {}, 1e6)'] }];
    const terminationGracePeriodSeconds = 0;
    await create({
      ...KINDS.pod,
      metadata: { name: user, namespace: shop.name },
      spec: { containers, volumes, terminationGracePeriodSeconds },
    } as Anything);
    const refused = await stillpoint('clone', '--undo', 'copy', '-n', shop.name);
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining(`is in use by pod ${user}`) });
    expect(await madeOf('copy', shop.name)).toEqual(made);
    await remove(KINDS.pod, user, shop.name);
    await eventually('the pod is gone', async () => (await read(KINDS.pod, user, shop.name)) === undefined);
    const undone = await stillpoint('clone', '--undo', 'copy', '-n', shop.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await madeOf('copy', shop.name)).toEqual([]);
    expect(await original()).toEqual(before);
    const twice = await stillpoint('clone', '--undo', 'copy', '-n', shop.name);
    expect(twice).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('clone-not-found') });
    const foreign = await stillpoint('clone', '--undo', server.name, '-n', shop.name);
    expect(foreign).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('clone-not-found') });
    expect(await original()).toEqual(before);
  });

  test('is refused where a Service would take it for one of its own', async () => {
    const spec = { selector: { 'app.kubernetes.io/managed-by': 'stillpoint' }, ports: [{ port: 5432 }] };
    await create({ ...CLONE_KINDS.service, metadata: { name: 'greedy', namespace: shop.name }, spec } as Anything);
    const answer = await clone('latest', '-n', shop.name, '--to', 'caught', '--workload');
    expect(answer).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/Service greedy would send its clients to the clone.*clone-not-isolated/s),
    });
    expect(await madeOf('caught', shop.name)).toEqual([]);
    await remove(CLONE_KINDS.service, 'greedy', shop.name);
  });
});

describe('clones on a schedule', () => {
  test('are made by an account of their own, and each replaces the one before', async () => {
    const chart = new Chart(Testing.app(), 'staging', { namespace: staging.name });
    const schedule = NEVER;
    const { cronJobName } = new ScheduledClone(chart, 'morning', {
      ...{ database: 'orders-db', databaseNamespace: shop.name, schedule, image: thisRun.image },
      scripts: { 'names.sql': "UPDATE ledger SET name = 'masked';" },
      registry: Registry.fromNamespace(thisRun.registry, 0),
    });
    await apply(chart.toJson());
    const run = async (): Promise<string> => {
      const job = await startBackup({ name: cronJobName, namespace: staging.name });
      const end = podEnd(await nthPod(job), staging.name, 240);
      expect(await jobEnd(job), JSON.stringify((await end).log)).toBe('Complete');
      const lead = (await read(CLONE_KINDS.service, 'morning', staging.name))?.spec.selector[LABELS.clone];
      // The generation of a Job's clone is of the Job, so that its second pod goes on with it.
      expect(lead).toBe(`morning-${job.uid.slice(0, 8)}`);
      return lead;
    };
    const first = await run();
    const second = await run();
    const masked = "SELECT count(*)::int AS rows, count(*) FILTER (WHERE name = 'masked')::int AS masked FROM ledger";
    expect(await ask(second, staging.name, masked)).toEqual({ rows: ROWS, masked: ROWS });
    expect(await madeOf(first, staging.name)).toEqual([]);
    await stillpoint('clone', '--undo', 'morning', '--to-namespace', staging.name);
  });
});

describe('a clone in another namespace', () => {
  const backup = (): string => `${shop.name}/orders-db/${record.id}`;
  const into = (...args: readonly string[]): Promise<Answer> =>
    clone(backup(), '--to-namespace', staging.name, ...args);

  test('stays closed when a script fails, and is opened when that is mended and the same command is run again', async () => {
    await scripts('masking', staging.name, {
      '10-names.sql': "UPDATE ledger SET name = 'masked'; CREATE TABLE masked ();",
      '20-broken.sql': 'UPDATE no_such_table SET a = 1;',
    });
    const failed = await into('--to', 'masked', '--workload', '--scripts', 'masking');
    expect(failed).toMatchObject({
      exitCode: 7,
      stderr: expect.stringMatching(
        /script 20-broken.sql failed, and the clone stays closed: .*no_such_table.*clone-script-failed/s,
      ),
    });
    expect(await madeOf('masked', staging.name)).not.toContain('StatefulSet masked');
    await scripts('masking', staging.name, { '10-names.sql': "UPDATE ledger SET name = 'masked';" });
    await patch(KINDS.configMap, 'masking', staging.name, { data: { '20-broken.sql': null } });
    const mended = await into('--to', 'masked', '--workload', '--scripts', 'masking');
    expect(mended, mended.stderr).toMatchObject({ exitCode: 0 });
    const masked = "SELECT count(*)::int AS rows, count(*) FILTER (WHERE name = 'masked')::int AS masked FROM ledger";
    expect(await ask('masked', staging.name, masked)).toEqual({ rows: ROWS, masked: ROWS });
    const undone = await stillpoint('clone', '--undo', 'masked', '--to-namespace', staging.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await madeOf('masked', staging.name)).toEqual([]);
  });

  test('needs the scripts that it was promised', async () => {
    const answer = await into('--to', 'bare', '--workload', '--scripts', 'no-such');
    expect(answer).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/there is no ConfigMap \S+\/no-such/) });
    expect(await madeOf('bare', staging.name)).toEqual([]);
  });

  test('replaces the one before only when it is ready itself', async () => {
    const series = ['--to', 'nightly', '--workload', '--replace'];
    const first = await into(...series, '-o', 'name');
    expect(first, first.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^nightly-[0-9a-f]{8}\n$/),
    });
    const one = first.stdout.trim();
    const leadsTo = async (): Promise<unknown> =>
      (await read(CLONE_KINDS.service, 'nightly', staging.name))?.spec.selector[LABELS.clone];
    expect(await leadsTo()).toBe(one);

    await scripts('broken', staging.name, { 'broken.sql': 'SELECT no_such_column;' });
    const failed = await into(...series, '--scripts', 'broken');
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('clone-script-failed') });
    expect(await leadsTo()).toBe(one);
    expect(await ask(one, staging.name, 'SELECT count(*)::int AS rows FROM ledger')).toEqual({ rows: ROWS });

    const second = await into(...series, '-o', 'json');
    expect(second, second.stderr).toMatchObject({ exitCode: 0 });
    const result = JSON.parse(second.stdout) as CloneResult;
    // The one that failed goes as well.
    expect(result.replaced).toHaveLength(2);
    expect(result.replaced).toContain(one);
    expect(await leadsTo()).toBe(result.clone);
    for (const name of result.replaced) expect(await madeOf(name, staging.name)).toEqual([]);
    const undone = await stillpoint('clone', '--undo', 'nightly', '--to-namespace', staging.name);
    expect(undone, undone.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`Service ${staging.name}/nightly removed`),
    });
    expect(await madeOf(result.clone, staging.name)).toEqual([]);
  });

  test('that was killed goes on where it was, and its scripts run once', async () => {
    await scripts('once', staging.name, { 'once.sql': 'CREATE TABLE once ();' });
    const args = [
      'clone',
      backup(),
      '--to-namespace',
      staging.name,
      '--to',
      'phoenix',
      '--workload',
      '--scripts',
      'once',
    ];
    await using gate = await openGate(staging.name);
    // Its scripts have run, and that is written down.
    const held = gate.hold(({ operation, resource, name }) => {
      return operation === 'CREATE' && resource === 'statefulsets' && name === 'phoenix';
    });
    const running = startStillpoint(...args);
    const write = await Promise.race([held, running.answer]);
    if (!('refuse' in write)) throw new Error(`it ended before its server was made: ${write.stderr}`);
    // Rule 10: as long as it is at work, nobody removes its backup.
    expect(await usersOf(record)).toContain('clone phoenix');
    running.kill();
    await running.answer;
    write.refuse();
    const atLast = await stillpoint(...args);
    expect(atLast, atLast.stderr).toMatchObject({ exitCode: 0 });
    expect(await ask('phoenix', staging.name, 'SELECT count(*)::int AS rows FROM ledger')).toEqual({ rows: ROWS });
    await stillpoint('clone', '--undo', 'phoenix', '--to-namespace', staging.name);
  });
});

/** What a test of another engine has to say: a server with data, a policy, scripts, and what is seen on the copy. */
interface Other {
  readonly title: string;
  readonly name: string;
  readonly script: string;
  readonly start: (namespace: string) => Promise<{ readonly policy: TestPolicy; readonly pod: string }>;
  /** What the administrator of the copy sees, by the address and the password. */
  readonly seen: (host: string, password: string) => Promise<unknown>;
  readonly expected: unknown;
}

const OTHERS: readonly Other[] = [
  {
    title: 'MariaDB',
    name: 'accounts-db',
    script: "UPDATE books.people SET name = 'masked';\nCREATE TABLE books.opened (a int PRIMARY KEY);\n",
    start: async (namespace) => {
      const maria = await startMySql({ namespace, image: 'mariadb:11.8' });
      const client = await maria.connect();
      await client.query('CREATE TABLE books.people (name varchar(20))');
      await client.query("INSERT INTO books.people VALUES ('Ada'), ('Grace')");
      await client.end();
      return { policy: await applyMySqlPolicy(maria), pod: maria.pod };
    },
    seen: async (host, password) => {
      const client = await createConnection({ host, user: 'stillpoint_clone', password });
      const [people] = await client.query('SELECT name FROM books.people');
      const [[settings]] = (await client.query('SELECT @@event_scheduler AS events')) as unknown as [[object]];
      await client.end();
      return { people, settings };
    },
    expected: { people: [{ name: 'masked' }, { name: 'masked' }], settings: { events: 'OFF' } },
  },
  {
    title: 'Redis, with dumps',
    name: 'sessions-db',
    script: '# what is not to be seen\nSET name "nobody at all"\n',
    start: async (namespace) => {
      const sessions = await startRedis({ namespace, image: 'redis:8', appendOnly: false });
      const client = await sessions.connect();
      await client.send('MSET', 'name', 'Ada', 'other', 'kept');
      await client.end();
      return { policy: await applyRedisPolicy(sessions), pod: sessions.pod };
    },
    seen: async (host, password) => {
      const client = await connectRedis(host, password);
      const values = await client.send('MGET', 'name', 'other');
      const { role } = await infoOf(client);
      await client.end();
      await expect(connectRedis(host, 'another')).rejects.toThrow();
      return { values, role };
    },
    expected: { values: ['nobody at all', 'kept'], role: 'master' },
  },
];

describe.each(OTHERS)('a clone of $title', ({ name, script, start, seen, expected }) => {
  test('has the data, what the script made of it, and a login of its own; undone, it leaves nothing', async () => {
    await using namespace = await makeNamespace(`clone-${name}`);
    const { policy: other, pod } = await start(namespace.name);
    succeeded(await takeBackup(other));
    const uid = (await read(KINDS.pod, pod, namespace.name))?.metadata?.uid;
    await scripts('masking', namespace.name, { 'masking.txt': script });
    const answer = await clone('latest', '-n', namespace.name, '--to', 'copy', '--workload', '--scripts', 'masking');
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('clone --undo copy') });
    const host = (await read(KINDS.pod, 'copy-0', namespace.name))?.status.podIP;
    const password = await passwordOf('copy-clone', namespace.name);
    expect(await seen(host, password)).toEqual(expected);
    expect(answer.stdout + answer.stderr).not.toContain(password);
    const undone = await stillpoint('clone', '--undo', 'copy', '-n', namespace.name);
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    expect(await madeOf('copy', namespace.name)).toEqual([]);
    expect((await read(KINDS.pod, pod, namespace.name))?.metadata?.uid).toBe(uid);
  });
});
