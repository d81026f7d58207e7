/** Moves of an alias, by what the database `system` of an Enterprise server would answer, written by hand. */
import { describe, expect, it } from 'vitest';
import type { Known } from '../../../../../runner/engines/neo4j/enterprise/selection';
import { restoredName, switchBack, switchTo } from '../../../../../runner/engines/neo4j/enterprise/switch';

const now = new Date('2026-01-07T03:25:27Z');
const db = (name: string, currentStatus = 'online'): Known['databases'][number] => ({ name, currentStatus });
const alias = (name: string, database: string, properties = {}, location = 'local'): Known['aliases'][number] => ({
  name,
  database,
  location,
  properties,
});
const known: Known = {
  databases: [db('customer1-100'), db('customer1-200'), db('stopped', 'offline')],
  aliases: [alias('Customer1', 'customer1-200', { team: 'red' }), alias('far', 'orders', {}, 'remote')],
};
const moving = { alias: 'customer1', to: 'customer1-100', now };

/** As it is after a switch. */
function moved(change: Partial<Known> = {}): Known {
  const { properties } = switchTo(moving, known).move.parameters as { properties: Record<string, unknown> };
  return { ...known, aliases: [alias('Customer1', 'customer1-100', properties)], ...change };
}

describe('a switch', () => {
  it('goes to a name that has the time in it, and is never too long', () => {
    expect(restoredName('Customer1', now)).toBe('customer1-1767756327');
    expect(restoredName('c'.repeat(63), now)).toHaveLength(63);
  });

  it('moves the alias in one statement with what it pointed to, and leaves what else its owner keeps there', () => {
    const { move, switched } = switchTo(moving, known);
    expect(move.statement).toBe('ALTER ALIAS `Customer1` SET DATABASE TARGET `customer1-100` PROPERTIES $properties');
    expect(move.parameters).toEqual({
      properties: {
        team: 'red',
        stillpointFrom: 'customer1-200',
        stillpointTo: 'customer1-100',
        stillpointAt: '2026-01-07T03:25:27.000Z',
      },
    });
    expect(switched).toEqual({
      alias: 'Customer1',
      from: 'customer1-200',
      to: 'customer1-100',
      at: '2026-01-07T03:25:27.000Z',
    });
  });

  it('back is the other way round, and leaves no word of it', () => {
    const { move, switched } = switchBack({ alias: 'customer1', now }, moved());
    expect(move.statement).toBe('ALTER ALIAS `Customer1` SET DATABASE TARGET `customer1-200` PROPERTIES $properties');
    expect(move.parameters).toEqual({ properties: { team: 'red' } });
    expect(switched).toMatchObject({ from: 'customer1-100', to: 'customer1-200' });
  });

  it.each([
    ['an alias that is not there', { ...moving, alias: 'nobody' }, 'database-not-found'],
    ['an alias to another DBMS', { ...moving, alias: 'far' }, 'database-not-found'],
    ['a database that does not run', { ...moving, to: 'stopped' }, 'restore-not-started'],
    ['a database that is not there', { ...moving, to: 'customer1-300' }, 'restore-not-started'],
    ['where it points to already', { ...moving, to: 'customer1-200' }, 'restore-exists'],
  ])('of %s is refused', (_, request, code) => {
    expect(() => switchTo(request, known)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [
      'somebody has moved it on',
      { aliases: [alias('customer1', 'stopped', propertiesOf(moved()))] },
      'restore-differs',
    ],
    ['nobody has moved it', known, 'restore-not-found'],
    ['it is gone', { aliases: [] }, 'database-not-found'],
    [
      'what it pointed to does not run',
      { databases: [db('customer1-100'), db('customer1-200', 'offline')] },
      'restore-not-started',
    ],
  ])('back is refused where %s', (_, change, code) => {
    expect(() => switchBack({ alias: 'customer1', now }, moved(change))).toThrow(expect.objectContaining({ code }));
  });

  it('quotes names: what stands in one is no Cypher', () => {
    const odd = { databases: [db('a`b')], aliases: [alias('x` //', 'y')] };
    const { move } = switchTo({ alias: 'x` //', to: 'a`b', now }, odd);
    expect(move.statement).toBe('ALTER ALIAS `x`` //` SET DATABASE TARGET `a``b` PROPERTIES $properties');
  });
});

function propertiesOf({ aliases: [first] }: Known): Record<string, unknown> {
  return { ...first?.properties };
}
