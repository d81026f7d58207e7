/** Encryption as age does it, so that the `age` command alone can undo it. The header by the library, the payload by OpenSSL. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { StillpointError } from '../errors';
import type { Identity, Recipient } from './age-keys';
import { NotAuthentic, sealed, unsealed } from './age-stream';
import type { Content } from './stages';

/** What the name of an encrypted file ends with, after that of its compression. */
export const ENCRYPTED_EXTENSION = '.age';

const START = 'age-encryption.org/';
const NONCE_BYTES = 16;
/** What ends a file of an empty content, which is nothing but the tag of its only chunk. */
const EMPTY_PAYLOAD_BYTES = NONCE_BYTES + 16;
/** A recipient takes up to 1.6 kB: more is no header. */
const MAX_HEADER_BYTES = 1024 * 1024;

const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32));

/** The content for those who hold the identity of one of the recipients. */
export async function* encrypted(content: Content, recipients: readonly Recipient[]): AsyncGenerator<Uint8Array, void> {
  const { header, fileKey } = await newHeader(recipients);
  const nonce = randomBytes(NONCE_BYTES);
  yield Buffer.concat([header, nonce]);
  yield* sealed(content, payloadKey(fileKey, nonce));
}

/** A header of the library's, and the file key that it holds for each recipient. */
async function newHeader(recipients: readonly Recipient[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  let fileKey: Uint8Array | undefined;
  // The library shows the file key to each recipient. This one adds nothing to the header.
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = key.slice();
      return [];
    },
  });
  const file = await encrypter.encrypt(new Uint8Array());
  if (fileKey === undefined) throw new Error('age-encryption has asked no recipient');
  return { header: file.subarray(0, -EMPTY_PAYLOAD_BYTES), fileKey };
}

/**
 * What was {@link encrypted}. Ends only when its last chunk was authentic and nothing came after it; throws
 * identity-mismatch when none of the identities opens it, decryption-failed when it was altered, or cut short.
 */
export async function* decrypted(content: Content, identities: readonly Identity[]): AsyncGenerator<Uint8Array, void> {
  let key: Uint8Array | undefined;
  async function* payload(): AsyncGenerator<Uint8Array, void> {
    let head = Buffer.alloc(0);
    for await (const chunk of content) {
      if (key !== undefined) {
        yield chunk;
        continue;
      }
      head = Buffer.concat([head, chunk]);
      const length = headerLength(head);
      if (length === undefined || head.length < length + NONCE_BYTES) continue;
      const fileKey = await fileKeyOf(head.subarray(0, length), identities);
      key = payloadKey(fileKey, head.subarray(length, length + NONCE_BYTES));
      yield head.subarray(length + NONCE_BYTES);
    }
    if (key === undefined) throw notAge();
  }
  try {
    yield* unsealed(payload(), () => key as Uint8Array);
  } catch (thrown) {
    if (!(thrown instanceof NotAuthentic)) throw thrown;
    throw new StillpointError(
      'decryption-failed',
      `the encrypted dump was altered or cut short: its chunk ${thrown.chunk} is not authentic`,
      { hint: 'take another backup, or another copy of this one', cause: thrown },
    );
  }
}

/** How long the header is, once it has come to its end. */
function headerLength(head: Buffer): number | undefined {
  const seen = head.subarray(0, START.length);
  if (!START.startsWith(seen.toString('latin1'))) throw notAge();
  const macLine = head.indexOf('\n--- ');
  const end = macLine < 0 ? -1 : head.indexOf('\n', macLine + 1);
  if (end >= 0) return end + 1;
  if (head.length > MAX_HEADER_BYTES) throw notAge();
  return undefined;
}

const notAge = (cause?: unknown): StillpointError =>
  new StillpointError('decryption-failed', 'the encrypted dump has no whole header of age', {
    hint: 'it was altered or cut short: take another backup, or another copy of this one',
    cause,
  });

async function fileKeyOf(header: Uint8Array, identities: readonly Identity[]): Promise<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  let matched = true;
  // Asked last, and only when no other has opened it.
  decrypter.addIdentity({
    unwrapFileKey: () => {
      matched = false;
      return null;
    },
  });
  try {
    return await decrypter.decryptHeader(header);
  } catch (cause) {
    if (matched) throw notAge(cause);
    throw new StillpointError(
      'identity-mismatch',
      `the dump is encrypted for other keys than the ${identities.length} given`,
      { hint: 'give the file with the identity of one of its recipients: its record names them' },
    );
  }
}
