/** A backup of a server under load, and a server of the user's own on what was restored of it. */
import { expect, onTestFinished } from 'vitest';
import type { BackupRecord } from '../../../src/contract';
import { compareLedger, type LedgerOptions, type LedgerVerdict, LedgerWriter } from '../../ledger/writer';
import { succeeded, takeBackup } from '../harness/backup';
import { KINDS, remove } from '../harness/cluster';
import { uniqueName } from '../harness/namespace';
import type { TestPolicy } from '../harness/policy';
import { stillpoint } from '../harness/stillpoint';
import type { TestClient, TestServer } from './adapter';

/** A new ledger at a server, written to until it is disposed of. */
export async function startLedger(
  server: Pick<LedgerOptions, 'connect'>,
  options: Pick<LedgerOptions, 'writers' | 'everyMs'> = {},
): Promise<LedgerWriter & AsyncDisposable> {
  const client = await server.connect();
  await client.forget();
  await client.end();
  // The clock of the records: the runners' pods have that of this machine.
  const ledger = await LedgerWriter.start({ connect: server.connect, now: Date.now, ...options });
  return Object.assign(ledger, { [Symbol.asyncDispose]: () => ledger.stop().catch(() => undefined) });
}

/** A ledger of several writers that is under way, until the test ends: for servers that share the rows. */
export async function sharedLedger(connect: LedgerOptions['connect']): Promise<LedgerWriter> {
  const ledger = await startLedger({ connect }, { writers: 4 });
  onTestFinished(() => ledger[Symbol.asyncDispose]());
  await ledger.more(200);
  return ledger;
}

/** A backup that was taken while a ledger was written to. */
export interface BackupUnderLoad {
  readonly record: BackupRecord;
  readonly ledger: LedgerWriter;
  /** How many changes the server's position stands for beyond the rows of the ledger; undefined where it counts none. */
  readonly others: number | undefined;
}

/** Takes it. The ledger has ended when it is there. */
export async function backupUnderLoad(server: TestServer, policy: TestPolicy): Promise<BackupUnderLoad> {
  await using ledger = await startLedger(server);
  await ledger.more(100);
  const record = succeeded(await takeBackup(policy));
  await ledger.more(20);
  await ledger.stop();
  const client = await server.connect();
  const changes = await client.changes?.();
  const others = changes === undefined ? undefined : changes - (await client.numbers()).length;
  await client.end();
  return { record, ledger, others };
}

/** What a restored ledger lacks, and what it has too many. */
export function verdictOn({ record, ledger }: BackupUnderLoad, rows: readonly number[]): LedgerVerdict {
  return compareLedger(ledger.rows, rows, {
    firstAsked: Date.parse(record.times.firstAsked ?? ''),
    lastSeen: Date.parse(record.times.lastCutSeen ?? ''),
  });
}

/** Restores a backup into new claims, and starts a server on them. Disposed of, the server is gone. */
export async function startRestored(server: TestServer, record: BackupRecord): Promise<TestClient & AsyncDisposable> {
  const name = uniqueName('copy');
  const volumes = Object.keys(server.claims);
  const claims = Object.fromEntries(volumes.map((volume) => [volume, `${name}-${volume}`]));
  const wanted = volumes.flatMap((volume) => [
    '--claim',
    volumes.length > 1 ? `${volume}=${claims[volume]}` : `${claims[volume]}`,
  ]);
  const restored = await stillpoint('restore', pathOf(record), ...wanted);
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const client = await server.startCopy(name, claims);
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      await client.end();
      await remove(KINDS.pod, name, server.namespace);
    },
  });
}

/** What a throw-away server on a restored backup says, by its own checks: `ok`, or what is wrong. */
export async function inspectRestored(record: BackupRecord): Promise<readonly string[]> {
  const name = uniqueName('seen');
  const volumes = record.volumes.map((volume) => volume.name);
  const wanted = volumes.flatMap((volume) => ['--claim', volumes.length > 1 ? `${volume}=${name}-${volume}` : name]);
  const started = await stillpoint('restore', pathOf(record), ...wanted, '--start', '-o', 'json');
  expect(started, `${started.stdout}${started.stderr}`).toMatchObject({ exitCode: 0 });
  const { inspection } = JSON.parse(started.stdout).server as {
    inspection: { findings: { severity: string; message: string }[] };
  };
  return inspection.findings.map(({ severity, message }) => (severity === 'ok' ? severity : message));
}

/** A backup as the command line names it. */
export function pathOf({ namespace, database, id }: BackupRecord): string {
  return `${namespace}/${database}/${id}`;
}
