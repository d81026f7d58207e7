/** The table of files that neo4j-admin shows, and the chains in it. */
import { describe, expect, it } from 'vitest';
import { artifactsIn, chainOf } from '../../../../../runner/engines/neo4j/enterprise/artifacts';

/** As the manual shows it; the columns and rows are its own. */
const TABLE = `
|                                              FILE | DATABASE |                          DATABASE ID |          TIME (UTC) |  FULL | COMPRESSED | LOWEST TX | HIGHEST TX |
|  file:///backups/malmo-2024-10-07T16-01-24.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:01:24 |  true |       true |         1 |          8 |
|  file:///backups/malmo-2024-10-07T16-00-50.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:50 | false |       true |         0 |          0 |
|  file:///backups/malmo-2024-10-07T16-00-44.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:44 | false |       true |         7 |          7 |
|  file:///backups/malmo-2024-10-07T16-00-34.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:34 | false |       true |         6 |          6 |
|  file:///backups/malmo-2024-10-07T16-00-19.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:19 | false |       true |         0 |          0 |
|  file:///backups/malmo-2024-10-07T16-00-07.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:07 |  true |       true |         1 |          5 |
| file:///backups/london-2024-10-07T16-03-51.backup |   london | d4dae73c-dfef-4d28-88cd-fe6cc88ddca1 | 2024-10-07T16:03:51 |  true |       true |         1 |          6 |
`;

describe('the table of inspect', () => {
  it('in the manual has a chain of each file', () => {
    const all = artifactsIn(TABLE);
    const seconds = (file: string): string => /16-\d\d-\d\d/.exec(file)?.[0] ?? '';
    expect(all.map((last) => chainOf(last, all).map(({ file }) => seconds(file)))).toEqual([
      ['16-01-24'],
      ['16-00-07', '16-00-34', '16-00-44', '16-00-50'],
      ['16-00-07', '16-00-34', '16-00-44'],
      ['16-00-07', '16-00-34'],
      ['16-00-07', '16-00-19'],
      ['16-00-07'],
      ['16-03-51'],
    ]);
  });

  it.each([
    ['of 2025.06, which has more columns,', TABLE.replaceAll(/ \|$/gm, ' | -116350002 | true |'), 7],
    ['of a folder without backups', '', 0],
  ])('%s is read', (_, table, count) => expect(artifactsIn(table)).toHaveLength(count));

  it('without a column that is needed is not guessed at', () => {
    expect(() => artifactsIn(TABLE.replaceAll('LOWEST TX', 'FIRST'))).toThrow(/no column LOWEST TX/);
  });

  it('with a gap has no chain', () => {
    const all = artifactsIn(TABLE).filter(({ highest }) => highest !== 6);
    const last = all.find(({ highest }) => highest === 7);
    expect(() => chainOf(last as (typeof all)[number], all)).toThrow(
      /needs a backup up to transaction 6, and none is there/,
    );
  });
});
