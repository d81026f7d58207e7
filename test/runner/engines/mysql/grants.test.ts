import { describe, expect, it } from 'vitest';
import { missingGrants, seesRoutines } from '../../../../runner/engines/mysql/grants';

const ALL = 'GRANT SELECT, RELOAD, SHOW VIEW, EVENT, TRIGGER ON *.* TO `dumper`@`%`';

describe('what a dump would leave out without a word', () => {
  it.each<[what: string, lines: readonly string[], database: string | undefined, missing: readonly string[]]>([
    ['nothing of all', [ALL], undefined, []],
    ['nothing of all, by everything', ['GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION'], undefined, []],
    ['nothing, with a password in the line', [`${ALL} IDENTIFIED BY PASSWORD '*AB'`], undefined, []],
    ['all', ['GRANT USAGE ON *.* TO `dumper`@`%`'], undefined, ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT']],
    ['triggers', ['GRANT SELECT, SHOW VIEW, EVENT ON *.* TO `d`@`%`'], undefined, ['TRIGGER']],
    [
      'other databases',
      ['GRANT USAGE ON *.* TO `d`@`%`', 'GRANT ALL PRIVILEGES ON `shop`.* TO `d`@`%`'],
      undefined,
      ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'],
    ],
    ['nothing of one', ['GRANT ALL PRIVILEGES ON `shop`.* TO `d`@`%`'], 'shop', []],
    [
      'nothing of one, with its routines',
      ['GRANT SHOW_ROUTINE ON *.* TO `d`@`%`', 'GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `d`@`%`'],
      'shop',
      [],
    ],
    [
      'nothing of one, by a pattern',
      ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `sh\\_%`.* TO `d`@`%`', 'GRANT SHOW_ROUTINE ON *.* TO `d`@`%`'],
      'sh_op',
      [],
    ],
    [
      'another one than that of a pattern',
      ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `sh\\_%`.* TO `d`@`%`', 'GRANT SHOW_ROUTINE ON *.* TO `d`@`%`'],
      'shxop',
      ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'],
    ],
    [
      'one of its tables',
      [
        'GRANT SHOW_ROUTINE ON *.* TO `d`@`%`',
        'GRANT SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `d`@`%`',
        'GRANT SELECT (`a`, `b`) ON `shop`.`t` TO `d`@`%`',
      ],
      'shop',
      ['SELECT'],
    ],
    ['what was taken back of all', [ALL, 'REVOKE SELECT ON `pay`.* FROM `dumper`@`%`'], undefined, ['SELECT on pay']],
    [
      'nothing of one, where of another was taken back',
      [ALL, 'REVOKE SELECT ON `pay`.* FROM `dumper`@`%`'],
      'shop',
      [],
    ],
  ])('%s', (_what, lines, database, missing) => {
    expect(missingGrants(lines, { database })).toEqual(missing);
  });

  it.each<[flavour: 'mysql' | 'mariadb', version: string, lines: readonly string[], sees: boolean]>([
    ['mysql', '9.5.0', [ALL], true],
    ['mysql', '9.5.0', ['GRANT ALL PRIVILEGES ON `shop`.* TO `d`@`%`'], false],
    ['mysql', '9.5.0', ['GRANT SHOW_ROUTINE ON *.* TO `d`@`%`'], true],
    ['mariadb', '11.8.6-MariaDB', [ALL], true],
    ['mariadb', '11.8.6-MariaDB', ['GRANT ALL PRIVILEGES ON `shop`.* TO `d`@`%`'], true],
    ['mariadb', '11.8.6-MariaDB', ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `d`@`%`'], false],
    ['mariadb', '11.8.6-MariaDB', ['GRANT SELECT ON `mysql`.* TO `d`@`%`'], true],
    ['mysql', '9.5.0', ['GRANT SELECT ON `mysql`.* TO `d`@`%`'], false],
    ['mysql', '5.7.44', ['GRANT SELECT ON `mysql`.* TO `d`@`%`'], true],
    ['mysql', '5.7.44', ['GRANT ALL PRIVILEGES ON `shop`.* TO `d`@`%`'], false],
  ])("others' routines of one database of %s %s, by %j: seen %s", (flavour, version, lines, sees) => {
    expect(seesRoutines(lines, { database: 'shop', flavour, version })).toBe(sees);
  });
});
