import { describe, expect, it } from 'vitest';
import type { Target } from '../../../../runner/engine';
import { clientWords, dump } from '../../../../runner/engines/mysql/dump';
import type { DumpRequest, RestoreRequest } from '../../../../runner/tools/tool';

const target = (more: Partial<Target> = {}): Target => ({
  connection: { host: 'shop-db', port: 3306 } as Target['connection'],
  username: 'backup',
  password: 'hunter2',
  tls: undefined,
  ...more,
});

const LOGIN = '--defaults-file=/f/login.cnf';
const PLAIN = ['--ssl-mode=DISABLED', '--loose-get-server-public-key'];
const COMMON = ['--default-character-set=utf8mb4', '--max-allowed-packet=1G'];
const WHAT = ['--single-transaction', '--routines', '--triggers', '--events', '--hex-blob', '--no-tablespaces'];
const ALL = ['--all-databases', '--flush-privileges'];

describe('the tools of MySQL and MariaDB', () => {
  it.each<[what: DumpRequest, program: string, args: readonly string[]]>([
    [{ flavour: 'mysql' }, 'mysqldump', [LOGIN, ...PLAIN, ...COMMON, ...WHAT, '--set-gtid-purged=OFF', ...ALL]],
    [{ flavour: 'mariadb' }, 'mariadb-dump', [LOGIN, '--skip-ssl', ...COMMON, ...WHAT, ...ALL]],
    [{ database: 'shop' }, 'mysqldump', [LOGIN, ...PLAIN, ...COMMON, ...WHAT, '--set-gtid-purged=OFF', '--', 'shop']],
    [
      { database: '-x', flavour: 'mariadb', position: true },
      'mariadb-dump',
      [LOGIN, '--skip-ssl', ...COMMON, ...WHAT, '--master-data=2', '--gtid', '--', '-x'],
    ],
  ])('%j', (what, program, args) => {
    const command = dump.dump(target(), what);
    expect([command.program, command.args('/f')]).toEqual([program, args]);
    expect(command).toMatchObject({ env: {}, secrets: ['hunter2'], closing: '-- Dump completed' });
    expect(JSON.stringify(command.args('/f'))).not.toContain('hunter2');
  });

  it.each<[toolSays: string | undefined, position: readonly string[]]>([
    [undefined, ['--source-data=2', '--set-gtid-purged=COMMENTED']],
    ['mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', ['--source-data=2', '--set-gtid-purged=COMMENTED']],
    ['mysqldump  Ver 8.0.26 for Linux on x86_64', ['--source-data=2', '--set-gtid-purged=COMMENTED']],
    ['mysqldump  Ver 8.0.25 for Linux on x86_64', ['--master-data=2', '--set-gtid-purged=COMMENTED']],
    ['mysqldump  Ver 8.0.16 for Linux on x86_64', ['--master-data=2', '--set-gtid-purged=OFF']],
    ['mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)', ['--master-data=2', '--set-gtid-purged=OFF']],
  ])('the position of MySQL, by %s', (toolSays, position) => {
    const args = dump.dump(target(), { database: 'shop', position: true, toolSays }).args('/f');
    expect(args.slice(-4, -2)).toEqual(position);
  });

  it.each<[what: RestoreRequest, program: string, args: readonly string[]]>([
    [{}, 'mysql', [LOGIN, ...PLAIN, ...COMMON, '--batch', '--binary-mode']],
    [{ database: 'copy' }, 'mysql', [LOGIN, ...PLAIN, ...COMMON, '--batch', '--binary-mode', '--database=copy']],
    [
      { outOf: 'shop', database: 'copy', flavour: 'mariadb' },
      'mariadb',
      [LOGIN, '--skip-ssl', ...COMMON, '--batch', '--binary-mode', '--database=copy'],
    ],
  ])('restore %j', (what, program, args) => {
    const command = dump.restore?.(target(), what);
    expect([command?.program, command?.args('/f')]).toEqual([program, args]);
    expect(command?.files['login.cnf']).toContain('password="hunter2"');
  });

  it.each([
    [
      "ERROR 1064 (42000) at line 42: You have an error in your SQL syntax; check the manual … near 'IDENTIFIED BY PASSWORD '*secret'\nmore' at line 1\n",
      'ERROR 1064 (42000) at line 42',
    ],
    [
      "--------------\nINSERT INTO t VALUES ('secret')\n--------------\n\nERROR 1062 (23000) at line 7: Duplicate entry 'secret'",
      'ERROR 1062 (23000) at line 7',
    ],
    [
      "ERROR 2002 (HY000): Can't connect to server on 'shop-db' (111)\n",
      "ERROR 2002 (HY000): Can't connect to server on 'shop-db' (111)",
    ],
    ['ERROR 1045 (28000): Access denied for user', 'ERROR 1045 (28000)'],
    ['secret', ''],
  ])('of %j tells what holds no statement', (stderr, told) => {
    expect(clientWords(stderr)).toBe(told);
  });

  it('takes a database out of a dump of everything under any name', () => {
    expect(dump.restore?.(target(), { outOf: 'shop' }).refine).toBeDefined();
    expect(dump.restore?.(target(), { database: 'shop' }).refine).toBeUndefined();
  });

  it.each<[mode: NonNullable<Target['tls']>['mode'], mysql: readonly string[], mariadb: readonly string[]]>([
    ['disable', PLAIN, ['--skip-ssl']],
    ['require', ['--ssl-mode=REQUIRED'], ['--ssl', '--skip-ssl-verify-server-cert']],
    ['verify-ca', ['--ssl-mode=VERIFY_CA'], ['--ssl', '--ssl-verify-server-cert']],
    ['verify-full', ['--ssl-mode=VERIFY_IDENTITY'], ['--ssl', '--ssl-verify-server-cert']],
  ])('TLS %s', (mode, mysql, mariadb) => {
    const to = target({ tls: { mode, ca: 'CA', cert: 'CERT', key: 'KEY' } });
    const files = ['--ssl-ca=/f/ca.crt', '--ssl-cert=/f/client.crt', '--ssl-key=/f/client.key'];
    const options = (flavour: string): readonly string[] =>
      dump
        .dump(to, { flavour })
        .args('/f')
        .slice(1)
        .filter((arg) => arg.includes('ssl') || arg.includes('public-key'));
    expect(options('mysql')).toEqual([...mysql, ...files]);
    expect(options('mariadb')).toEqual([...mariadb, ...files]);
    expect(dump.dump(to, {}).files).toMatchObject({ 'ca.crt': 'CA', 'client.crt': 'CERT', 'client.key': 'KEY' });
  });

  it.each<[more: Partial<Target>, lines: readonly string[]]>([
    [{}, ['user="backup"', 'password="hunter2"', 'protocol=tcp', 'host="shop-db"', 'port=3306']],
    [{ password: undefined }, ['password=""']],
    [{ password: 'p"a\'ss\\ #;w$ö=x\n\t' }, ['password="p\\"a\'ss\\\\ #;w$ö=x\\n\\t"']],
    [
      { connection: { host: '/run/mysqld/mysqld.sock', port: 3306 } as Target['connection'] },
      ['protocol=socket', 'socket="/run/mysqld/mysqld.sock"'],
    ],
  ])('the option file of %j', (more, lines) => {
    const file = dump.dump(target(more), {}).files['login.cnf']?.split('\n');
    expect(file?.[0]).toBe('[client]');
    expect(file).toEqual(expect.arrayContaining([...lines]));
  });

  it.each<[tool: string, server: string, unfit: string | undefined]>([
    ['mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', '9.7.4-2', undefined],
    ['mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', '8.0.36', undefined],
    ['mysqldump  Ver 8.0.36 for Linux on x86_64', '8.0.46', undefined],
    ['mysqldump  Ver 8.0.36 for Linux on x86_64', '8.4.2', 'the tool is of mysql 8.0, and the server of 8.4'],
    ['mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)', '5.7.44-log', undefined],
    [
      'mariadb-dump from 11.8.9-MariaDB, client 10.20 for debian-linux-gnu (x86_64)',
      '11.8.9-MariaDB-0+deb13u1',
      undefined,
    ],
    ['mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)', '10.11.6-MariaDB', undefined],
    [
      'mariadb-dump  Ver 10.19 Distrib 10.6.12-MariaDB, for Linux (x86_64)',
      '11.8.9-MariaDB',
      'the tool is of mariadb 10.6, and the server of 11.8',
    ],
    [
      'mysqldump from 11.8.9-MariaDB, client 10.20 for debian-linux-gnu (x86_64)',
      '9.7.4',
      'the tool is of mariadb, and the server of mysql',
    ],
    ['/usr/bin/mysqldump  Ver 9.7.4 for Linux', '9.7.4', undefined],
    ['BusyBox v1.36.1', '9.7.4', '"BusyBox v1.36.1" is not what the tool of MySQL or MariaDB says of itself'],
  ])('%s for %s', (tool, version, unfit) => {
    expect(dump.unfit(tool, { version })).toBe(unfit);
  });

  it('for a server whose version is bare, as a session gives it, by its flavour', () => {
    const tool = 'mariadb-dump from 11.8.9-MariaDB, client 10.20 for debian-linux-gnu (x86_64)';
    expect(dump.unfit(tool, { version: '11.8.9', flavour: 'mariadb' })).toBeUndefined();
    expect(dump.unfit(tool, { version: '9.7.4', flavour: 'mysql' })).toBe(
      'the tool is of mariadb, and the server of mysql',
    );
  });
});
