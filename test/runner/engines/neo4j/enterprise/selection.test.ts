/** What the database `system` of an Enterprise server would answer, written by hand: Community knows no aliases. */
import { describe, expect, it } from 'vitest';
import { type Known, select } from '../../../../../runner/engines/neo4j/enterprise/selection';
import { restoredName, switchBack, switchTo } from '../../../../../runner/engines/neo4j/enterprise/switch';

const db = (name: string, currentStatus = 'online', type = 'standard'): Known['databases'][number] => ({
  name,
  type,
  currentStatus,
});
const alias = (name: string, database: string, location = 'local'): Known['aliases'][number] => ({
  name,
  database,
  location,
});
const known: Known = {
  databases: [
    db('system', 'online', 'system'),
    db('customer1-100'),
    db('customer1-200'),
    db('customer2-100'),
    // Two servers of a cluster; one of them is behind.
    db('customer3-100', 'offline'),
    db('customer3-100'),
    db('stopped', 'offline'),
    db('all', 'online', 'composite'),
  ],
  aliases: [
    alias('customer1', 'customer1-200'),
    alias('customer2', 'customer2-100'),
    alias('second', 'customer2-100'),
    alias('customer3', 'customer3-100'),
    alias('customer-far', 'orders', 'remote'),
    alias('gone', 'nowhere'),
  ],
};

describe('what is backed up', () => {
  it.each([
    [{ databases: ['system', 'CUSTOMER1-100'] }, ['customer1-100', 'system'], []],
    [{ databases: ['customer1-?00'] }, ['customer1-100', 'customer1-200'], []],
    // A dot in a name is no pattern, and nothing but * and ? is.
    [{ databases: ['customer1.100'] }, [], ['error database customer1.100']],
    [{ aliases: ['customer*'] }, ['customer1-200', 'customer2-100', 'customer3-100'], ['warning alias customer-far']],
    [{ aliases: ['customer-far'] }, [], ['error alias customer-far']],
    [{ aliases: ['gone', 'customer2'] }, ['customer2-100'], ['error database nowhere']],
    [{ aliases: ['nobody'], databases: ['system'] }, ['system'], ['error alias nobody']],
    [{ databases: ['stopped', 'all', 'system'] }, ['system'], ['error database stopped', 'error database all']],
  ])('of %j is %j', (wanted, names, problems) => {
    const { selected, findings } = select({ databases: [], aliases: [], ...wanted }, known);
    expect(selected.map(({ name }) => name)).toEqual(names);
    expect(findings.map(({ severity, subject }) => `${severity} ${subject}`)).toEqual(problems);
  });

  it('tells an alias that leads elsewhere from one that leads nowhere', () => {
    const { findings } = select({ databases: [], aliases: ['customer-far', 'gone'] }, known);
    expect(findings.map(({ code }) => code)).toEqual(['database-elsewhere', 'database-not-found']);
  });

  it('says by which aliases a database was found, and takes it once', () => {
    const { selected } = select({ databases: ['customer2-100'], aliases: ['*2', 'second'] }, known);
    expect(selected).toEqual([{ name: 'customer2-100', aliases: ['customer2', 'second'] }]);
  });
});

describe('a switch', () => {
  const now = new Date('2026-01-07T03:25:27Z');
  const moving = { alias: 'customer1', to: 'customer1-100', now };

  it('goes to a name that has the time in it, and is never too long', () => {
    expect(restoredName('customer1', now)).toBe('customer1-1767756327');
    expect(restoredName('c'.repeat(63), now)).toHaveLength(63);
  });

  it('moves the alias, and says what it pointed to; back is the other way round', () => {
    const { statement, switched } = switchTo(moving, known);
    expect(statement).toBe('ALTER ALIAS `customer1` SET DATABASE TARGET `customer1-100`');
    expect(switched).toEqual({
      alias: 'customer1',
      from: 'customer1-200',
      to: 'customer1-100',
      at: '2026-01-07T03:25:27.000Z',
    });
    const after = { ...known, aliases: [alias('customer1', 'customer1-100')] };
    expect(switchBack(switched, after)).toBe('ALTER ALIAS `customer1` SET DATABASE TARGET `customer1-200`');
  });

  it.each([
    ['an alias that is not there', { ...moving, alias: 'nobody' }, 'database-not-found'],
    ['an alias to another DBMS', { ...moving, alias: 'customer-far' }, 'database-not-found'],
    ['a database that does not run', { ...moving, to: 'stopped' }, 'restore-not-started'],
    ['a database that is not there', { ...moving, to: 'customer1-300' }, 'restore-not-started'],
    ['where it points to already', { ...moving, to: 'customer1-200' }, 'restore-exists'],
  ])('of %s is refused', (_, request, code) => {
    expect(() => switchTo(request, known)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['somebody has moved it on', [alias('customer1', 'customer2-100')], 'restore-differs'],
    ['it is back already', [alias('customer1', 'customer1-200')], 'restore-exists'],
    ['it is gone', [], 'database-not-found'],
  ])('back is refused where %s', (_, aliases, code) => {
    const { switched } = switchTo(moving, known);
    expect(() => switchBack(switched, { ...known, aliases })).toThrow(expect.objectContaining({ code }));
  });

  it('back is refused where what it pointed to does not run any more', () => {
    const { switched } = switchTo(moving, known);
    const after = { databases: [db('customer1-100')], aliases: [alias('customer1', 'customer1-100')] };
    expect(() => switchBack(switched, after)).toThrow(expect.objectContaining({ code: 'restore-not-started' }));
  });

  it('quotes names: what stands in one is no Cypher', () => {
    const odd = { databases: [db('a`b')], aliases: [alias('x` //', 'y')] };
    const { statement } = switchTo({ alias: 'x` //', to: 'a`b', now }, odd);
    expect(statement).toBe('ALTER ALIAS `x`` //` SET DATABASE TARGET `a``b`');
  });
});
