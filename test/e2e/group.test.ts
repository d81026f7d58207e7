/**
 * A group: PostgreSQL, MariaDB, Redis and a plain volume in one backup. Amounts move through the three databases all the
 * time; only copies of one instant have no credit without its debit.
 */
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  type BackupGroupProps,
  BackupVolume,
  MySqlMember,
  PostgresMember,
  RedisMember,
  VolumeMember,
} from 'stillpoint';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { shortTime } from '../../runner/output/duration';
import { ANNOTATIONS, type BackupRecord, LABELS } from '../../src/contract';
import type { SqlClient } from '../ledger/sql';
import { compareStations, type Station, type StationClient, TransferWriter } from '../ledger/transfers';
import { LEDGER_RUNS } from '../support/soak';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { apply, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { forget, nthPod, startBackup } from './harness/job';
import { startMySql, startMySqlOnClaims, type TestMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { type TestPolicy, usualProps } from './harness/policy';
import { startOnClaims, startPostgres, type TestPostgres } from './harness/postgres';
import { type RedisClient, startRedis, startRedisOnClaim, type TestRedis } from './harness/redis';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

const PAUSED = { budget: Duration.seconds(8) };

let namespace: TestNamespace;
let orders: TestPostgres;
let accounts: TestMySql;
let cache: TestRedis;
let stations: readonly Station[];

beforeAll(async () => {
  namespace = await makeNamespace('group');
  const { name } = namespace;
  [orders, accounts, cache] = await Promise.all([
    startPostgres({ namespace: name, version: '17' }),
    startMySql({ namespace: name, image: 'mariadb:11.8' }),
    startRedis({ namespace: name, image: 'redis:8' }),
    apply([
      {
        ...KINDS.claim,
        metadata: { name: 'uploads', namespace: name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
      } as object,
    ]),
  ]);
  stations = [
    { name: 'orders', connect: async () => sqlStation(await orders.connect()) },
    { name: 'accounts', connect: async () => sqlStation(await accounts.connect()) },
    { name: 'cache', connect: async () => redisStation(await cache.connect()) },
  ];
});
afterAll(() => namespace[Symbol.asyncDispose]());

function sqlStation(client: SqlClient): StationClient {
  return {
    prepare: async () => {
      await client.query('DROP TABLE IF EXISTS transfers');
      await client.query('CREATE TABLE transfers (number bigint PRIMARY KEY)');
    },
    add: async (number) => void (await client.query(`INSERT INTO transfers VALUES (${number})`)),
    numbers: async () => (await client.query('SELECT number FROM transfers')).rows.map(({ number }) => Number(number)),
    end: () => client.end(),
  };
}

function redisStation(client: RedisClient): StationClient {
  return {
    prepare: async () => void (await client.send('FLUSHALL')),
    add: async (number) => void (await client.send('SADD', 'transfers', `${number}`)),
    numbers: async () => ((await client.send('SMEMBERS', 'transfers')) as readonly string[]).map(Number),
    end: () => client.end(),
  };
}

/** Makes the group's policy as a user writes it. */
async function applyGroup(
  id: string,
  { asGroup, ...props }: Partial<BackupGroupProps> & { readonly asGroup?: boolean } = {},
): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: namespace.name });
  const member = ({ name, credentials }: { readonly name: string; readonly credentials: string }) => ({
    host: name,
    credentials: Secret.fromSecretName(chart, `${name}-login`, credentials),
    volumes: [BackupVolume.fromServerPod('data')],
  });
  const group = new BackupGroup(chart, id, {
    members: [
      new PostgresMember('orders', member(orders)),
      new MySqlMember('accounts', member(accounts)),
      new RedisMember('cache', member(cache)),
      new VolumeMember('uploads', { volumes: [BackupVolume.fromClaimName('uploads')] }),
    ],
    ...usualProps({ asGroup }),
    ...props,
  });
  await apply(chart.toJson());
  return { name: group.policyName, namespace: namespace.name, database: group.databaseName };
}

async function startTransfers(): Promise<TransferWriter> {
  const writer = await TransferWriter.start(stations);
  onTestFinished(() => writer.stop().catch(() => undefined));
  await writer.more(50);
  return writer;
}

/** What is held at any of the three. */
async function held(): Promise<readonly string[]> {
  const found: string[] = [];
  const pg = await orders.connect();
  const locks = await pg.query("SELECT 1 FROM pg_locks WHERE mode = 'ShareLock' AND locktype = 'relation' AND granted");
  if (locks.rows.length > 0) found.push(`${locks.rows.length} tables are locked`);
  await pg.end();
  const redis = await cache.connect();
  const [, policy] = (await redis.send('CONFIG', 'GET', 'auto-aof-rewrite-percentage')) as readonly string[];
  if (policy !== '100') found.push(`auto-aof-rewrite-percentage is ${policy}`);
  await redis.end();
  return found;
}

