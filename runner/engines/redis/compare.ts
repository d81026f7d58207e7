/** Compares a restored copy with the position in the record. Pure. */
import type { BackupRecord } from '../../../src/contract';
import type { Finding } from '../../ports';
import { aofBytesAs } from './position';
import { isAppendOnly } from './recorded';
import { type Info, keysOf, sumOfKeys } from './replies';

/** The findings on what the copy holds, out of its INFO after it has loaded. */
export function compareWithRecord(info: Info, record: BackupRecord): readonly Finding[] {
  return [...keys(info, record), ...files(info, record), ...offset(info, record)];
}

/** Keys that expired meanwhile are gone, and the server counts them: when it loads a dump, and afterwards. */
function* keys(info: Info, { position }: BackupRecord): Generator<Finding> {
  const recorded = position?.keys;
  if (recorded === undefined) return;
  const expired = Number(info.expired_keys ?? '0') + Number(info.rdb_last_load_keys_expired ?? '0');
  const there = keysOf(info);
  const gone = expired === 0 ? '' : ` and ${expired} expired`;
  yield finding(
    sumOfKeys(there) + expired === sumOfKeys(recorded) && (expired > 0 || there === recorded),
    'keys',
    `it holds the recorded keys (${there === '' ? 'none' : there}${gone})`,
    `it holds the keys ${there === '' ? 'none' : there}${gone}, the record says ${recorded === '' ? 'none' : recorded}`,
  );
}

/** The append-only files end at the recorded byte: nothing that was acknowledged is missing, and nothing came after. */
function* files(info: Info, record: BackupRecord): Generator<Finding> {
  const { position = {} } = record;
  const { aofBytes: recorded } = position;
  if (!isAppendOnly(record) || recorded === undefined) return;
  const there = aofBytesAs(position, info);
  yield finding(
    String(there) === recorded,
    'position',
    `its append-only files have exactly the recorded ${recorded} bytes`,
    `its append-only files have ${there} bytes, the record says ${recorded}`,
  );
}

/** A dump has the offset in it where the original had replicas; append-only files have none. */
function* offset(info: Info, record: BackupRecord): Generator<Finding> {
  const { replid, offset: recorded } = record.position ?? {};
  if (isAppendOnly(record) || recorded === undefined || info.master_replid2 !== replid) return;
  const there = String(Number(info.second_repl_offset) - 1);
  yield finding(
    there === recorded,
    'position',
    `its dump was made at exactly the recorded offset ${recorded}`,
    `its dump was made at the offset ${there}, the record says ${recorded}`,
  );
}

function finding(holds: boolean, subject: string, yes: string, no: string): Finding {
  return holds
    ? { severity: 'ok', code: 'ok', subject, message: yes }
    : { severity: 'error', code: 'restore-differs', subject, message: no };
}
