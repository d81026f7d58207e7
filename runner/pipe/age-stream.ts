/**
 * The payload of an age file: chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under its own number, the last one told
 * apart by a flag (https://c2sp.org/age, "Payload"). By OpenSSL: the library seals in JavaScript, at an eighth of the speed.
 */
import { type CipherChaCha20Poly1305Types, createCipheriv, createDecipheriv } from 'node:crypto';
import type { Content } from './stages';

const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const CIPHER: CipherChaCha20Poly1305Types = 'chacha20-poly1305';
const HOW = { authTagLength: TAG_BYTES };

/** A chunk that is not what was sealed, at this place in this stream. */
export class NotAuthentic extends Error {
  override readonly name = 'NotAuthentic';

  constructor(
    /** From 0. */
    readonly chunk: number,
    options?: ErrorOptions,
  ) {
    super(`chunk ${chunk} is not authentic`, options);
  }
}

interface Piece {
  /** Good until the next one is asked for. */
  readonly bytes: Buffer;
  readonly last: boolean;
}

/** The content in pieces of one size. Only the last may be shorter; it is empty only when the whole content is. */
async function* pieces(content: Content, size: number): AsyncGenerator<Piece, void> {
  const kept = Buffer.allocUnsafe(size);
  let used = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; ) {
      if (used === size) {
        yield { bytes: kept, last: false };
        used = 0;
      }
      const fits = Math.min(size - used, chunk.length - at);
      kept.set(chunk.subarray(at, at + fits), used);
      used += fits;
      at += fits;
    }
  }
  yield { bytes: kept.subarray(0, used), last: true };
}

/** The nonce of a chunk: its number in 11 bytes, then whether it is the last. */
function nonceOf(chunk: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(chunk, 5, 6);
  nonce.writeUInt8(last ? 1 : 0, 11);
  return nonce;
}

/** Seals a content with a key that seals nothing else. */
export async function* sealed(content: Content, key: Uint8Array): AsyncGenerator<Uint8Array, void> {
  let chunk = 0;
  for await (const { bytes, last } of pieces(content, CHUNK_BYTES)) {
    const cipher = createCipheriv(CIPHER, key, nonceOf(chunk++, last), HOW);
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }
}

/** Opens what was {@link sealed}: nothing that is not authentic is given out, and what was cut short throws {@link NotAuthentic}. */
export async function* unsealed(content: Content, key: () => Uint8Array): AsyncGenerator<Uint8Array, void> {
  let chunk = 0;
  for await (const { bytes, last } of pieces(content, CHUNK_BYTES + TAG_BYTES)) {
    const plain = openChunk(bytes, chunk, last, key());
    // The last chunk of a longer content is never empty: there is one way to seal a content, not two.
    if (plain.length === 0 && chunk > 0) throw new NotAuthentic(chunk);
    chunk++;
    yield plain;
  }
}

function openChunk(bytes: Buffer, chunk: number, last: boolean, key: Uint8Array): Buffer {
  if (bytes.length < TAG_BYTES) throw new NotAuthentic(chunk);
  const decipher = createDecipheriv(CIPHER, key, nonceOf(chunk, last), HOW);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plain = decipher.update(bytes.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw new NotAuthentic(chunk, { cause });
  }
  return plain;
}
