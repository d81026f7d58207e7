import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepare } from '../../../../runner/engines/mysql/prepare';
import { serverCommand } from '../../../../runner/engines/mysql/throw-away';
import type { BackupRecord } from '../../../../src/contract';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';

const UUID = '1f79e5da-e569-11f1-bc5f-963bd20ece06';

const recorded = (changes: Partial<BackupRecord> = {}): BackupRecord => ({
  ...record(),
  engine: 'mysql',
  flavour: 'mysql',
  serverVersion: '9.7.4',
  serverIdentity: { serverUuid: UUID },
  settings: { datadir: '/var/lib/mysql/', log_bin: 'ON', log_bin_basename: '/var/lib/mysql/binlog', gtid_mode: 'ON' },
  volumes: [{ name: 'data', role: 'data', claim: 'data', mountPath: '/var/lib/mysql' }],
  ...changes,
});

describe('preparing the files of a MySQL', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-mysql-'));
    await mkdir(join(folder, 'mysql'));
    await writeFile(join(folder, 'ibdata1'), '');
    await writeFile(join(folder, 'auto.cnf'), `[auto]\nserver-uuid=${UUID}\n`);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const volumes = (): Parameters<typeof prepare>[0] => [{ name: 'data', role: 'data', path: folder }];
  const run = (of = recorded()): ReturnType<typeof prepare> => prepare(volumes(), of, new QuietLog());

  it('takes the name of the server and its sources away, and keeps what was set otherwise', async () => {
    await writeFile(join(folder, 'master.info'), '');
    await writeFile(join(folder, 'multi-master.info'), '');
    const persisted = { Version: 2, mysql_dynamic_variables: { max_connections: { Value: '77' } } };
    await writeFile(join(folder, 'mysqld-auto.cnf'), JSON.stringify(persisted));
    await run();
    const names = await readdir(folder);
    expect(names).not.toContain('auto.cnf');
    expect(names.filter((name) => name.endsWith('.info'))).toEqual([]);
    expect(JSON.parse(await readFile(join(folder, 'mysqld-auto.cnf'), 'utf8'))).toMatchObject({
      mysql_dynamic_variables: { max_connections: { Value: '77' }, event_scheduler: { Value: 'OFF' } },
      mysql_static_variables: { skip_replica_start: { Value: 'ON' }, skip_slave_start: { Value: 'ON' } },
    });
  });

  it('leaves what is prepared as it is: its server may have got a name meanwhile', async () => {
    await run();
    await writeFile(join(folder, 'auto.cnf'), '[auto]\nserver-uuid=its-own\n');
    expect((await run()).done).toEqual([expect.stringContaining('before')]);
    expect(await readFile(join(folder, 'auto.cnf'), 'utf8')).toContain('its-own');
  });

  it('touches nothing of another server', async () => {
    await expect(run(recorded({ serverIdentity: { serverUuid: 'another' } }))).rejects.toMatchObject({
      code: 'restore-differs',
    });
    expect((await readdir(folder)).sort()).toEqual(['auto.cnf', 'ibdata1', 'mysql']);
  });

  it('says what a MariaDB has to be started with', async () => {
    const mariadb = recorded({ flavour: 'mariadb', serverVersion: '11.8.6', serverIdentity: { hostname: 'x' } });
    expect((await run(mariadb)).done.at(-1)).toContain('--event-scheduler=OFF');
    expect(await readdir(folder)).not.toContain('mysqld-auto.cnf');
  });

  it('fails where there is no data directory', async () => {
    await rm(join(folder, 'ibdata1'));
    await expect(run()).rejects.toMatchObject({ code: 'restore-failed' });
  });
});

describe('the command of a throw-away server', () => {
  const files = { dataPath: '/var/lib/mysql', uid: 999, gid: 999, done: [] };

  it('is detached, alone with its socket, and has the original binary log', () => {
    const { command, client, port } = serverCommand(recorded(), files, '/run/s');
    expect(command.slice(0, 2)).toEqual(['mysqld', '--no-defaults']);
    for (const flag of ['--skip-networking', '--skip-slave-start', '--event-scheduler=OFF', '--gtid-mode=ON']) {
      expect(command).toContain(flag);
    }
    expect(command).toContain('--log-bin=/var/lib/mysql/binlog');
    expect(client).toEqual(['mysql', '--socket=/run/s/mysqld.sock', '--user=root']);
    expect(port).toBeUndefined();
  });

  it('is that of the flavour', () => {
    const mariadb = recorded({ flavour: 'mariadb', serverVersion: '11.8.6', settings: { log_bin: 'OFF' } });
    const { command } = serverCommand(mariadb, files, '/run/s');
    expect(command[0]).toBe('mariadbd');
    expect(command).toContain('--skip-log-bin');
    expect(command.some((argument) => argument.includes('mysqlx'))).toBe(false);
  });
});
