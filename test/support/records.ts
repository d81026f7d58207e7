import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { BackupRecord } from '../../src/contract';

const file = new URL('../contract/formats/0.1.0/record.yaml', import.meta.url);

/** A record as it was once written, with what a test wants otherwise. */
export function recordWith(change: Partial<BackupRecord> = {}): BackupRecord {
  return { ...(parse(readFileSync(file, 'utf8')) as BackupRecord), ...change };
}

/** A record of a database with its log on a volume of its own. */
export function recordOfTwoVolumes(change: Partial<BackupRecord> = {}): BackupRecord {
  const record = recordWith(change);
  const [data] = record.volumes;
  const [cut] = record.cuts;
  if (data === undefined || cut === undefined) throw new Error('the record has no volume');
  return {
    ...record,
    volumes: [
      data,
      { ...data, name: 'wal', role: 'log', claim: 'wal-orders-db-0', capacity: '2Gi', mountPath: '/wal' },
    ],
    cuts: [
      cut,
      { ...cut, volume: 'wal', snapshot: 'orders-db-wal-20261121020417', handle: 'snap-2', restoreSize: '2Gi' },
    ],
  };
}
