/** What the database `system` of an Enterprise server would answer, written by hand: Community knows no aliases. */
import { describe, expect, it } from 'vitest';
import { type Known, select } from '../../../../../runner/engines/neo4j/enterprise/selection';

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
