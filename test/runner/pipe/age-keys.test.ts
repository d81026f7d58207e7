import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkRecipients, identitiesIn } from '../../../runner/pipe/age-keys';

let identity: string;
let recipient: string;
beforeAll(async () => {
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
});

describe('recipients', () => {
  it('are age keys, several', async () => {
    await expect(checkRecipients([recipient, recipient])).resolves.toBeUndefined();
  });

  it.each<[what: string, recipients: () => readonly string[], message: string]>([
    ['none', () => [], 'there is no recipient to encrypt for'],
    ['a key of SSH', () => ['ssh-ed25519 AAAA me'], '"ssh-ed25519 AAAA me" is no recipient of age'],
    [
      'a letter wrong',
      () => [`${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`],
      'is no recipient of age',
    ],
    [
      'a key of a plugin',
      () => ['age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t'],
      'is no recipient of age',
    ],
    ['one good, one empty', () => [recipient, ''], '"" is no recipient of age'],
  ])('%s', async (_, recipients, message) => {
    await expect(checkRecipients(recipients())).rejects.toMatchObject({
      code: 'key-unusable',
      message: expect.stringContaining(message),
    });
  });

  it('a secret key is refused, and not repeated', async () => {
    for (const secret of [identity, identity.toLowerCase()]) {
      const checking = checkRecipients([secret]);
      await expect(checking).rejects.toMatchObject({
        code: 'key-unusable',
        message: expect.stringContaining('secret key'),
      });
      await expect(checking).rejects.not.toThrow(secret);
    }
  });
});

describe('a file of identities', () => {
  it('is as age-keygen writes it, with several', async () => {
    const other = await generateX25519Identity();
    const text = `# created: 2026-01-01\n# public key: ${recipient}\n${identity}\r\n\n${other}\n`;
    expect(await identitiesIn(text, 'key.txt')).toEqual([identity, other]);
  });

  it.each<[what: string, text: () => string, message: string]>([
    ['empty', () => '# nothing\n\n', 'key.txt holds no identity of age'],
    ['a recipient', () => `# key\n${recipient}\n`, 'line 2 of key.txt is no identity of age'],
    ['cut short', () => identity.slice(0, -4), 'line 1 of key.txt is no identity of age'],
  ])('%s', async (_, text, message) => {
    const reading = identitiesIn(text(), 'key.txt');
    await expect(reading).rejects.toMatchObject({ code: 'key-unusable', message });
    // Whatever prints an error prints its cause as well.
    await expect(reading).rejects.not.toHaveProperty('cause');
  });
});