/** Restores the group at once, and starts servers of the user's own on the copies: what each of them has. */
async function restoredNumbers(record: BackupRecord, more: readonly string[]): Promise<readonly (readonly number[])[]> {
  const name = uniqueName('copy');
  const restored = await stillpoint(
    'restore',
    `${record.namespace}/${record.database}/${record.id}`,
    '--claim',
    name,
    ...more,
  );
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const at = { namespace: namespace.name };
  const claim = (member: string): string => `${name}-data-${member}`;
  expect(await read(KINDS.claim, claim('uploads'), namespace.name)).toBeDefined();
  const copies = await Promise.all([
    startOnClaims({ ...at, name: `${name}-orders`, image: orders.image }, { data: claim('orders') }).then(sqlStation),
    startMySqlOnClaims({ ...at, name: `${name}-accounts`, image: accounts.image }, { data: claim('accounts') }).then(
      sqlStation,
    ),
    startRedisOnClaim({ ...at, name: `${name}-cache`, image: cache.image }, claim('cache')).then(redisStation),
  ]);
  const numbers = await Promise.all(copies.map((copy) => copy.numbers().finally(() => copy.end())));
  for (const member of ['orders', 'accounts', 'cache']) await remove(KINDS.pod, `${name}-${member}`, namespace.name);
  return numbers;
}

/** Policies by which runs are taken: of all volumes each by its own, and of all of them at one instant. */
async function policiesOfRuns(): Promise<(run: number) => TestPolicy> {
  const own = await applyGroup('shop');
  const claims = [orders.claims.data, accounts.claims.data, cache.claims.data, 'uploads'];
  for (const claim of claims) {
    await patch(KINDS.claim, claim, namespace.name, { metadata: { labels: { 'cut-with': 'shop' } } });
  }
  const together = await applyGroup('together', { asGroup: true, database: 'shop' });
  return (run) => (run === 1 ? together : own);
}

/** The spread is from the first cut that was seen to the last, and told. */
async function expectSpread(record: BackupRecord, atOnce: boolean): Promise<void> {
  const seen = record.cuts.map(({ seenAt }) => Date.parse(seenAt));
  expect(record.spreadMs).toBe(Math.max(...seen) - Math.min(...seen));
  // One group snapshot is seen at one instant; four of their own are not.
  if (!atOnce) expect(record.spreadMs).toBeGreaterThan(0);
  const { stdout } = await stillpoint('describe', `${record.namespace}/${record.database}/${record.id}`);
  expect(stdout).toContain(` ${shortTime(record.spreadMs ?? 0)} from the first cut seen to the last\n`);
}

/** What each snapshot of a group says of itself, as in seed 002. */
async function expectMarks(record: BackupRecord): Promise<void> {
  expect(record.cuts).toHaveLength(4);
  for (const { volume, snapshot } of record.cuts) {
    const of = record.volumes.find(({ name }) => name === volume)?.member;
    const { engine, serverVersion, position = {} } = record.members?.find(({ name }) => name === of) ?? {};
    const { labels, annotations } = (await read(KINDS.snapshot, snapshot, namespace.name))?.metadata ?? {};
    expect(labels).toMatchObject({
      [LABELS.batch]: record.id,
      [LABELS.group]: record.policy,
      [LABELS.engine]: engine,
      [LABELS.type]: engine === 'volume' ? 'crash-consistent' : 'application-consistent',
    });
    // A plain volume has none of its own, and names those of all the group.
    if (engine !== 'volume') expect(annotations?.[ANNOTATIONS.serverVersion]).toBe(serverVersion);
    expect(annotations?.[ANNOTATIONS.binlogFile]).toBe(position.binlogFile);
    expect(annotations?.[ANNOTATIONS.binlogPosition]).toBe(position.binlogPosition);
    if (engine === 'mysql') expect(position.binlogFile).toMatch(/\.\d{6}$/);
  }
}

