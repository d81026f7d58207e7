/** Looks at a throw-away server beside it in the same pod, through the socket folder that both have mounted. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../src/contract';
import { timeLimit } from '../abort';
import type { Engine, EngineCopy, Inspection } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
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
  /** A folder of scripts to run in the order of their names, once the server is what the record says. */
  readonly scripts?: string | undefined;
  /** A file with the password that the administrator of the copy is to have. */
  readonly passwordFile?: string | undefined;
}

/** Waits until the server accepts connections, and compares it with the record. Throws restore-not-started. */
export async function inspect(context: InspectContext, options: InspectOptions): Promise<Inspection> {
  return reporting(options.resultFile, shorterInspection, async () => {
    const record = await readRecord(options.record);
    const { socketDirectory, timeoutMs } = options;
    using limit = timeLimit(context.clock, timeoutMs, () => notStarted(timeoutMs / 1000));
    const signal = AbortSignal.any([context.signal, limit.signal]);
    const { restore } = await context.engineOf(record);
    const inspection = await restore.inspect(socketDirectory, record, signal);
    for (const { severity, message } of inspection.findings) context.log.info({ severity }, message);
    const sound = inspection.findings.every(({ severity }) => severity !== 'error');
    if (sound && restore.copy !== undefined) await open(context, options, restore.copy, record, signal);
    return inspection;
  });
}

/** What is done to a copy before anybody else reaches it. */
async function open(
  { log }: InspectContext,
  { scripts, passwordFile, socketDirectory }: InspectOptions,
  copy: EngineCopy,
  record: BackupRecord,
  signal: AbortSignal,
): Promise<void> {
  // Kubernetes mounts a ConfigMap by links whose names begin with two dots.
  const names = scripts === undefined ? [] : (await readdir(scripts)).filter((name) => !name.startsWith('.')).sort();
  for (const name of names) {
    const text = await readFile(join(scripts ?? '', name), 'utf8');
    try {
      await copy.run(socketDirectory, record, { name, text }, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const { message } = asStillpointError(thrown);
      throw new StillpointError(
        'clone-script-failed',
        `script ${name} failed, and the clone stays closed: ${message}`,
        {
          hint: 'mend it, and run the same command again',
          cause: thrown,
        },
      );
    }
    log.info({ script: name }, `ran ${name}`);
  }
  if (passwordFile === undefined) return;
  await copy.login(socketDirectory, record, (await readFile(passwordFile, 'utf8')).trim(), signal);
}

function notStarted(seconds: number): StillpointError {
  return new StillpointError('restore-not-started', `the server accepted no connection within ${seconds} s`, {
    hint: 'the log of container server says why; --timeout gives it longer',
  });
}
