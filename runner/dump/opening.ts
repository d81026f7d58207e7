/** How a stored dump is opened: by which identities, where it is encrypted. */
import type { RecordedObject } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Identity } from '../pipe/age-keys';
import type { Compression } from '../pipe/compression';
import { decrypted } from '../pipe/encryption';
import type { Opening } from '../pipe/restore';
import type { ObjectStore } from '../storage/object-store';

/** By what the record says of an object, and what was given to open it. Throws key-unusable, decryption-failed, record-unreadable. */
export function openingOf(
  { key, compression, encryption }: RecordedObject,
  identities: readonly Identity[] | undefined,
): Opening {
  const opening = { compression: compression as Compression };
  if (encryption === undefined) {
    if (identities === undefined) return opening;
    // Whoever can write to the store could have put a dump of their own there, with a record that says nothing of encryption.
    throw new StillpointError(
      'decryption-failed',
      `${key} is on record without encryption, and an identity was given for it`,
      {
        hint: 'if it was dumped without recipients, leave identity out',
      },
    );
  }
  const { format, recipients } = encryption;
  if (format !== 'age') {
    throw new StillpointError(
      'record-unreadable',
      `${key} is encrypted by ${format}, which this version does not know`,
    );
  }
  if (identities !== undefined) return { ...opening, identities };
  throw new StillpointError('key-unusable', `${key} is encrypted, and no identity was given to open it`, {
    hint: `name in identity the Secret with that of one of its recipients: ${recipients.join(', ')}`,
  });
}

/** Opens the beginning: that no identity fits is found out before a server is touched. */
export async function tryOpening(
  store: ObjectStore,
  { key }: RecordedObject,
  { identities }: Opening,
  signal: AbortSignal,
): Promise<void> {
  if (identities === undefined) return;
  for await (const _ of decrypted(await store.get(key, { signal }), identities)) return;
}
