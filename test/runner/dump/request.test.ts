import { describe, expect, it } from 'vitest';
import { requestOf } from '../../../runner/dump/request';

const ALL = { tool: 't' };
const SOME = { tool: 't', some: ['orders', 'users'] };
const ONE = { tool: 't', only: 'orders' };

describe('what of a dump is restored', () => {
  it.each<[what: string, spec: object, dump: { tool: string; only?: string; position?: boolean }, request: object]>([
    ['all of it', {}, ALL, {}],
    ['one database out of all', { only: 'orders' }, ALL, { database: 'orders', outOf: 'orders' }],
    ['the same, under another name', { only: 'orders', into: 'copy' }, ALL, { database: 'copy', outOf: 'orders' }],
    ['one database out of some', { only: 'users' }, SOME, { database: 'users', outOf: 'users' }],
    ['the one that it holds', {}, ONE, { database: 'orders' }],
    ['the same, by its name', { only: 'orders' }, ONE, { database: 'orders' }],
    ['the same, under another name', { into: 'copy' }, ONE, { database: 'copy' }],
    ['with what was written meanwhile', {}, { ...ALL, position: true }, { position: true }],
  ])('%s', (_, spec, dump, request) => {
    expect(requestOf(spec, { dump })).toEqual(request);
  });

  it.each<[what: string, spec: object, dump: object | undefined, message: string]>([
    ['another database than it holds', { only: 'users' }, ONE, 'the dump holds the database orders, and not users'],
    ['another than those that it holds', { only: 'x' }, SOME, 'the dump holds the databases orders, users, and not x'],
    ['one name for all', { into: 'copy' }, ALL, 'the dump holds all databases, and one name is given for them: copy'],
    ['one name for nobody knows what', { into: 'copy' }, undefined, 'the dump holds all databases'],
  ])('%s is refused', (_, spec, dump, message) => {
    const run = (): unknown => requestOf(spec, { dump: dump as typeof ALL });
    expect(run).toThrow(expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }));
  });
});
