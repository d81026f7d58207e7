import { describe, expect, it } from 'vitest';
import { numberOf, translate } from '../../../../runner/engines/mysql/errors';

const thrown = (fields: object): Error => Object.assign(new Error('no'), fields);

describe('errors of the driver and the server', () => {
  it.each([
    [{ errno: 1045, code: 'ER_ACCESS_DENIED_ERROR' }, 'connect', 'authentication-failed'],
    [{ errno: 1040 }, 'connect', 'server-unreachable'],
    [{ errno: -111, code: 'ECONNREFUSED' }, 'connect', 'server-unreachable'],
    [{ code: 'HANDSHAKE_NO_SSL_SUPPORT' }, 'connect', 'tls-failed'],
    [{ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'connect', 'tls-failed'],
    [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'connect', 'tls-failed'],
    [{ errno: 1205, code: 'ER_LOCK_WAIT_TIMEOUT' }, 'statement', 'freeze-timeout'],
    [{ errno: 1227 }, 'statement', 'privilege-missing'],
    [{ errno: 1064 }, 'statement', 'freeze-failed'],
    [{ errno: 4031 }, 'statement', 'session-lost'],
    [{ code: 'PROTOCOL_CONNECTION_LOST' }, 'statement', 'session-lost'],
  ] as const)('%o while it was a %s', (fields, phase, code) => {
    expect(translate(thrown(fields), { what: 'it', phase })).toMatchObject({
      code,
      message: expect.stringMatching(/^it failed: no/),
    });
  });

  it("tell the server's numbers from Node's", () => {
    expect(numberOf(thrown({ errno: 4147 }))).toBe(4147);
    expect(numberOf(thrown({ errno: -111, code: 'ECONNREFUSED' }))).toBeUndefined();
    expect(numberOf(undefined)).toBeUndefined();
  });
});
