import { describe, expect, it } from 'vitest';
import { Connection } from '../../../../runner/engines/mongodb/connection';
import { translate } from '../../../../runner/engines/mongodb/errors';

const numbered = (code: number): Error => Object.assign(new Error('said the server'), { code });
const timedOut = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

describe('what the driver throws', () => {
  it.each([
    ['a wrong password', numbered(18), 'connect', 'authentication-failed'],
    ['a right that is missing', numbered(13), 'command', 'privilege-missing'],
    ['a number that means nothing to a backup', numbered(9), 'command', 'freeze-failed'],
    ['a number while it connects', numbered(9), 'connect', 'server-unreachable'],
    [
      'a name that nobody has',
      Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }),
      'connect',
      'server-unreachable',
    ],
    [
      'a certificate that is not trusted',
      Object.assign(new Error('self'), { code: 'SELF_SIGNED_CERT' }),
      'connect',
      'tls-failed',
    ],
    ['a signal that ran out, whose number is no number of the server', timedOut, 'command', 'session-lost'],
    ['the same while it connects', timedOut, 'connect', 'server-unreachable'],
  ] as const)('%s is told by its code', (_, thrown, phase, code) => {
    expect(translate(thrown, { what: 'asking', phase }).code).toBe(code);
  });

  it('is translated where it was wrapped, too', () => {
    const wrapped = new Error('the driver', { cause: numbered(18) });
    expect(translate(wrapped, { what: 'asking', phase: 'connect' }).code).toBe('authentication-failed');
  });
});

it('a server that is not there is unreachable, for as long as it takes the driver to give up', async () => {
  const target = {
    // Longer than the limit of a try of an idle connection.
    connection: { host: 'nobody-home.invalid', port: 27017, usernameFile: '', connectTimeoutSeconds: 7 },
    username: 'stillpoint',
    password: 'secret',
    tls: undefined,
  };
  const endpoint = { host: 'nobody-home.invalid', port: 27017, name: 'nobody-home.invalid' };
  await expect(Connection.open(target, endpoint, new AbortController().signal)).rejects.toMatchObject({
    code: 'server-unreachable',
  });
});
