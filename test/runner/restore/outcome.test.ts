import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Inspection, PreparedFiles } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import { readOutcome, reporting, shorterInspection, shorterPreparation } from '../../../runner/restore/outcome';

const LIMIT_BYTES = 4096;
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-outcome-'));
  file = join(folder, 'message');
});
afterEach(() => rm(folder, { recursive: true }));

const prepared: PreparedFiles = { dataPath: '/data/pgdata', uid: 999, gid: 999, done: ['wrote backup_label'] };
const message = async (): Promise<string> => readFile(file, 'utf8');

describe('what a pod tells by its termination message', () => {
  test('a result comes back as it was', async () => {
    await reporting(file, shorterPreparation, async () => prepared);
    expect(readOutcome(await message(), 'Job shop/copy')).toEqual(prepared);
  });

  test('an error comes back with its code and hint, and is thrown on where it happened', async () => {
    const error = new StillpointError('restore-differs', 'it is another cluster', { hint: 'look at the snapshots' });
    const failing = reporting(file, shorterPreparation, async () => {
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    const outcome = await message();
    expect(() => readOutcome(outcome, 'Job shop/copy')).toThrow(
      expect.objectContaining({
        code: 'restore-differs',
        message: 'it is another cluster',
        hint: 'look at the snapshots',
      }),
    );
  });

  test('a long result is made to fit, and its path never cut short', async () => {
    const long = { ...prepared, done: Array.from({ length: 40 }, () => 'ä'.repeat(200)) };
    await reporting(file, shorterPreparation, async () => long);
    expect(Buffer.byteLength(await message())).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(readOutcome(await message(), 'Job')).toEqual({ ...prepared, done: ['40 things'] });
  });

  test('a long inspection keeps what differs', async () => {
    const ok = { severity: 'ok', code: 'ok', subject: 's', message: 'm'.repeat(2000) } as const;
    const bad = { severity: 'error', code: 'restore-differs', subject: 's', message: 'it is behind' } as const;
    const inspection: Inspection = { version: '17', identity: {}, position: {}, findings: [ok, ok, bad, ok] };
    await reporting(file, shorterInspection, async () => inspection);
    expect(Buffer.byteLength(await message())).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(readOutcome<Inspection>(await message(), 'Job').findings).toEqual([bad]);
  });

  test('a long error is cut short, and still an error', async () => {
    const failing = reporting(file, shorterPreparation, async () => {
      throw new StillpointError('restore-failed', 'x'.repeat(10_000), { hint: 'y'.repeat(10_000) });
    });
    await expect(failing).rejects.toThrow();
    const outcome = await message();
    expect(Buffer.byteLength(outcome)).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(() => readOutcome(outcome, 'Job')).toThrow(expect.objectContaining({ code: 'restore-failed' }));
  });

  test.each([
    ['the end of a log', 'Error: Cannot find module /app/stillpoint.mjs\n', /Job shop\/copy ended with: Error: Cannot/],
    ['nothing', undefined, /Job shop\/copy ended without a word/],
    ['half an outcome', '{"result":', /ended with: {"result":/],
    ['JSON of somebody else', '{"error":"x"}', /ended with: {"error":"x"}/],
    ['null', 'null', /ended with: null/],
  ])('%s is an error that says so', (_, text, expected) => {
    expect(() => readOutcome(text, 'Job shop/copy')).toThrow(
      expect.objectContaining({ code: 'restore-failed', message: expect.stringMatching(expected) }),
    );
  });

  test('a code that this version does not know becomes restore-failed', () => {
    const text = JSON.stringify({ error: { code: 'invented-later', message: 'm' } });
    expect(() => readOutcome(text, 'Job')).toThrow(expect.objectContaining({ code: 'restore-failed', message: 'm' }));
  });
});
