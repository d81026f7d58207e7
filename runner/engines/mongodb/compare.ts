/** Compares where a restored copy's oplog ends with the position in the record. Pure. */
import type { BackupRecord } from '../../../src/contract';
import type { Finding } from '../../ports';

/** Under a lock the copy has to end exactly there; without one it may go on: what was written until the cut. */
export function comparePosition(newest: string | undefined, { position }: BackupRecord): readonly Finding[] {
  const { opTime, exact } = position ?? {};
  if (opTime === undefined) {
    return [finding('ok', 'the record has no position to compare: the original was a member of no set')];
  }
  if (newest === undefined) {
    return [finding('warning', `the copy has no oplog, and the record names ${opTime}: it could not be compared`)];
  }
  const order = compareTimestamps(newest, opTime);
  if (order === 0) return [finding('ok', `its oplog ends at ${newest}, as the record says`)];
  if (order < 0) {
    return [finding('error', `its oplog ends at ${newest}, before the recorded ${opTime}: what came after is missing`)];
  }
  return exact === 'true'
    ? [finding('error', `its oplog ends at ${newest}, and the record, which is exact, says ${opTime}`)]
    : [finding('ok', `its oplog ends at ${newest}, not before the recorded ${opTime}`)];
}

/** Of `seconds:increment`; the sign says which is later. */
export function compareTimestamps(one: string, other: string): number {
  const [oneSeconds = 0, oneIncrement = 0] = one.split(':').map(Number);
  const [otherSeconds = 0, otherIncrement = 0] = other.split(':').map(Number);
  return Math.sign(oneSeconds - otherSeconds) || Math.sign(oneIncrement - otherIncrement);
}

function finding(severity: 'ok' | 'warning' | 'error', message: string): Finding {
  return { severity, code: severity === 'ok' ? 'ok' : 'restore-differs', subject: 'position', message };
}
