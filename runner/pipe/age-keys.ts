/** Keys of age, as people have them: recipients in a policy, identities in a file that `age-keygen` wrote. */
import { StillpointError } from '../errors';

/** What everybody may know: a dump that is encrypted for it is opened by its identity. `age1…` */
export type Recipient = string;

/** What opens a dump. Never logged, never in an error. `AGE-SECRET-KEY-…` */
export type Identity = string;

/** Throws key-unusable unless each recipient is one of age's own. */
export async function checkRecipients(recipients: readonly Recipient[]): Promise<void> {
  if (recipients.length === 0) {
    throw new StillpointError('key-unusable', 'there is no recipient to encrypt for', {
      hint: 'name the public keys of the age identities that may open the dump: age1…',
    });
  }
  const { Encrypter } = await import('age-encryption');
  for (const recipient of recipients) checkRecipient(recipient, () => new Encrypter().addRecipient(recipient));
}

function checkRecipient(recipient: Recipient, parse: () => void): void {
  // The one mistake that tells a secret to everybody who reads the policy, or this error.
  if (/AGE-SECRET-KEY-/i.test(recipient)) {
    throw new StillpointError('key-unusable', 'a secret key of age stands where a recipient belongs', {
      hint: 'take it for known to others, make a new one with age-keygen, and name its public key: age1…',
    });
  }
  try {
    parse();
  } catch (cause) {
    throw new StillpointError('key-unusable', `"${recipient}" is no recipient of age`, {
      hint: 'age-keygen -y says the recipient of an identity: age1…; keys of SSH, of plugins and post-quantum ones are not understood',
      cause,
    });
  }
}

/** The identities in the text of a file: one a line, after comments. Throws key-unusable, and never says what it has read. */
export async function identitiesIn(text: string, file: string): Promise<readonly [Identity, ...Identity[]]> {
  const { Decrypter } = await import('age-encryption');
  const lines = text
    .split('\n')
    .map((line, at) => ({ text: line.trim(), number: at + 1 }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));
  for (const line of lines) {
    try {
      new Decrypter().addIdentity(line.text);
    } catch {
      // No cause: it may quote the line.
      throw new StillpointError('key-unusable', `line ${line.number} of ${file} is no identity of age`, {
        hint: 'the file is as age-keygen writes it: AGE-SECRET-KEY-…; passphrases, SSH keys and plugins are not understood',
      });
    }
  }
  const [first, ...rest] = lines.map((line) => line.text);
  if (first === undefined) {
    throw new StillpointError('key-unusable', `${file} holds no identity of age`, {
      hint: 'give the file that age-keygen wrote, with a line AGE-SECRET-KEY-…',
    });
  }
  return [first, ...rest];
}
