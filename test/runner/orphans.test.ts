import { expect, test } from 'vitest';
import { findOrphans, type Stored, type StoredSnapshots } from '../../runner/orphans';
import type { BackupRecord } from '../../src/contract';
import { recordWith } from '../support/records';

const record = recordWith();
const [cut] = record.cuts;
if (cut === undefined) throw new Error('the record has no cut');
const { database, id, owner } = record;

const snapshot: Stored = {
  path: `volumesnapshot/${cut.snapshot}`,
  uid: cut.uid ?? '',
  backup: { id, database, jobUid: owner.jobUid },
};
const content: Stored = {
  path: `volumesnapshotcontent/${cut.content}`,
  uid: 'content',
  of: { name: cut.snapshot, uid: cut.uid },
  handle: cut.handle,
};
const NOTHING: StoredSnapshots = { snapshots: [], contents: [] };

const CASES: readonly [
  what: string,
  records: readonly BackupRecord[],
  stored: StoredSnapshots,
  kinds: readonly string[],
][] = [
  ['a backup with all that is its own', [record], { snapshots: [snapshot], contents: [content] }, []],
  ['a snapshot without a record', [], { snapshots: [snapshot], contents: [] }, ['without-record']],
  [
    'a content without a record, by the name of its snapshot',
    [],
    { snapshots: [], contents: [content] },
    ['without-record'],
  ],
  ['one whose namespace is gone: its content is enough', [record], { snapshots: [], contents: [content] }, []],
  ['one of which nothing is left', [record], NOTHING, ['without-snapshot']],
  ['one of which nothing is left, and did not succeed', [{ ...record, phase: 'failed' }], NOTHING, []],
  ['contents that nobody may look at', [record], { snapshots: [], contents: undefined }, []],
  [
    'a snapshot of the same name that another Job has made',
    [record],
    { snapshots: [{ ...snapshot, backup: { id, database, jobUid: 'another' } }], contents: [content] },
    ['without-record'],
  ],
  ['a snapshot of somebody else', [], { snapshots: [{ path: 'volumesnapshot/mine', uid: 'x' }], contents: [] }, []],
  [
    'the content of another database, whose name begins alike',
    [],
    {
      snapshots: [{ path: 'volumesnapshot/x', uid: 'x', backup: { id, database: `${database}-2`, jobUid: 'x' } }],
      contents: [{ ...content, of: { name: `${database}-2-data-${id}`, uid: 'x' } }],
    },
    [],
  ],
  [
    'one of another database, whose name begins alike',
    [],
    { snapshots: [], contents: [{ ...content, of: { name: `${database}-2-${id}x`, uid: 'x' } }] },
    [],
  ],
];

test.each(CASES)('%s', (_, records, stored, kinds) => {
  expect(findOrphans(database, records, stored).map(({ kind }) => kind)).toEqual(kinds);
});

test('what is found is named', () => {
  expect(findOrphans(database, [], { snapshots: [snapshot], contents: [] })).toEqual([
    {
      kind: 'without-record',
      id,
      subject: snapshot.path,
      message: `${snapshot.path} is of backup ${id}, of which there is no record`,
    },
  ]);
});