describe('a group', () => {
  test('rule 2: is refused with the role to grant where PostgreSQL would not let its tables be locked', async () => {
    const writer = await startTransfers();
    await writer.stop();
    const { record } = await attemptBackup(await applyGroup('refused'));
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'privilege-missing' } });
    expect(record?.error?.message).toMatch(/user stillpoint may not lock table public\.transfers/);
    expect(record?.error?.hint).toBe('as a superuser: GRANT pg_maintain TO "stillpoint"');
    expect(record?.plannedSnapshots).toBeUndefined();
    const admin = await orders.connect();
    await admin.query('GRANT pg_maintain TO stillpoint');
    await admin.end();
  });

  test(
    `in ${LEDGER_RUNS} of ${LEDGER_RUNS} restores no credit lacks its debit, and only what was on its way has stopped`,
    async () => {
      const policyOf = await policiesOfRuns();
      for (let run = 0; run < LEDGER_RUNS; run++) {
        const writer = await startTransfers();
        const record = succeeded(await takeBackup(policyOf(run)));
        await writer.more(20);
        await writer.stop();
        expect(record).toMatchObject({ engine: 'group', freezes: 'writes', proof: { holds: true } });
        expect(record.members?.map(({ name, engine }) => `${name} ${engine}`)).toEqual([
          'orders postgres',
          'accounts mysql',
          'cache redis',
          'uploads volume',
        ]);
        expect(record.members?.find(({ name }) => name === 'orders')?.statement).toMatch(
          /every database one session held all tables locked .* sequences, large objects and tables made meanwhile are not/,
        );
        const { firstAsked = '', lastCutSeen = '' } = record.times;
        for (const { engine, frozen, thawed } of record.members ?? []) {
          if (engine === 'volume') continue;
          expect(Date.parse(frozen ?? '')).toBeLessThanOrEqual(Date.parse(firstAsked));
          expect(Date.parse(thawed ?? '')).toBeGreaterThanOrEqual(Date.parse(lastCutSeen));
        }
        expect(record.spreadMs).toBeLessThanOrEqual(record.freezeWindowMs ?? 0);
        await expectSpread(record, run === 1);
        expect(new Set(record.cuts.map(({ groupUid }) => groupUid))).toHaveProperty('size', 1);
        expect(record.cuts[0]?.groupUid !== undefined).toBe(run === 1);
        await expectMarks(record);
        expect(await held()).toEqual([]);
        const cuts = { firstAsked: Date.parse(firstAsked), lastSeen: Date.parse(lastCutSeen) };
        // Once with the servers that the restore itself starts and looks at.
        const numbers = await restoredNumbers(record, run === 0 ? ['--start'] : []);
        const verdicts = [0, 1].map((at) =>
          compareStations(writer.transfers, [at, numbers[at] ?? [], numbers[at + 1] ?? []], cuts),
        );
        for (const verdict of verdicts) {
          expect(verdict).toMatchObject({ withoutDebit: [], lost: [], notOnItsWay: [], missed: [] });
        }
        process.stdout.write(
          `    run ${run + 1}: held ${record.freezeWindowMs} ms (${record.members?.map(({ name, freezeWindowMs: ms }) => `${name} ${ms ?? '-'}`).join(', ')}), spread ${record.spreadMs} ms, ${numbers.map((each) => each.length).join(' / ')} transfers, on their way ${verdicts.map(({ inFlight }) => inFlight).join(' and ')}\n`,
        );
      }
      const listed = await stillpoint('list', 'shop', '-n', namespace.name, '-o', 'name');
      expect(listed.stdout.trim().split('\n')).toHaveLength(LEDGER_RUNS);
    },
    LEDGER_RUNS * 180_000 + 120_000,
  );

  test('rule 4: where one member does not let itself be frozen, none stays frozen, and nothing was cut', async () => {
    const policy = await applyGroup('busy');
    const writer = await startTransfers();
    const open = await accounts.connect();
    onTestFinished(async () => void (await open.end()));
    await open.query('CREATE TABLE IF NOT EXISTS slow (n int)');
    // MariaDB's commits wait for a backup stage of somebody else.
    await open.query('BACKUP STAGE START');
    const from = Date.now();
    const { record } = await attemptBackup(policy);
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'freeze-timeout' } });
    expect(record?.error?.message).toMatch(/^accounts: /);
    expect(record?.cuts).toEqual([]);
    await writer.more(20);
    process.stdout.write(`    one busy: stall ${writer.longestStallMs(from)} ms\n`);
    await open.query('BACKUP STAGE END');
    expect(await held()).toEqual([]);
    expect(await list(KINDS.snapshot, namespace.name, `stillpoint.dev/database=${policy.database}`)).toEqual([]);
  });

  test('rule 8: when the runner is killed, all members go on in time', async () => {
    const policy = await applyGroup('killed', PAUSED);
    const writer = await startTransfers();
    await using gate = await openGate(namespace.name);
    const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const from = Date.now();
    const job = await startBackup(policy);
    const { refuse } = await asked;
    expect(await held()).not.toEqual([]);
    const runner = await runnerProcess(await nthPod(job), namespace.name);
    runner.kill();
    await writer.more(30);
    const stall = writer.longestStallMs(from);
    expect(stall).toBeLessThan((8 + 5) * 1000);
    await eventually('nothing is held', async () => (await held()).length === 0, { seconds: 15 });
    process.stdout.write(`    killed: stall ${stall} ms\n`);
    refuse();
    await forget(job);
  });
});
