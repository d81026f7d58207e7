import { expect, it } from 'vitest';
import { withoutPasswords } from '../../runner/resource-spec';

it.each([
  [{ dbaPassword: 'x', dbName: 'demo' }, { dbName: 'demo' }],
  [
    { passwordRef: { name: 'dba' }, secretRef: { key: 'k' } },
    { passwordRef: { name: 'dba' }, secretRef: { key: 'k' } },
  ],
  [{ users: [{ name: 'a', password: 'x' }] }, { users: [{ name: 'a' }] }],
  [{ tls: { privateKey: 'x', private_key: 'x', key: 'k' }, apiToken: 'x' }, { tls: { key: 'k' } }],
  [
    { passwords: 3, nothing: null },
    { passwords: 3, nothing: null },
  ],
  [undefined, {}],
])('of the spec %j a record keeps %j', (spec, kept) => {
  expect(withoutPasswords(spec)).toEqual(kept);
});
