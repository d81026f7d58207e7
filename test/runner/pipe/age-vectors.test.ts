import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decrypted } from '../../../runner/pipe/encryption';
import { from, vectors } from './age-vectors.json';

interface Vector {
  readonly expect: string;
  /** The sha256 of the payload. Of a broken one: of what is authentic alone, where we give out a chunk less. */
  readonly payload: string | undefined;
  readonly identities: readonly string[];
  readonly file: Buffer;
}

/** Lines of `key: value`, a blank one, and the file. */
function parse(base64: string): Vector {
  const bytes = Buffer.from(base64, 'base64');
  const end = bytes.indexOf('\n\n');
  const lines = bytes
    .subarray(0, end)
    .toString()
    .split('\n')
    .map((line) => line.split(': '));
  const all = (key: string): string[] => lines.filter(([name]) => name === key).map(([, value]) => value ?? '');
  const file = bytes.subarray(end + 2);
  return {
    expect: all('expect')[0] ?? '',
    payload: all('payload')[0],
    identities: all('identity'),
    file: all('compressed')[0] === 'zlib' ? inflateSync(file) : file,
  };
}

const CODES: Readonly<Record<string, string>> = {
  success: 'success',
  'no match': 'identity-mismatch',
  'header failure': 'decryption-failed',
  'HMAC failure': 'decryption-failed',
  'payload failure': 'decryption-failed',
};

describe(`the test vectors of the age specification: ${from}`, () => {
  it.each(Object.entries(vectors).map(([name, base64]) => [name, parse(base64)] as const))('%s', async (_, vector) => {
    for (const size of [100, 1 << 20]) {
      async function* file(): AsyncGenerator<Uint8Array, void> {
        for (let at = 0; at < vector.file.length; at += size) yield vector.file.subarray(at, at + size);
      }
      const given = createHash('sha256');
      let bytes = 0;
      let ended = 'success';
      try {
        for await (const chunk of decrypted(file(), vector.identities)) {
          given.update(chunk);
          bytes += chunk.length;
        }
      } catch (thrown) {
        ended = (thrown as { readonly code?: string }).code ?? String(thrown);
      }
      expect(ended).toBe(CODES[vector.expect]);
      if (vector.payload === undefined) expect(bytes).toBe(0);
      if (ended === 'success') expect(given.digest('hex')).toBe(vector.payload);
    }
  });
});
