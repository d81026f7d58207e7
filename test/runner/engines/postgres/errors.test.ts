import { describe, expect, it } from 'vitest';
import { translate } from '../../../../runner/engines/postgres/errors';

const coded = (code: string, message = 'something'): Error => Object.assign(new Error(message), { code });

describe('translating what the driver throws', () => {
  it.each([
    ['a wrong password', coded('28P01'), 'login', 'authentication-failed'],
    ['no line in pg_hba.conf', coded('28000'), 'login', 'authentication-failed'],
    [
      'no password where one is wanted',
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password'),
      'login',
      'authentication-failed',
    ],
    ['a server that starts up', coded('57P03'), 'login', 'server-unreachable'],
    ['too many connections', coded('53300'), 'login', 'server-unreachable'],
    ['a database that does not exist', coded('3D000'), 'login', 'config-invalid'],
    ['nobody at the port', coded('ECONNREFUSED'), 'login', 'server-unreachable'],
    ['a name that does not resolve', coded('ENOTFOUND'), 'tls', 'server-unreachable'],
    [
      'two addresses, nobody at either',
      new AggregateError([coded('ECONNREFUSED'), coded('EHOSTUNREACH')]),
      'login',
      'server-unreachable',
    ],
    ['no answer in time', new Error('timeout expired'), 'tls', 'server-unreachable'],
    ['a certificate of an unknown CA', coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'tls', 'tls-failed'],
    ['a certificate for another name', coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls', 'tls-failed'],
    ['a server without TLS', new Error('The server does not support SSL connections'), 'tls', 'tls-failed'],
    ['a missing right', coded('42501'), 'statement', 'privilege-missing'],
    ['a statement that took too long', coded('57014'), 'statement', 'freeze-timeout'],
    ['pg_terminate_backend', coded('57P01'), 'statement', 'session-lost'],
    ['the idle timeout', coded('57P05'), 'statement', 'session-lost'],
    ['a connection that broke', coded('ECONNRESET'), 'statement', 'session-lost'],
    ['a connection that ended', new Error('Connection terminated unexpectedly'), 'statement', 'session-lost'],
    ['no slot left', coded('53400'), 'statement', 'server-unsafe'],
    ['anything else that a statement meets', coded('55000'), 'statement', 'freeze-failed'],
  ] as const)('%s', (_, thrown, phase, code) => {
    const error = translate(thrown, { what: 'connecting to db:5432', phase });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^connecting to db:5432 failed: /);
    expect(error.cause).toBe(thrown);
  });

  it('leaves its own errors alone', () => {
    const ours = translate(coded('28P01'), { what: 'connecting', phase: 'login' });
    expect(translate(ours, { what: 'again', phase: 'statement' })).toBe(ours);
  });
});
