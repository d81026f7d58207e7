/** Whether a restored server is what the record says. Pure. */
import type { BackupRecord } from '../../../src/contract';
import type { Finding } from '../../ports';
import type { ServerFacts } from './facts';

export function compare(
  { identity }: Pick<ServerFacts, 'identity'>,
  position: Readonly<Record<string, string>>,
  record: BackupRecord,
): readonly Finding[] {
  return [compareIdentity(identity, record), compareTransaction(position, record)];
}

function compareIdentity(identity: Readonly<Record<string, string>>, { serverIdentity }: BackupRecord): Finding {
  const subject = 'identity';
  const [copy, original] = [identity.databaseId, serverIdentity?.databaseId];
  if (copy !== undefined && copy === original) {
    return {
      severity: 'ok',
      code: 'ok',
      subject,
      message: `the copy holds database ${identity.database} of the original`,
    };
  }
  const message = `the copy holds database ${copy ?? 'of no id'}, and the backup is of ${original ?? 'none that is known'}`;
  return { severity: 'error', code: 'restore-differs', subject, message };
}

/** What had been committed when the position was read is in the copy; what came after may be. */
function compareTransaction(position: Readonly<Record<string, string>>, record: BackupRecord): Finding {
  const subject = 'position';
  const recorded = Number(record.position?.transaction);
  const there = Number(position.transaction);
  if (Number.isNaN(recorded) || Number.isNaN(there)) {
    const message = 'the number of the last transaction is not known on both sides: they could not be compared';
    return { severity: 'warning', code: 'position-missing', subject, message };
  }
  const counts = `${position.nodes} nodes and ${position.relationships} relationships`;
  return there >= recorded
    ? {
        severity: 'ok',
        code: 'ok',
        subject,
        message: `the copy ends with transaction ${there}, at or after the recorded ${recorded}; it has ${counts}`,
      }
    : {
        severity: 'error',
        code: 'restore-differs',
        subject,
        message: `the copy ends with transaction ${there}, before the recorded ${recorded}: what was committed is missing`,
      };
}
