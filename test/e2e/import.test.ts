/**
 * Backups on their way between clusters. Two namespaces with a registry each stand for the two clusters: the objects
 * of one mean nothing to the other, and the storage is the same, as it has to be.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Chart, Testing } from 'cdk8s';
import { ImportAccount, Registry } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { SNAPSHOT_CONTENTS, type VolumeSnapshotContent } from '../../runner/snapshots/objects';
import { type BackupRecord, type ExportedBackup, LABELS } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, create, KINDS, list, read } from './harness/cluster';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyPolicy } from './harness/policy';
import { startOnClaims, startPostgres } from './harness/postgres';
import { type Answer, stillpoint, stillpointAlone, stillpointOf } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { clientAs } from './kube/account';

const ROWS = 4321;
const PGDATA_VOLUME = '/var/lib/postgresql/data';

let folder: string;
let origin: { readonly namespace: TestNamespace; readonly record: BackupRecord; readonly older: BackupRecord };
let elsewhere: TestNamespace;
/** The other cluster's registry. */
let registry: TestNamespace;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-import-'));
  [elsewhere, registry] = [await makeNamespace('elsewhere'), await makeNamespace('registry-there')];
  const namespace = await makeNamespace('origin');
  const server = await startPostgres({ namespace: namespace.name, version: '17' });
  const client = await server.connect();
  await client.query(`CREATE TABLE ledger AS SELECT generate_series(1, ${ROWS}) AS number`);
  await client.end();
  const policy = await applyPolicy(server);
  const older = succeeded(await takeBackup(policy));
  origin = { namespace, older, record: succeeded(await takeBackup(policy)) };
  const made = [
    await stillpointAlone('keygen', '--file', at('key')),
    await exported('signed.yaml', '--sign-key', at('key')),
  ];
  for (const answer of made) expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
});

afterAll(async () => {
  await elsewhere[Symbol.asyncDispose]();
  await origin.namespace[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const at = (file: string): string => join(folder, file);

function exported(file: string, ...args: readonly string[]): Promise<Answer> {
  const backup = `${origin.namespace.name}/orders-db/${origin.record.id}`;
  return stillpoint('export', backup, '--file', at(file), ...args);
}

/** `stillpoint` in the other cluster. */
function there(...args: readonly string[]): Promise<Answer> {
  return stillpointOf(registry.name, ...args, '-n', elsewhere.name);
}

function importSigned(...args: readonly string[]): Promise<Answer> {
  return there('import', at('signed.yaml'), '--verify-key', at('key.pub'), ...args);
}

function importHandle(handle: string, database: string, ...args: readonly string[]): Promise<Answer> {
  const what = ['--handle', handle, '--driver', 'disk.test', '--database', database];
  return there('import', ...what, '--engine', 'postgres', '--mount-path', PGDATA_VOLUME, ...args);
}

/** The exported document, changed. */
async function altered(file: string, change: (document: ExportedBackup) => object): Promise<string> {
  const document = parse(await readFile(at('signed.yaml'), 'utf8')) as ExportedBackup;
  await writeFile(at(file), stringify(change(document)));
  return at(file);
}

const handleOf = ({ cuts: [cut] }: BackupRecord): string => cut?.handle ?? '';

/** What there is of snapshots in the other cluster, as `VolumeSnapshot name` and `VolumeSnapshotContent name`. */
async function imported(database: string): Promise<readonly Anything[]> {
  const labels = `${LABELS.namespace}=${elsewhere.name},${LABELS.database}=${database}`;
  return [
    ...(await list(KINDS.snapshot, elsewhere.name, labels)),
    ...(await list(KINDS.snapshotContent, undefined, labels)),
  ];
}

async function rowsIn(claim: string): Promise<number> {
  const pod = { name: uniqueName('copy'), namespace: elsewhere.name, image: 'postgres:17' };
  const copy = await startOnClaims(pod, { data: claim });
  const { rows } = await copy.query<{ count: string }>('SELECT count(*) FROM ledger');
  await copy.end();
  return Number(rows[0]?.count);
}

describe('a backup of another cluster', () => {
  test('is imported with its signature checked, bound both ways, and keeps what the storage has', async () => {
    const answer = await importSigned();
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/imported, with/) });
    expect(answer.stderr).not.toContain('warning');
    const [snapshot, content] = await imported('orders-db');
    expect(snapshot?.status).toMatchObject({
      readyToUse: true,
      boundVolumeSnapshotContentName: content?.metadata?.name,
    });
    expect(content?.spec).toMatchObject({
      deletionPolicy: 'Retain',
      driver: 'disk.test',
      source: { snapshotHandle: handleOf(origin.record) },
      volumeSnapshotRef: { name: snapshot?.metadata?.name, namespace: elsewhere.name, uid: snapshot?.metadata?.uid },
    });
    const [record] = JSON.parse((await there('list', '-o', 'json')).stdout) as BackupRecord[];
    expect(record).toMatchObject({
      id: origin.record.id,
      namespace: elsewhere.name,
      phase: 'succeeded',
      serverIdentity: origin.record.serverIdentity,
      imported: {
        by: expect.any(String),
        from: { namespace: origin.namespace.name, registry: thisRun.registry, clusterUid: origin.record.clusterUid },
        verifiedBy: expect.stringMatching(/^SHA256:/),
        ownsData: false,
      },
    });
    expect((await there('describe', 'latest')).stdout).toMatch(/belongs to that cluster, and stays/);
  });

  test('rule 12: is there already the second time, and nothing is changed', async () => {
    const before = await imported('orders-db');
    const again = await importSigned();
    expect(again, again.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/is there already, imported at/),
    });
    expect(await imported('orders-db')).toEqual(before);
  });

  test('restores, and a server comes up on it with every row', async () => {
    const restored = await there('restore', 'latest', '--claim', 'copy', '--start');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(restored.stdout).toContain(`${origin.record.serverIdentity?.systemIdentifier} of the record`);
    expect(await rowsIn('copy')).toBe(ROWS);
  });

  test('openssl makes keys too, and what it signs with is a private key', async () => {
    const run = promisify(execFile);
    await run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('ssl')]);
    await run('openssl', ['pkey', '-in', at('ssl'), '-pubout', '-out', at('ssl.pub')]);
    expect(await exported('ssl.yaml', '--sign-key', at('ssl'))).toMatchObject({ exitCode: 0 });
    const answer = await there('import', at('ssl.yaml'), '--verify-key', at('ssl.pub'));
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/is there already/) });
    const withPublic = await exported('never.yaml', '--sign-key', at('ssl.pub'));
    expect(withPublic).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('holds no private key') });
  });
});

