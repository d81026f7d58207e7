/** Lines of neo4j-admin as the manuals of each version have them. None was taken by the tool itself: Enterprise was not to be had. */
import { describe, expect, it } from 'vitest';
import {
  aggregateLine,
  type BackupRequest,
  backupLine,
  checkLine,
  inspectLine,
  restoreLine,
} from '../../../../../runner/engines/neo4j/enterprise/admin-lines';
import { adminVersionOf } from '../../../../../runner/engines/neo4j/enterprise/admin-version';
import { StillpointError } from '../../../../../runner/errors';

/** The words of a line, or the code of why there is none. */
function said(make: () => { readonly args: readonly string[] } | undefined): string | undefined {
  try {
    return make()?.args.join(' ');
  } catch (error) {
    if (error instanceof StillpointError) return error.code;
    throw error;
  }
}
const of = adminVersionOf;

describe('a version', () => {
  it.each([
    ['4.4.48', 4, 4],
    ['neo4j-admin 4.4.12\n', 4, 4],
    ['5.26.30', 5, 26],
    ['2025.10.1', 2025, 10],
  ])('%j is %i.%i', (says, major, minor) => expect(of(says)).toEqual({ major, minor }));

  it.each(['', '4.3.2', '3.5.0', 'unknown'])('%j is refused', (says) => {
    expect(() => of(says)).toThrow(expect.objectContaining({ code: 'tool-version' }));
  });
});

describe('a backup', () => {
  const usual = { database: 'orders', from: ['graph:6362'], to: '/backups', type: 'auto', temp: '/temp' } as const;
  it.each<[string, Partial<BackupRequest>, string]>([
    [
      '4.4.48',
      {},
      'backup --from=graph:6362 --backup-dir=/backups --database=orders --fallback-to-full=false --check-consistency=false --include-metadata=all',
    ],
    ['4.4.48', { type: 'differential' }, 'tool-version'],
    ['4.4.48', { from: ['a:6362', 'b:6362'] }, 'config-invalid'],
    ['5.1.0', {}, 'database backup --from=graph:6362 --to-path=/backups --type=AUTO --include-metadata=all orders'],
    [
      '5.26.30',
      { type: 'differential', from: ['a:6362', 'b:6362'] },
      'database backup --from=a:6362,b:6362 --to-path=/backups --type=DIFF --include-metadata=all --temp-path=/temp orders',
    ],
    [
      '5.26.30',
      { database: 'system', type: 'full', temp: undefined },
      'database backup --from=graph:6362 --to-path=/backups --type=FULL system',
    ],
    [
      '2025.10.1',
      {},
      'database backup --from=graph:6362 --to-path=/backups --type=AUTO --include-metadata=all --temp-path=/temp orders',
    ],
    ['5.26.0', { database: 'customer*' }, 'config-invalid'],
    ['5.26.0', { database: '--verbose' }, 'config-invalid'],
    ['5.26.0', { from: [] }, 'config-invalid'],
  ])('of %s with %j is %s', (version, more, line) => {
    expect(said(() => backupLine(of(version), { ...usual, ...more }))).toBe(line);
  });
});

describe('what comes after it', () => {
  it.each([
    ['4.4.48', undefined],
    ['5.24.2', 'database backup --inspect-path=/backups'],
    ['5.25.0', 'backup inspect /backups --show-metadata --empty'],
    ['2025.06.2', 'backup inspect /backups --show-metadata --empty'],
    // From then on it is always shown, and the word for it is refused.
    ['2025.07.0', 'backup inspect /backups --empty'],
    ['2025.10.1', 'backup inspect /backups --empty'],
    ['2026.01.0', 'backup inspect /backups --empty'],
  ])('%s looks at it by %s', (version, line) => expect(said(() => inspectLine(of(version), '/backups'))).toBe(line));

  it.each([
    ['4.4.48', 'check-consistency --backup=/backups/orders --report-dir=/report'],
    ['5.26.30', 'database check --from-path=/backups --temp-path=/temp --report-path=/report orders'],
  ])('%s checks it by %s', (version, line) => {
    const request = { database: 'orders', from: '/backups', report: '/report', temp: '/temp' };
    expect(said(() => checkLine(of(version), request))).toBe(line);
  });

  it.each([
    ['4.4.48', 'tool-version'],
    ['5.1.0', 'tool-version'],
    ['5.2.0', 'database aggregate-backup --from-path=/b/o-2.backup --keep-old-backup=true'],
    ['5.26.0', 'database aggregate-backup --from-path=/b/o-2.backup --keep-old-backup=true --temp-path=/temp'],
    ['2025.01.0', 'backup aggregate --from-path=/b/o-2.backup --keep-old-backup=true --temp-path=/temp'],
  ])('%s aggregates its chain by %s', (version, line) => {
    expect(said(() => aggregateLine(of(version), { artifact: '/b/o-2.backup', temp: '/temp' }))).toBe(line);
  });
});

describe('a restore', () => {
  const usual = { artifact: '/b/o-2.backup', database: 'Orders-2', replace: false };
  it.each([
    ['4.4.48', {}, 'restore --from=/b/o-2.backup --database=orders-2'],
    ['4.4.48', { replace: true }, 'restore --from=/b/o-2.backup --database=orders-2 --force'],
    ['4.4.48', { until: 5 }, 'tool-version'],
    ['5.26.30', {}, 'database restore --from-path=/b/o-2.backup orders-2'],
    [
      '5.26.30',
      { replace: true, until: 123 },
      'database restore --from-path=/b/o-2.backup --overwrite-destination=true --restore-until=123 orders-2',
    ],
    [
      '2025.10.1',
      { until: new Date('2026-11-21T02:00:05.900Z'), temp: '/temp' },
      'database restore --from-path=/b/o-2.backup --restore-until=2026-11-21 02:00:05 --temp-path=/temp orders-2',
    ],
  ])('of %s with %j is %s', (version, more, line) => {
    expect(said(() => restoreLine(of(version), { ...usual, ...more }))).toBe(line);
  });
});
