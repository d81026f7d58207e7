/** The backup command as it is wired for one machine: what it leaves when all is well, and what when it is not. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../runner/clock';
import { backup } from '../../runner/commands/backup';
import { rehearse } from '../../runner/commands/rehearse';
import { readConfig } from '../../runner/config';
import { StillpointError } from '../../runner/errors';
import { FileLocks } from '../../runner/local/locks';
import type { Finding, Log } from '../../runner/ports';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { localBackup, localRemover } from '../../runner/wiring/local';
import { API_VERSION, type BackupRecord, JOB_CONFIG_KIND, type JobConfig, leaseName } from '../../src/contract';
import { QuietLog } from '../support/quiet-log';
import { BACKUP_USER, type PostgresFixture, postgresFixture } from './postgres-fixture';

let fixture: PostgresFixture;
let folder: string;

beforeAll(async () => {
  fixture = await postgresFixture(18);
});
afterAll(async () => {
  await fixture?.remove();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-local-'));
  await mkdir(join(folder, 'credentials'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Changes {
  readonly password?: string;
  readonly budgetSeconds?: number;
  readonly volumes?: JobConfig['spec']['volumes'];
  readonly connection?: Partial<JobConfig['spec']['connection']>;
}

async function configured({ password, connection, ...spec }: Changes = {}): Promise<JobConfig> {
  const secret = async (name: string, value: string): Promise<string> => {
    const path = join(folder, 'credentials', name);
    await writeFile(path, value, { mode: 0o600 });
    return path;
  };
  const config: JobConfig = {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: 'local' },
    spec: {
      engine: 'postgres',
      database: 'ledger',
      connection: {
        host: fixture.server.host,
        port: fixture.server.port,
        usernameFile: await secret('username', `${BACKUP_USER.name}\n`),
        passwordFile: await secret('password', password ?? `${BACKUP_USER.password}\n`),
        ...connection,
      },
      volumes: fixture.volumes,
      snapshots: { directory: join(folder, 'snapshots') },
      registry: { directory: join(folder, 'records') },
      ...spec,
    },
  };
  const file = join(folder, 'backup.yaml');
  await writeFile(file, stringify(config));
  return (await readConfig(file)) as JobConfig;
}

const log = new QuietLog();

async function take(config: JobConfig, signal = new AbortController().signal, to: Log = log): Promise<BackupRecord> {
  const world = { env: {}, clock: systemClock, log: to, signal, version: 'test' };
  return await backup(await localBackup(config, world));
}

async function records(): Promise<readonly BackupRecord[]> {
  const found = await new DirectoryRegistry(join(folder, 'records'), log).list({});
  return found.map(({ record }) => record);
}

async function rehearsed(config: JobConfig): Promise<readonly Finding[]> {
  const { signal } = new AbortController();
  return await rehearse(await localBackup(config, { env: {}, clock: systemClock, log, signal, version: 'test' }));
}

const copies = (): Promise<readonly string[]> => readdir(join(folder, 'snapshots')).catch(() => []);

describe('a backup on one machine', () => {
  it('leaves a record that says what was copied, how, and that it held', async () => {
    const record = await take(await configured());
    expect(await records()).toEqual([JSON.parse(JSON.stringify(record))]);
    expect(record).toMatchObject({
      phase: 'succeeded',
      layout: 'backup-mode',
      freezes: 'log-recycling',
      proof: { holds: true },
      settings: { data_directory: fixture.server.dataPath },
    });
    expect(record.cuts.map(({ volume }) => volume)).toEqual(['data', 'wal']);
    expect(record.artifacts?.backup_label).toMatch(/^START WAL LOCATION: /);
    expect(await copies()).toHaveLength(2);
    expect(await fixture.held()).toEqual([]);
    // Safety rule 14's other half: what has a record can be looked at by people.
    expect(await readFile(join(folder, 'records', `local.ledger.${record.id}.yaml`), 'utf8')).toContain('kind: Backup');
  });

  it.each([
    ['a wrong password', { password: 'nothing-like-it-41f' }, 'authentication-failed'],
    ['an empty password file', { password: '\n' }, 'credentials-unreadable'],
    [
      'a file of credentials that is not there',
      { connection: { usernameFile: '/nowhere/username' } },
      'credentials-unreadable',
    ],
    ['a server that is not there', { connection: { port: 1 } }, 'server-unreachable'],
    ['a database that is not there', { connection: { database: 'nothing' } }, 'config-invalid'],
    ['TLS that the server has not', { connection: { tls: { mode: 'require' } } }, 'tls-failed'],
    [
      'folders of another server',
      {
        volumes: [
          { name: 'data', role: 'data', directory: import.meta.dirname },
          { name: 'wal', role: 'log', directory: join(import.meta.dirname, 'tls') },
        ],
      },
      'volume-mismatch',
    ],
    [
      'a folder that is not there',
      { volumes: [{ name: 'data', role: 'data', directory: '/nowhere' }] },
      'claim-not-found',
    ],
    ['no volume for the log', { volumes: [] }, 'volume-mismatch'],
  ] as const)('fails with %s by a code of its own, before anything is touched', async (_, changes, code) => {
    const { volumes, ...rest } = changes as Changes;
    const data = fixture.volumes.slice(0, 1);
    const config = await configured({
      ...rest,
      ...(volumes === undefined ? {} : { volumes: volumes.length === 0 ? data : volumes }),
    });
    const attempt = take(config);
    await expect(attempt).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(await records()).toMatchObject([{ phase: 'failed', error: { code } }]);
    expect(await copies()).toEqual([]);
    expect(await fixture.held()).toEqual([]);
  });

  it('ends when it is told to, lets go, and leaves no copy', async () => {
    const controller = new AbortController();
    const config = await configured();
    // Told in the middle: when the first copy begins.
    const telling = new QuietLog();
    telling.info = (fields, message) => {
      if (message === 'step begins' && 'step' in fields && fields.step === 'cut data') {
        controller.abort(new Error('told to stop'));
      }
    };
    await expect(take(config, controller.signal, telling)).rejects.toThrow('told to stop');
    expect(await records()).toMatchObject([{ phase: 'failed' }]);
    expect(await copies()).toEqual([]);
    await expect.poll(() => fixture.held()).toEqual([]);
  });

  it.each([
    ['it cannot be written down', 'kubernetes-unreachable', 'cut'],
    ['one of its snapshots disappears', 'cut-lost', 'ready'],
  ] as const)('lists what it has made when all was cut, and then %s', async (_, code, at) => {
    const world = { env: {}, clock: systemClock, log, signal: new AbortController().signal, version: 'test' };
    const context = await localBackup(await configured(), world);
    const fail = (): never => {
      throw new StillpointError(code, 'as the test wants it');
    };
    const { registry, store } = context;
    const update = registry.update.bind(registry);
    registry.update = (stored, record) => (at === 'cut' && record.phase === 'cut' ? fail() : update(stored, record));
    if (at === 'ready') store.ready = async () => fail();
    // 3 would say that nothing was touched.
    await expect(backup(context)).rejects.toMatchObject({ code, exitCode: 4 });
    const [record] = await records();
    expect(record).toMatchObject({ phase: 'failed', leftovers: record?.plannedSnapshots });
    expect(await copies()).toEqual(expect.arrayContaining([...(record?.leftovers ?? ['none'])]));
    await localRemover(world).remove({ record: record as BackupRecord, version: '', deletionRequested: false });
    expect(await copies()).toEqual([]);
  });

  it('cannot keep its copies where it may not write', async () => {
    const config = await configured();
    await writeFile(join(folder, 'snapshots'), 'a file, no folder');
    await expect(take(config)).rejects.toMatchObject({ code: 'directory-unusable' });
    await chmod(join(folder, 'snapshots'), 0o600);
  });

  it('shows no password, neither in what it says nor in what it keeps', async () => {
    await take(await configured());
    await expect(take(await configured({ password: 'nothing-like-it-41f' }))).rejects.toThrow();
    const written = await Promise.all(
      (await readdir(join(folder, 'records'))).map((name) => readFile(join(folder, 'records', name), 'utf8')),
    );
    const all = [JSON.stringify(log.lines), ...written].join('\n');
    expect(all).not.toContain(BACKUP_USER.password);
    expect(all).not.toContain('nothing-like-it-41f');
    expect(all.length).toBeGreaterThan(1000);
  });
});

describe('a rehearsal of the freeze', () => {
  it('holds the session, proves it and lets go, and leaves neither copies nor a record', async () => {
    const config = await configured();
    await mkdir(join(folder, 'records'));
    expect(await rehearsed(config)).toEqual([
      {
        severity: 'ok',
        code: 'ok',
        subject: 'freeze of local/ledger',
        message: expect.stringMatching(/^log-recycling held for .* of a budget of 30 s, after .* proven and let go$/),
      },
    ]);
    expect(await fixture.held()).toEqual([]);
    expect(await copies()).toEqual([]);
    expect(await records()).toEqual([]);
    const taken = await take(config);
    const [told] = await rehearsed(config);
    expect(told?.message).toContain(`with its snapshots the last backup took `);
    expect((await records()).map(({ id }) => id)).toEqual([taken.id]);
  });

  it('keeps away while a backup is at work, and says what a check refuses', async () => {
    const config = await configured();
    await mkdir(join(folder, 'records'));
    const lease = await new FileLocks(join(folder, 'records')).acquire(leaseName('ledger'), 'a backup');
    expect(await rehearsed(config)).toMatchObject([{ severity: 'error', code: 'backup-in-progress' }]);
    await lease.release();
    expect(await rehearsed(await configured({ password: 'nothing-like-it-41f' }))).toMatchObject([
      { severity: 'error', code: 'authentication-failed', subject: 'freeze of local/ledger' },
    ]);
  });
});