describe('rule 9: what is not what it says it is', () => {
  const forgeries: readonly [what: string, change: (document: ExportedBackup) => object, message: RegExp][] = [
    [
      'another handle under the old signature',
      ({ snapshots, ...rest }) => ({
        ...rest,
        snapshots: snapshots.map((each) => ({ ...each, handle: 'of-another-database' })),
      }),
      /was altered after it was signed.*\(signature-invalid\)/s,
    ],
    [
      'another image in the record under the old signature',
      ({ record, ...rest }) => ({ ...rest, record: { ...record, runnerImage: 'evil:1' } }),
      /was altered after it was signed/,
    ],
    ['no signature', ({ signature: _, ...rest }) => rest, /carries no signature/],
    [
      'a backup that failed',
      ({ record, ...rest }) => ({ ...rest, record: { ...record, phase: 'failed' } }),
      /cannot be restored: it failed.*\(backup-not-restorable\)/s,
    ],
    [
      'a field of another type',
      ({ record, ...rest }) => ({ ...rest, record: { ...record, cuts: 'all' } }),
      /record.cuts must be an array.*\(import-invalid\)/s,
    ],
  ];

  test.each(forgeries)('%s', async (_, change, message) => {
    const file = await altered('forged.yaml', change);
    const answer = await there('import', file, '--verify-key', at('key.pub'), '--database', 'forged');
    expect(answer, answer.stderr).toMatchObject({ stdout: '', stderr: expect.stringMatching(message) });
    expect([2, 3]).toContain(answer.exitCode);
    expect(await imported('forged')).toEqual([]);
  });

  test('signed by somebody else', async () => {
    const answer = await there('import', at('ssl.yaml'), '--verify-key', at('key.pub'), '--database', 'forged');
    expect(answer).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/says that it was signed by key SHA256:\S+, and/),
    });
  });

  test('of the same name as one that is there, with another snapshot', async () => {
    const file = await altered('other.yaml', ({ snapshots, ...rest }) => ({
      ...rest,
      snapshots: snapshots.map((each) => ({ ...each, handle: 'another' })),
    }));
    const answer = await there('import', file);
    expect(answer).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/is another one than another.*import-exists/s),
    });
  });

  test('without a key it is said, and no image of the file is taken', async () => {
    const file = await altered('unsigned.yaml', ({ signature: _, ...rest }) => rest);
    const answer = await there('import', file, '--database', 'unsigned');
    expect(answer, answer.stderr).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/nothing shows who wrote this record/),
      stdout: expect.stringMatching(/--claim <name> --image <runner image>\n$/),
    });
    const record = JSON.parse((await there('describe', 'unsigned/latest', '-o', 'json')).stdout) as BackupRecord;
    expect(record.runnerImage).toBeUndefined();
    expect(record.workload?.image).toBeUndefined();
    expect(record.imported?.verifiedBy).toBeUndefined();
    const restored = await there('restore', 'unsigned/latest', '--claim', 'unsigned');
    expect(restored).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('names no runner image') });
  });
});

