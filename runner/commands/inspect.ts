/** Looks at a throw-away server beside it in the same pod, through the socket folder that both have mounted. */
import type { BackupRecord } from '../../src/contract';
import { timeLimit } from '../abort';
import type { Engine, Inspection } from '../engine';
import { StillpointError } from '../errors';
import type { Clock, Log } from '../ports';
import { reporting, shorterInspection } from '../restore/outcome';
import { type RecordSource, readRecord } from '../restore/record-source';

/** What the inspection needs of the world. */
export interface InspectContext {
  readonly engineOf: (record: BackupRecord) => Promise<Engine>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What to inspect. */
export interface InspectOptions {
  readonly record: RecordSource;
  readonly socketDirectory: string;
  /** How long the server may take until it accepts connections: recovery reads the whole log since the checkpoint. */
  readonly timeoutMs: number;
  readonly resultFile?: string | undefined;
}

/** Waits until the server accepts connections, and compares it with the record. Throws restore-not-started. */
export async function inspect(context: InspectContext, options: InspectOptions): Promise<Inspection> {
  return reporting(options.resultFile, shorterInspection, async () => {
    const record = await readRecord(options.record);
    const { socketDirectory, timeoutMs } = options;
    using limit = timeLimit(context.clock, timeoutMs, () => notStarted(timeoutMs / 1000));
    const signal = AbortSignal.any([context.signal, limit.signal]);
    const inspection = await (await context.engineOf(record)).restore.inspect(socketDirectory, record, signal);
    for (const { severity, message } of inspection.findings) context.log.info({ severity }, message);
    return inspection;
  });
}

function notStarted(seconds: number): StillpointError {
  return new StillpointError('restore-not-started', `the server accepted no connection within ${seconds} s`, {
    hint: 'the log of container server says why; --timeout gives it longer',
  });
}
