import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { Compression } from '../../../runner/pipe/compression';
import type { Passed, PipeOptions } from '../../../runner/pipe/dump';
import { restore } from '../../../runner/pipe/restore';
import type { Content } from '../../../runner/pipe/stages';
import { QuietLog } from '../../support/quiet-log';
import { scripted } from './scripted-tool';

const PLAIN = Buffer.from(Array.from({ length: 50_000 }, (_, i) => `insert ${i}\n`).join(''));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const written = (stored: Buffer): Passed => ({
  plainBytes: PLAIN.length,
  plainSha256: sha256(PLAIN),
  storedBytes: stored.length,
  storedSha256: sha256(stored),
});

/** With one bit changed, so far from its end. */
function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at] = (copy.at(at) ?? 0) ^ 1;
  return copy;
}

async function* chunks(bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

const options = (compression: Compression, signal = new AbortController().signal): PipeOptions => ({
  clock: systemClock,
  log: new QuietLog(),
  environment: process.env,
  signal,
  compression,
  graceMs: 100,
});

/** Reads until the end and commits then, as psql does in one transaction: the file is there only when it saw an end. */
const committing = (file: string): string => `const fs = require('node:fs'); const all = [];
  process.stdin.on('data', (chunk) => all.push(chunk)).on('end', () => fs.writeFileSync(${JSON.stringify(file)}, Buffer.concat(all)))`;

describe('a restore', () => {
  let folder: string;
  let committed: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'restore-'));
    committed = join(folder, 'committed');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each<[Compression, Buffer]>([
    ['none', PLAIN],
    ['gzip', gzipSync(PLAIN)],
    ['zstd', zstdCompressSync(PLAIN)],
  ])('of %s gives the tool what was dumped', async (compression, stored) => {
    await restore(scripted(committing(committed)), chunks(stored), written(stored), options(compression));
    expect(readFileSync(committed).equals(PLAIN)).toBe(true);
  });

  const stored = zstdCompressSync(PLAIN);
  const flipped = flip(stored, -20);
  it.each<[what: string, compression: Compression, content: Buffer, of: Passed]>([
    ['is cut short', 'none', PLAIN.subarray(0, -1), written(PLAIN)],
    ['is longer', 'none', Buffer.concat([PLAIN, PLAIN.subarray(0, 1)]), written(PLAIN)],
    ['has another byte', 'none', Buffer.concat([PLAIN.subarray(0, -2), Buffer.from('x\n')]), written(PLAIN)],
    ['is compressed, and is cut short', 'zstd', stored.subarray(0, -100), written(stored)],
    ['is compressed, and has another bit', 'zstd', flipped, written(stored)],
    ['is stored well, of another dump', 'zstd', stored, { ...written(stored), plainSha256: sha256(stored) }],
  ])('of a dump that %s commits nothing', async (_, compression, content, of) => {
    const running = restore(scripted(committing(committed)), chunks(content), of, options(compression));
    await expect(running).rejects.toMatchObject({ code: 'stream-broken' });
    expect(existsSync(committed)).toBe(false);
  });

  describe('of an encrypted dump', () => {
    let identity: string;
    let encrypted: Buffer;
    beforeAll(async () => {
      identity = await generateX25519Identity();
      const encrypter = new Encrypter();
      encrypter.addRecipient(await identityToRecipient(identity));
      encrypted = Buffer.from(await encrypter.encrypt(stored));
    });
    const running = (content: Buffer, identities: readonly string[] | undefined, compression: Compression = 'zstd') =>
      // As if the record had been altered to fit: the encryption alone tells.
      restore(scripted(committing(committed)), chunks(content), written(content), {
        ...options(compression),
        identities,
      });

    it('gives the tool what was dumped', async () => {
      await running(encrypted, [identity]);
      expect(readFileSync(committed).equals(PLAIN)).toBe(true);
    });

    it.each<[what: string, code: string, start: () => Promise<void>]>([
      ['altered', 'decryption-failed', () => running(flip(encrypted, -100), [identity])],
      ['cut short', 'decryption-failed', () => running(encrypted.subarray(0, -1), [identity])],
      ['not encrypted', 'decryption-failed', () => running(stored, [identity])],
      ['without its key', 'stream-broken', () => running(encrypted, undefined)],
    ])('%s commits nothing', async (_, code, start) => {
      await expect(start()).rejects.toMatchObject({ code });
      expect(existsSync(committed)).toBe(false);
    });

    it('with another key commits nothing, and does not say the key', async () => {
      const other = await generateX25519Identity();
      const refused = running(encrypted, [other]);
      await expect(refused).rejects.toMatchObject({ code: 'identity-mismatch' });
      await expect(refused).rejects.not.toThrow(other);
      expect(existsSync(committed)).toBe(false);
    });

    it('is not good before its end was seen, though the decompressor is done', async () => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(await identityToRecipient(identity));
      // gzip is done at the end of its own data, whatever follows.
      const content = Buffer.from(await encrypter.encrypt(Buffer.concat([gzipSync(PLAIN), Buffer.alloc(200_000)])));
      const over = Promise.withResolvers<void>();
      async function* endless(): AsyncGenerator<Uint8Array, void> {
        yield content;
        await over.promise;
      }
      const tool = scripted(committing(committed));
      const running = restore(tool, endless(), written(content), { ...options('gzip'), identities: [identity] });
      await expect(running).rejects.toMatchObject({
        code: 'stream-broken',
        message: 'the stored dump goes on after the end of the dump in it',
      });
      over.resolve();
      expect(existsSync(committed)).toBe(false);
    });
  });

  it('gives the tool what is left of the dump, when all of that was read', async () => {
    async function* upper(content: Content): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of content) yield Buffer.from(Buffer.from(chunk).toString().toUpperCase());
    }
    const tool = scripted(committing(committed), { refine: upper });
    await restore(tool, chunks(stored), written(stored), options('zstd'));
    expect(readFileSync(committed, 'utf8')).toBe(PLAIN.toString().toUpperCase());
    rmSync(committed);

    async function* hasty(content: Content): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of content) return yield chunk;
    }
    const other = scripted(committing(committed), { refine: hasty });
    await expect(restore(other, chunks(stored), written(stored), options('zstd'))).rejects.toMatchObject({
      code: 'stream-broken',
    });
    expect(existsSync(committed)).toBe(false);
  });

  it('tells what the tool said when that stops at an error', async () => {
    const script = `process.stdin.once('data', () => { console.error('ERROR: no such role'); process.exit(3); })`;
    const running = restore(scripted(script), chunks(PLAIN), written(PLAIN), options('none'));
    await expect(running).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringContaining('exit code 3, and said "ERROR: no such role"'),
    });
  });

  it('is none when the tool ends well without having read everything', async () => {
    const big = Buffer.alloc(4 << 20, 'x');
    const of = { plainBytes: big.length, plainSha256: sha256(big), storedBytes: big.length, storedSha256: sha256(big) };
    const script = `process.stdin.once('data', () => process.exit(0))`;
    await expect(restore(scripted(script), chunks(big), of, options('none'))).rejects.toMatchObject({
      code: 'stream-broken',
    });
  });

  it('ends with its caller, and commits nothing', async () => {
    const caller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      yield PLAIN;
      caller.abort(new Error('the deadline'));
      yield PLAIN;
    }
    const running = restore(scripted(committing(committed)), endless(), written(PLAIN), options('none', caller.signal));
    await expect(running).rejects.toThrow('the deadline');
    expect(existsSync(committed)).toBe(false);
  });
});
