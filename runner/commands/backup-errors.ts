/** What a backup says when it cannot go on: the sentences that are its own. Those of checks and engines stand with them. */
import type { BackupRecord } from '../../src/contract';
import { StillpointError } from '../errors';
import type { NotUndone } from './undo-held';

/** Exit code 3 says that nothing was touched: not any more, whatever it is that came in between. */
export function failedInTheMiddle(error: StillpointError): StillpointError {
  const { code, message, hint, exitCode } = error;
  if (exitCode !== 3) return error;
  return new StillpointError(code, message, { cause: error, exitCode: 4, ...(hint === undefined ? {} : { hint }) });
}

/** An earlier freeze could not be undone: what it changed would be taken for what was there before. */
export function freezeLeft({ record, error }: NotUndone): StillpointError {
  return new StillpointError('freeze-left', `what backup ${record.id} holds could not be undone: ${error.message}`, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** After the last cut it is not the server any more that it was before the first. */
export function changed(message: string): StillpointError {
  return new StillpointError('server-changed', message, {
    hint: 'a failover or a restart happened meanwhile: run the backup again',
  });
}

export function notReady({ id }: BackupRecord, seconds: number): StillpointError {
  return new StillpointError('ready-timeout', `the snapshots of backup ${id} were not ready after ${seconds} s`, {
    hint: 'the cuts were made in time; if the storage is only slow to upload them, raise readyTimeoutSeconds',
  });
}

export function planMissing(): never {
  throw new StillpointError('internal', 'the checks found no error, but made no plan');
}
