/** What a person reads after an import. */
import { expect, test } from 'vitest';
import { formatImport } from '../../../runner/output/travel';
import type { BackupRecord } from '../../../src/contract';
import { record } from '../../support/record';

const lastLine = (more: Partial<BackupRecord>): string | undefined =>
  formatImport({ record: record(more), already: false, warnings: [] }, 'table')
    .trimEnd()
    .split('\n')
    .at(-1);

test.each<[string, Partial<BackupRecord>, string]>([
  ['with all images', { runnerImage: 'r:1', workload: { image: 'postgres:17' } }, '--claim <name> --start'],
  ['with none, as of a file that nobody has signed', { workload: {} }, '--claim <name> --image <runner image>'],
  ['without that of the server, as of plain volumes', { runnerImage: 'r:1' }, '--claim <name>'],
  [
    'of a group',
    { runnerImage: 'r:1', members: [{ name: 'one', engine: 'redis', workload: { image: 'redis:8' } }] },
    '--claim <name> --start',
  ],
])('the line that restores an import %s works as it stands', (_, more, flags) => {
  expect(lastLine(more)).toBe(`stillpoint restore shop/orders-db/20260101020000 ${flags}`);
});

test('an imported dump is told by where it lies: there is no claim to make of it', () => {
  const objects = [
    { key: 'k', location: 's3://b/k', bytes: 1, sha256: '', plainBytes: 1, plainSha256: '', compression: 'zstd' },
  ];
  const text = formatImport({ record: record({ mode: 'dump', objects }), already: false, warnings: [] }, 'table');
  expect(text).toMatch(/ imported, with s3:\/\/b\/k\n/);
  expect(text).not.toContain('--claim');
});
