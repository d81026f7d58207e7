import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { Passed } from '../../../runner/pipe/dump';
import { restoreFile } from '../../../runner/pipe/restore-file';
import { QuietLog } from '../../support/quiet-log';

const PLAIN = Buffer.alloc(300_000, 'row');
const sha256 = createHash('sha256').update(PLAIN).digest('hex');
const WRITTEN: Passed = {
  plainBytes: PLAIN.length,
  plainSha256: sha256,
  storedBytes: PLAIN.length,
  storedSha256: sha256,
};

async function* chunks(bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

describe('a restore to a file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'restore-file-'));
    path = join(folder, 'dump.rdb');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const options = (signal = new AbortController().signal): Parameters<typeof restoreFile>[3] => ({
    clock: systemClock,
    log: new QuietLog(),
    signal,
    compression: 'none',
  });

  it('has its name when all of it was good, also after an attempt that was killed', async () => {
    writeFileSync(`${path}.partial`, Buffer.alloc(1_000_000));
    await restoreFile(path, chunks(PLAIN), WRITTEN, options());
    expect(readFileSync(path).equals(PLAIN)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['dump.rdb']);
  });

  it('is nothing when it was cut short', async () => {
    const running = restoreFile(path, chunks(PLAIN.subarray(0, -1)), WRITTEN, options());
    await expect(running).rejects.toMatchObject({ code: 'stream-broken' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is nothing when it was told to stop', async () => {
    const caller = new AbortController();
    async function* stopping(): AsyncGenerator<Uint8Array, void> {
      yield PLAIN.subarray(0, 10);
      caller.abort(new Error('the deadline'));
      yield PLAIN.subarray(10);
    }
    await expect(restoreFile(path, stopping(), WRITTEN, options(caller.signal))).rejects.toThrow('the deadline');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('overwrites nothing, not even what comes while it runs', async () => {
    writeFileSync(path, 'mine');
    let read = false;
    async function* watched(): AsyncGenerator<Uint8Array, void> {
      read = true;
      yield PLAIN;
    }
    const exists = { code: 'restore-exists', message: `there is a file ${path} already` };
    await expect(restoreFile(path, watched(), WRITTEN, options())).rejects.toMatchObject(exists);
    expect(read).toBe(false);

    rmSync(path);
    async function* late(): AsyncGenerator<Uint8Array, void> {
      yield PLAIN;
      writeFileSync(path, 'mine');
    }
    await expect(restoreFile(path, late(), WRITTEN, options())).rejects.toMatchObject(exists);
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['dump.rdb']);
  });

  it('says what cannot be written', async () => {
    const nowhere = join(folder, 'no', 'dump.rdb');
    await expect(restoreFile(nowhere, chunks(PLAIN), WRITTEN, options())).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining('ENOENT'),
    });
    expect(existsSync(nowhere)).toBe(false);
  });
});
