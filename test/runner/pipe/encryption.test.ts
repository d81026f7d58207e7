import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decrypted, encrypted } from '../../../runner/pipe/encryption';
import type { Content } from '../../../runner/pipe/stages';

const CHUNK = 65_536;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17];

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const whole = (content: Content): Promise<Buffer> => buffer(content as AsyncIterable<Buffer>);

/** Bytes of which none looks like its neighbour. */
const plainOf = (size: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31 + at / 251) & 255));

let identity: string;
let recipient: string;
beforeAll(async () => {
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
});

const seal = (plain: Uint8Array): Promise<Buffer> => whole(encrypted(inPieces(plain, 10_000), [recipient]));

describe('what is encrypted', () => {
  it.each(SIZES)('is opened by the library, and what that encrypts by us: %d bytes', async (size) => {
    const plain = plainOf(size);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    expect(plain.equals(await decrypter.decrypt(await seal(plain)))).toBe(true);

    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    const theirs = await encrypter.encrypt(plain);
    for (const pieceSize of [7, CHUNK, theirs.length]) {
      expect(plain.equals(await whole(decrypted(inPieces(theirs, pieceSize), [identity])))).toBe(true);
    }
    expect(theirs.length).toBe((await seal(plain)).length);
  });

  it('is opened by each of its recipients alone, and by no other', async () => {
    const [second, third, stranger] = [
      await generateX25519Identity(),
      await generateX25519Identity(),
      await generateX25519Identity(),
    ];
    const plain = plainOf(100_000);
    const recipients = await Promise.all([identity, second, third].map(identityToRecipient));
    const stored = await whole(encrypted(inPieces(plain, CHUNK), recipients));
    for (const own of [[identity], [second], [third], [stranger, third]]) {
      expect(plain.equals(await whole(decrypted(inPieces(stored, CHUNK), own)))).toBe(true);
    }
    await expect(whole(decrypted(inPieces(stored, CHUNK), [stranger]))).rejects.toMatchObject({
      code: 'identity-mismatch',
      message: 'the dump is encrypted for other keys than the 1 given',
    });
  });

  it('is another thing each time', async () => {
    const [one, other] = [await seal(plainOf(1000)), await seal(plainOf(1000))];
    expect(one.subarray(-1000).equals(other.subarray(-1000))).toBe(false);
  });

  it('is made no faster than it is taken', async () => {
    let made = 0;
    async function* source(): AsyncGenerator<Uint8Array, void> {
      for (; made < 1000; made++) yield Buffer.alloc(CHUNK);
    }
    const stored = encrypted(source(), [recipient]);
    for (let taken = 0; taken < 10; taken++) {
      await stored.next();
      expect(made).toBeLessThanOrEqual(taken + 2);
    }
    await stored.return();
    expect(made).toBeLessThan(13);
  });
});

describe('what was altered is refused, and nothing of what is not authentic is given out', () => {
  const PLAIN = plainOf(3 * CHUNK + 500);
  const SEALED = CHUNK + 16;
  let stored: Buffer;
  /** Where the payload's first chunk begins. */
  let body: number;
  beforeAll(async () => {
    stored = await seal(PLAIN);
    body = stored.length - (3 * SEALED + 516);
  });
  const chunk = (n: number): Buffer =>
    stored.subarray(body + n * SEALED, Math.min(body + (n + 1) * SEALED, stored.length));
  const flipped = (at: number): Buffer => {
    const copy = Buffer.from(stored);
    copy[at < 0 ? copy.length + at : at] = (copy.at(at) ?? 0) ^ 1;
    return copy;
  };
  const head = (): Buffer => stored.subarray(0, body);

  it.each<[what: string, content: () => Buffer, goodChunks: number | 'no header']>([
    ['a bit of the first chunk', () => flipped(body + 5), 0],
    ['a bit of the second chunk', () => flipped(body + SEALED + 5), 1],
    ['a bit of the last tag', () => flipped(-1), 3],
    ['a bit of the nonce', () => flipped(body - 1), 0],
    ['a byte less', () => stored.subarray(0, -1), 3],
    ['cut between two chunks', () => stored.subarray(0, body + 2 * SEALED), 1],
    ['cut after the nonce', () => head(), 0],
    ['cut in the nonce', () => stored.subarray(0, body - 3), 'no header'],
    ['cut in the header', () => stored.subarray(0, 60), 'no header'],
    ['empty', () => Buffer.alloc(0), 'no header'],
    ['a byte more', () => Buffer.concat([stored, Buffer.alloc(1)]), 3],
    ['a whole chunk more', () => Buffer.concat([stored, chunk(0)]), 3],
    ['its last chunk twice', () => Buffer.concat([stored, chunk(3)]), 3],
    ['two chunks exchanged', () => Buffer.concat([head(), chunk(1), chunk(0), chunk(2), chunk(3)]), 0],
    ['a chunk left out', () => Buffer.concat([head(), chunk(0), chunk(2), chunk(3)]), 1],
    ['not encrypted at all', () => PLAIN, 'no header'],
    ['a bit of the header MAC', () => flipped(body - 16 - 10), 'no header'],
    [
      'a header without end',
      () => Buffer.concat([Buffer.from('age-encryption.org/v1\n'), Buffer.alloc(2 << 20, '-')]),
      'no header',
    ],
  ])('%s', async (_, content, goodChunks) => {
    for (const size of [1_000, 1 << 20]) {
      const given: Uint8Array[] = [];
      const reading = (async () => {
        for await (const plain of decrypted(inPieces(content(), size), [identity])) given.push(plain);
      })();
      await expect(reading).rejects.toMatchObject({
        code: 'decryption-failed',
        message: expect.stringContaining(goodChunks === 'no header' ? 'has no whole header' : 'is not authentic'),
      });
      const good = goodChunks === 'no header' ? 0 : goodChunks * CHUNK;
      expect(Buffer.concat(given).equals(PLAIN.subarray(0, good))).toBe(true);
    }
  });

  it('another recipient in the header', async () => {
    const other = await identityToRecipient(await generateX25519Identity());
    const theirs = await whole(encrypted(inPieces(PLAIN, CHUNK), [other]));
    // The payload of the one under the header of the other: its key does not fit.
    const mixed = Buffer.concat([head(), theirs.subarray(body)]);
    await expect(whole(decrypted(inPieces(mixed, CHUNK), [identity]))).rejects.toMatchObject({
      code: 'decryption-failed',
    });
  });
});

const AGE = spawnSync('age', ['--version']).status === 0;

describe.skipIf(!AGE)('the age command itself, where the machine has it', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'age-'));
    writeFileSync(join(folder, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const age = (args: readonly string[], input: Uint8Array): Buffer =>
    execFileSync('age', args, { input, maxBuffer: 1 << 24, stdio: ['pipe', 'pipe', 'pipe'] });

  it.each(SIZES)('undoes ours, and we undo its: %d bytes', async (size) => {
    const plain = plainOf(size);
    expect(plain.equals(age(['--decrypt', '--identity', join(folder, 'key.txt')], await seal(plain)))).toBe(true);
    const theirs = age(['--encrypt', '--recipient', recipient], plain);
    expect(plain.equals(await whole(decrypted(inPieces(theirs, 10_000), [identity])))).toBe(true);
  });

  it('refuses ours with one bit changed', async () => {
    const stored = await seal(plainOf(100));
    stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1;
    expect(() => age(['--decrypt', '--identity', join(folder, 'key.txt')], stored)).toThrow(/failed to decrypt/);
  });
});
