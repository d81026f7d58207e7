/** Signatures of exported backups: Ed25519, by node's own crypto; keys are PEM files, as openssl makes them too. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import type { ExportedBackup } from '../../src/contract';
import { StillpointError } from '../errors';
import { canonicalJson } from './canonical';

/** A pair of keys, in PEM. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  /** What {@link keyName} calls the public key. */
  readonly name: string;
}

/** A new pair of keys. */
export function generateKeys(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    name: keyName(publicKey),
  };
}

/** The document with a signature over all of it. */
export function signed(document: ExportedBackup, pem: string, file: string): ExportedBackup {
  const key = readKey(() => createPrivateKey(pem), file, 'private');
  const value = signBytes(null, signedBytes(document), key).toString('base64');
  return { ...document, signature: { algorithm: 'Ed25519', key: keyName(createPublicKey(key)), value } };
}

/** What {@link keyName} calls the public half of a private key. Throws key-unusable where it is none that signs. */
export function nameOfPrivate(pem: string, file: string): string {
  return keyName(createPublicKey(readKey(() => createPrivateKey(pem), file, 'private')));
}

/**
 * Checks a document's signature; answers with the name of the key. A private key is taken for its public half. Throws
 * signature-invalid: the name of the key in the document is for the message alone, and proves nothing.
 */
export function verified(document: ExportedBackup, pem: string, file: string): string {
  const key = readKey(() => createPublicKey(pem), file, 'public');
  const { signature } = document;
  const name = keyName(key);
  if (signature === undefined) {
    throw invalid('the exported backup carries no signature', 'export it again, with --sign-key');
  }
  if (verifyBytes(null, signedBytes(document), key, Buffer.from(signature.value, 'base64'))) return name;
  throw signature.key === name
    ? invalid(
        `the signature of key ${name} does not fit: the exported backup was altered after it was signed`,
        'do not import it; ask whoever exported it for another copy',
      )
    : invalid(
        `the exported backup says that it was signed by key ${signature.key}, and ${file} holds key ${name}`,
        'name the public key of whoever exported it with --verify-key',
      );
}

/** All that a signature is over. */
function signedBytes({ signature: _, ...document }: ExportedBackup): Buffer {
  return Buffer.from(canonicalJson(document), 'utf8');
}

/** A public key in few characters, for people: the beginning of the SHA-256 of its SPKI form. */
function keyName(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('hex').slice(0, 16)}`;
}

function readKey(read: () => KeyObject, file: string, kind: 'private' | 'public'): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    throw unusable(file, `holds no ${kind} key in PEM`, cause);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw unusable(file, `holds a key of type ${key.asymmetricKeyType}, and only Ed25519 is taken`);
}

function unusable(file: string, why: string, cause?: unknown): StillpointError {
  return new StillpointError('key-unusable', `${file} ${why}`, {
    hint: 'make a pair with `stillpoint keygen`, or with `openssl genpkey -algorithm ed25519`',
    cause,
  });
}

function invalid(message: string, hint: string): StillpointError {
  return new StillpointError('signature-invalid', message, { hint });
}