describe('refused, with nothing left behind', () => {
  test('a handle that the storage does not know', async () => {
    const answer = await importHandle('no-such-snapshot', 'nowhere');
    expect(answer, answer.stderr).toMatchObject({
      exitCode: 7,
      stderr: expect.stringMatching(
        /no-such-snapshot .*could not be imported: the storage says.*nothing of it is left/s,
      ),
    });
    expect(await imported('nowhere')).toEqual([]);
    expect((await there('list', 'nowhere', '-o', 'name')).stdout).toBe('');
  });

  test('a class that is missing, of another driver, or that no driver has', async () => {
    const named = await importSigned('--database', 'classless', '--class', 'no-such');
    expect(named).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/there is no VolumeSnapshotClass no-such.*class-not-found/s),
    });
    const foreign = await importHandle(handleOf(origin.record), 'classless', '--driver', 'ebs.csi.aws.com');
    expect(foreign).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/no VolumeSnapshotClass of driver ebs.csi.aws.com.*class-not-found/s),
    });
    const mismatch = await importHandle(
      handleOf(origin.record),
      'classless',
      '--driver',
      'ebs.csi.aws.com',
      '--class',
      'disk',
    );
    expect(mismatch).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('class-driver-mismatch') });
    expect(await imported('classless')).toEqual([]);
  });

  test('rule 12: a name that somebody else has', async () => {
    const name = `taken-data-${origin.record.id}`;
    const source = { persistentVolumeClaimName: 'none' };
    await create({ ...KINDS.snapshot, metadata: { name, namespace: elsewhere.name }, spec: { source } } as Anything);
    const answer = await importSigned('--database', 'taken');
    expect(answer).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/is there already, and is not overwritten.*import-exists/s),
    });
    expect(await imported('taken')).toEqual([]);
    expect((await read(KINDS.snapshot, name, elsewhere.name))?.spec.source).toEqual(source);
  });

  test('a namespace that is not there', async () => {
    const answer = await stillpointOf(registry.name, 'import', at('signed.yaml'), '-n', 'no-such');
    expect(answer).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('namespace-not-found') });
  });
});

describe('a bare handle', () => {
  test('is imported with what a person says of it, restores, and is found the second time', async () => {
    const images = ['--image', thisRun.image, '--server-image', 'postgres:17'];
    const answer = await importHandle(handleOf(origin.record), 'bare', ...images);
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    const restored = await there('restore', 'bare/latest', '--claim', 'bare', '--start');
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    expect(await rowsIn('bare')).toBe(ROWS);
    const again = await importHandle(handleOf(origin.record), 'bare', ...images);
    expect(again, again.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is there already') });
    expect(await imported('bare')).toHaveLength(2);
  });

  test('is refused of an engine whose files do not say how they are to be read', async () => {
    const answer = await importHandle(handleOf(origin.record), 'bare-redis', '--engine', 'redis');
    expect(answer).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('takes what only a record says') });
  });

  test('needs to be told what the storage does not know', async () => {
    const asked = async (...more: readonly string[]): Promise<Answer> =>
      await there('import', '--handle', 'h', '--driver', 'disk.test', ...more);
    expect(await asked()).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('needs --database, --engine too'),
    });
    expect(await asked('--database', 'bare', '--engine', 'postgres')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('needs --mount-path too'),
    });
  });
});

