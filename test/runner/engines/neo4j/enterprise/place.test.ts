import { describe, expect, it } from 'vitest';
import { assertPlace, assertProvider, nameOfRestored } from '../../../../../runner/engines/neo4j/enterprise/place';
import type { Known } from '../../../../../runner/engines/neo4j/enterprise/selection';

const now = new Date('2026-01-07T03:25:27Z');

describe('the name of what is restored', () => {
  it.each([
    [{ database: 'customer1-100' }, 'customer1-100'],
    [{ database: 'customer1-100', into: 'Copy' }, 'copy'],
    [{ database: 'customer1-100', alias: 'customer1' }, 'customer1-1767756327'],
    [{ database: 'customer1-100', alias: 'customer1', into: 'green' }, 'green'],
  ])('of %j is %s', (request, name) => {
    expect(nameOfRestored(request, now)).toBe(name);
  });

  it.each([{ database: 'system' }, { database: 'system', into: 'copy' }, { database: 'x', into: 'System' }])(
    'is never that of the DBMS: %j',
    (request) => {
      expect(() => nameOfRestored(request, now)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    },
  );
});

describe('its place', () => {
  const known: Known = {
    databases: [
      { name: 'Orders', currentStatus: 'online' },
      { name: 'pointed', currentStatus: 'offline' },
    ],
    aliases: [
      { name: 'shop', database: 'pointed', location: 'local' },
      { name: 'far', database: 'orders', location: 'remote' },
    ],
  };

  it('is free where nothing has the name, and is made so where that was said', () => {
    expect(() => assertPlace('new', { replace: false }, known)).not.toThrow();
    expect(() => assertPlace('orders', { replace: true }, known)).not.toThrow();
    expect(() => assertPlace('new', { replace: false, alias: 'shop' }, known)).not.toThrow();
  });

  it.each([
    ['orders', { replace: false }, 'restore-exists', 'the server has a database orders'],
    ['shop', { replace: true }, 'restore-exists', 'shop is an alias of pointed'],
    ['pointed', { replace: true }, 'restore-exists', 'alias shop points to it'],
    ['new', { replace: false, alias: 'nobody' }, 'database-not-found', 'there is no alias nobody'],
    ['new', { replace: false, alias: 'far' }, 'database-not-found', 'points to a database of another DBMS'],
  ])('%s with %j is refused: %s', (into, request, code, message) => {
    expect(() => assertPlace(into, request, known)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

describe('whether the server would fetch it', () => {
  it('is seen by its setting', () => {
    expect(assertProvider([{ value: 'CloudSeedProvider, URLConnectionSeedProvider' }])).toEqual([]);
    expect(() => assertProvider([{ value: 'CloudSeedProvider,FileSeedProvider' }])).toThrow(
      expect.objectContaining({
        code: 'server-unsafe',
        message: expect.stringContaining('"CloudSeedProvider,FileSeedProvider"'),
      }),
    );
  });

  it('is a warning where the server does not say', () => {
    expect(assertProvider(undefined)).toMatchObject([{ severity: 'warning' }]);
    expect(assertProvider([])).toMatchObject([{ severity: 'warning' }]);
  });
});
