import { expect, test } from 'vitest';
import { compareWithRecord } from '../../../../runner/engines/redis/compare';
import type { BackupRecord } from '../../../../src/contract';

type Facts = Readonly<Record<string, string>>;

const aof = { mode: 'aof', keys: 'db0=3', aofBytes: '500', aofBaseBytes: '100' };
const rdb = { mode: 'rdb', keys: 'db0=3 db2=1', replid: 'a', offset: '41' };

test.each<[string, Facts, Facts, readonly string[]]>([
  ['append-only files of the same length', aof, { db0: 'keys=3,expires=0', aof_current_size: '500' }, []],
  ['files that are too short', aof, { db0: 'keys=3', aof_current_size: '499' }, ['position']],
  ['files that go on', aof, { db0: 'keys=3', aof_current_size: '501' }, ['position']],
  [
    'a first base that the original did not count',
    { ...aof, aofBaseBytes: '0' },
    { db0: 'keys=3', aof_current_size: '588', aof_base_size: '88' },
    [],
  ],
  ['fewer keys', aof, { db0: 'keys=2', aof_current_size: '500' }, ['keys']],
  ['keys that expired', aof, { db0: 'keys=2', expired_keys: '1', aof_current_size: '500' }, []],
  ['keys of another database', rdb, { db0: 'keys=3', db1: 'keys=1' }, ['keys']],
  ['a dump without an offset', rdb, { db0: 'keys=3', db2: 'keys=1', master_replid2: '0' }, []],
  ['its offset', rdb, { db0: 'keys=3', db2: 'keys=1', master_replid2: 'a', second_repl_offset: '42' }, []],
  [
    'another offset',
    rdb,
    { db0: 'keys=3', db2: 'keys=1', master_replid2: 'a', second_repl_offset: '41' },
    ['position'],
  ],
])('%s', (_, position, info, wrong) => {
  const found = compareWithRecord(info, { position } as unknown as BackupRecord);
  expect(found.filter(({ severity }) => severity === 'error').map(({ subject }) => subject)).toEqual(wrong);
  expect(found.length).toBeGreaterThan(0);
});
