/**
 * On the cluster of the current kubeconfig: a PostgreSQL of its own in a namespace of its own, a policy from the
 * constructs, and the command line as a person uses it. All of it is removed at the end.
 *
 * The cluster has to have a CSI driver with snapshots, and a default class of each. STILLPOINT_IMAGE names an image of
 * the runner that it can pull; without it one is built here and loaded into the test cluster.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import pg from 'pg';
import { BackupSchedule, BackupVolume, PostgresBackup, Registry, SnapshotClass } from '../../src';
import { type BackupRecord, restoreNames } from '../../src/contract';
import { apply, KINDS, list, read, remove } from '../../test/e2e/harness/cluster';
import { postgresObjects, SUPERUSER_PASSWORD } from '../../test/e2e/harness/postgres';
import { eventually } from '../../test/e2e/harness/wait';
import { sqlLedger } from '../../test/ledger/sql';
import { LedgerWriter } from '../../test/ledger/writer';
import { bundleRunner } from './bundle';
import { forward } from './port-forward';
import { ROOT, runTool } from './run';
import type { Screen, Verdict } from './screen';
import { judge } from './verdict';

const ROWS_AROUND = 200;
const SERVER = 'orders-db';
const COPY = 'copy';

/** Takes a backup of a database that is being written to, restores it beside the original, and compares. */
export async function demonstrate(screen: Screen): Promise<Verdict> {
  const namespace = `stillpoint-demo-${randomBytes(3).toString('hex')}`;
  const registry = `${namespace}-registry`;
  await using cleanup = new AsyncDisposableStack();
  const bundle = cleanup.use(await screen.step('the command line is bundled', bundleRunner));
  const image = await screen.step('the image of the runner is there', runnerImage);
  // Each command knows where the demo's backups are; what it is given besides is what a person types.
  const stillpoint = async (...words: readonly string[]): Promise<string> => {
    screen.command(['stillpoint', ...words]);
    return await runTool(bundle.stillpoint, [...words, '-n', namespace, '--registry', registry]);
  };

  const shared = registryObjects(registry, image);
  cleanup.defer(() => removeAll([...shared].reverse()));
  await apply(shared);
  cleanup.defer(() => remove(KINDS.namespace, namespace));
  await apply([{ ...KINDS.namespace, metadata: { name: namespace } }]);
  await screen.step('PostgreSQL 17 is up in a StatefulSet', () => startServer(namespace));
  const policy = policyObjects(namespace, registry, image);
  cleanup.defer(() => removeAll(policy));
  await screen.step(`the policy is applied: ${policy.length} objects`, () => apply(policy));

  const original = cleanup.use(await forward(namespace, `${SERVER}-0`, 5432));
  const ledger = await LedgerWriter.start({ connect: async () => sqlLedger(await connectTo(original.port)) });
  cleanup.defer(() => ledger.stop());
  await screen.step(`two clients commit rows all the time: ${ROWS_AROUND} so far`, () => ledger.more(ROWS_AROUND));

  // Clocks of a cluster are not ours: what was acknowledged before the command, and begun after it, is known all the same.
  const firstAsked = performance.now();
  cleanup.defer(async () => {
    // `stillpoint delete` keeps the last good backup of a database; deleting its record says that one means it.
    for (const { metadata } of await list(KINDS.configMap, registry)) {
      await remove(KINDS.configMap, metadata?.name ?? '', registry);
    }
    await stillpoint('prune');
  });
  await screen.step('a backup is taken meanwhile', () => stillpoint('backup', SERVER, '--wait'));
  const lastSeen = performance.now();
  await ledger.more(ROWS_AROUND);
  await ledger.stop();
  const record = JSON.parse(await stillpoint('describe', 'latest', '-o', 'json')) as BackupRecord;

  cleanup.defer(async () => void (await stillpoint('restore', '--undo', COPY)));
  cleanup.defer(() => remove(KINDS.pod, restoreNames(COPY).server, namespace));
  const restored = await screen.step('it is restored beside the original, and a server runs on the copy', async () => {
    await stillpoint('restore', 'latest', '--claim', COPY, '--start', '--keep');
    await using copy = await forward(namespace, restoreNames(COPY).server, 5432);
    const client = await connectTo(copy.port);
    return await sqlLedger(client)
      .numbers()
      .finally(() => client.end());
  });
  return judge(record, ledger, restored, { firstAsked, lastSeen });
}

async function runnerImage(): Promise<string> {
  const given = process.env.STILLPOINT_IMAGE;
  if (given !== undefined) return given;
  return (await runTool(join(ROOT, 'scripts', 'image.mjs'), ['--tag', 'content'])).trim();
}

function registryObjects(name: string, image: string): ReturnType<Chart['toJson']> {
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry', { namespaceName: name, image });
  return chart.toJson();
}

function policyObjects(namespace: string, registry: string, image: string): ReturnType<Chart['toJson']> {
  const chart = new Chart(Testing.app(), 'policy', { namespace });
  new PostgresBackup(chart, SERVER, {
    host: SERVER,
    credentials: Secret.fromSecretName(chart, 'login', `${SERVER}-backup`),
    volumes: [BackupVolume.fromClaimName(`data-${SERVER}-0`)],
    snapshotClass: SnapshotClass.fromClusterDefault(),
    schedule: BackupSchedule.daily({ hour: 2 }),
    registry: Registry.fromNamespace(registry),
    image,
  });
  return chart.toJson();
}

async function startServer(namespace: string): Promise<void> {
  await apply(postgresObjects({ namespace, name: SERVER, version: '17' }));
  const ready = async (): Promise<boolean> => {
    const pod = await read(KINDS.pod, `${SERVER}-0`, namespace);
    const conditions: readonly { readonly type: string; readonly status: string }[] = pod?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  };
  await eventually(`pod ${SERVER}-0 is ready`, ready, { seconds: 300 });
}

async function connectTo(port: number): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password: SUPERUSER_PASSWORD,
    database: 'postgres',
    ssl: false,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function removeAll(objects: ReturnType<Chart['toJson']>): Promise<void> {
  for (const object of objects) await remove(object, object.metadata.name, object.metadata.namespace);
}
