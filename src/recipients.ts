import type { Construct } from 'constructs';
import { AGE_RECIPIENT_PATTERN } from './contract';
import type { DumpPolicyProps } from './dump-props';
import { invalid } from './invalid';

/**
 * Checks the public keys of a policy. A secret key among them is not repeated: the error would carry it on.
 *
 * @internal
 */
export function checkRecipients(construct: Construct, { recipients }: Pick<DumpPolicyProps, 'recipients'>): void {
  if (recipients === undefined) return;
  const wrong = recipients.find((recipient) => !new RegExp(AGE_RECIPIENT_PATTERN).test(recipient));
  if (recipients.length > 0 && wrong === undefined) return;
  if (wrong !== undefined && /AGE-SECRET-KEY-/i.test(wrong)) {
    throw invalid(
      construct,
      'has a secret key of age among its recipients',
      'take it for known to others, make a new one with age-keygen, and name its public key: age1…',
    );
  }
  throw invalid(
    construct,
    wrong === undefined
      ? 'has an empty list of recipients'
      : `has the recipient "${wrong}", which is no public key of age`,
    'name what age-keygen -y says of an identity: age1…; or leave recipients out',
  );
}