describe('an account for imports', () => {
  test('imports into its own namespace, removes what failed, and is held to that', async () => {
    const chart = new Chart(Testing.app(), 'importer', { namespace: elsewhere.name });
    const { accountName } = new ImportAccount(chart, 'orders', { registry: Registry.fromNamespace(thisRun.registry) });
    await apply(chart.toJson());
    await using account = await clientAs(elsewhere.name, accountName);
    const as = ['--kubeconfig', account.kubeconfig, '-n', elsewhere.name];
    const answer = await stillpoint(
      'import',
      at('signed.yaml'),
      '--verify-key',
      at('key.pub'),
      '--database',
      'held',
      ...as,
    );
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    const bare = ['--driver', 'disk.test', '--database', 'lost', '--engine', 'postgres', '--mount-path', PGDATA_VOLUME];
    const failed = await stillpoint('import', '--handle', 'no-such', ...bare, ...as);
    expect(failed).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('nothing of it is left') });
    expect(await imported('lost')).toEqual([]);
    const elsewhereStill = await stillpoint(
      'import',
      at('signed.yaml'),
      ...as.slice(0, 2),
      '-n',
      origin.namespace.name,
    );
    expect(elsewhereStill).toMatchObject({ exitCode: 3 });

    const [, content] = await imported('held');
    const [theirs] = (await list(KINDS.snapshotContent)).filter(
      ({ spec }) => spec.volumeSnapshotRef.namespace === origin.namespace.name,
    );
    const held = /the account of a policy may/;
    const forbidden: readonly [string, () => Promise<unknown>][] = [
      [
        'another content is not its own to delete',
        () => account.client.delete(SNAPSHOT_CONTENTS, { name: theirs?.metadata?.name ?? '' }),
      ],
      [
        'one that deletes',
        () => account.client.rehearse(SNAPSHOT_CONTENTS, likeness(content, { deletionPolicy: 'Delete' })),
      ],
      [
        'one for another namespace',
        () =>
          account.client.rehearse(
            SNAPSHOT_CONTENTS,
            likeness(content, { volumeSnapshotRef: { namespace: origin.namespace.name, name: 'x' } }),
          ),
      ],
    ];
    for (const [what, attempt] of forbidden) await expect(attempt(), what).rejects.toThrow(held);
    await account.client.rehearse(SNAPSHOT_CONTENTS, likeness(content, {}));
  });
});

/** A content as the one that was made, under another name and with something else in its spec. */
function likeness(content: Anything | undefined, spec: object): VolumeSnapshotContent {
  const { volumeSnapshotRef: ref, ...rest } = content?.spec ?? {};
  const { labels, annotations } = content?.metadata ?? {};
  return {
    metadata: { name: `${content?.metadata?.name}-2`, labels, annotations },
    spec: { ...rest, volumeSnapshotRef: { namespace: ref.namespace, name: `${ref.name}-2` }, ...spec },
  } as VolumeSnapshotContent;
}

describe('deleting an imported backup', () => {
  test('leaves the data to the cluster that took it', async () => {
    const deleted = await there('delete', 'orders-db/latest', '--yes');
    expect(deleted, deleted.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/deleted, without 1 snapshot of the cluster that took it/),
    });
    expect(await imported('orders-db')).toEqual([]);
    const again = await importSigned();
    expect(again, again.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/imported, with/) });
  });

  test('takes it along only when that was asked for, and never the last one', async () => {
    const last = await there('delete', 'orders-db/latest', '--with-data', '--yes');
    expect(last).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('is the last good one') });
    const { id } = origin.older;
    const older = await stillpoint('export', `${origin.namespace.name}/orders-db/${id}`, '--file', at('older.yaml'));
    expect(older, older.stderr).toMatchObject({ exitCode: 0 });
    expect(await there('import', at('older.yaml'))).toMatchObject({ exitCode: 0 });
    expect(await there('import', at('older.yaml'), '--database', 'stale')).toMatchObject({ exitCode: 0 });
    // There is no policy here: what was imported is looked at all the same.
    const before = await there('doctor');
    expect(before, before.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/ok +- +imported backups +what \d imported backups name is there/),
    });
    const deleted = await there('delete', `orders-db/${id}`, '--with-data', '--yes');
    expect(deleted, deleted.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('deleted, with 1 snapshot'),
    });
    const [gone, doctor] = await Promise.all([importHandle(handleOf(origin.older), 'gone'), there('doctor')]);
    const lost = new RegExp(
      `^warning +snapshot-missing +backup ${elsewhere.name}/stale/${id} .*the storage says of ${handleOf(origin.older)}: `,
      'm',
    );
    expect(doctor, doctor.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(lost) });
    expect(doctor.stdout.match(/snapshot-missing/g)).toHaveLength(1);
    // What it asked by is gone again.
    expect((await list(KINDS.snapshotContent)).filter(({ metadata }) => metadata?.name?.includes('.look-'))).toEqual(
      [],
    );
    expect(gone).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('could not be imported') });
    const own = await stillpoint('delete', `${origin.namespace.name}/orders-db/${id}`, '--with-data', '--yes');
    expect(own).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('was not imported') });
  });
});
