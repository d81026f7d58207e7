import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { transactionOf } from '../../../../runner/engines/neo4j/bookmark';
import { checkSession } from '../../../../runner/engines/neo4j/checks';
import { compare } from '../../../../runner/engines/neo4j/compare';
import { translate } from '../../../../runner/engines/neo4j/errors';
import { databaseIn, pathsOf, serverOf, uptimeOf } from '../../../../runner/engines/neo4j/facts';
import { settled } from '../../../../runner/engines/neo4j/settled';
import type { Volume } from '../../../../runner/ports';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';

describe('a bookmark', () => {
  // The first five as a server 5.26 has given them.
  it.each([
    ['FB:kcwQSJ+QE7hOT3elZSNGujtuPQeQ', 7],
    ['FB:kcwQSJ+QE7hOT3elZSNGujtuPQmQ', 9],
    ['FB:kcwQSJ+QE7hOT3elZSNGujtuPckA0ZA=', 209],
    ['FB:kcwQAAAAAAAAAAAAAAAAAAAAASmQ', 41],
    [undefined, undefined],
    [
      `FB:${Buffer.from([0x91, 0xcc, 16, ...Array(16).fill(0), 0xcb, 0, 0, 0, 1, 0, 0, 0, 2, 0x90]).toString('base64')}`,
      4294967298,
    ],
    ['FB:kcwQ', undefined],
    ['neo4j:bookmark:v1:tx42', undefined],
  ])('%s has transaction %s', (bookmark, transaction) => {
    expect(transactionOf(bookmark)).toBe(transaction);
  });
});

const settings = [
  { name: 'server.directories.neo4j_home', value: '/var/lib/neo4j' },
  { name: 'server.directories.data', value: '/var/lib/neo4j/data' },
  { name: 'server.directories.transaction.logs.root', value: '/var/lib/neo4j/data/transactions' },
];
const online = databaseIn({
  name: 'neo4j',
  databaseID: 'D5',
  currentStatus: 'online',
  home: true,
  currentPrimariesCount: 1,
});
const server = (databases = [online], version = '5.26.30') =>
  serverOf(
    { versions: [version], edition: 'community' },
    { name: '1@graph-0', started: 1795682757320 },
    databases,
    settings,
  );

describe('a server', () => {
  it('is known by its host, its process and its database', () => {
    expect(server()).toMatchObject({
      hostname: 'graph-0',
      process: '1@graph-0 1795682757320',
      identity: { database: 'neo4j', databaseId: 'D5', edition: 'community' },
    });
  });

  it.each([
    { mounts: ['/data'], data: '/data', logs: '/data/transactions' },
    { mounts: ['/data/'], data: '/data', logs: '/data/transactions' },
    { mounts: ['/var/lib/neo4j/data', '/data'], data: '/var/lib/neo4j/data', logs: '/var/lib/neo4j/data/transactions' },
    { mounts: ['/var/lib/neo4j/certificates/bolt', '/data'], data: '/data', logs: '/data/transactions' },
    { mounts: ['/var/lib/neo4j', '/data'], data: '/var/lib/neo4j/data', logs: '/var/lib/neo4j/data/transactions' },
    {
      mounts: ['/var/lib/neo4j/data/databases', '/data'],
      data: '/var/lib/neo4j/data',
      logs: '/var/lib/neo4j/data/transactions',
    },
    { mounts: ['/elsewhere'], data: '/var/lib/neo4j/data', logs: '/var/lib/neo4j/data/transactions' },
  ])('with claims at $mounts has its files at $data', ({ mounts, data, logs }) => {
    expect(pathsOf(server(), mounts).map(({ path }) => path)).toEqual([data, logs]);
  });
});

describe('a request', () => {
  const volume = (name: string, role: Volume['role'] = 'data'): Volume => ({
    name,
    role,
    claim: name,
    namespace: 'shop',
  });
  const request = (more: Partial<PlanRequest> = {}): PlanRequest => ({
    id: '20260101000000',
    volumes: [volume('data')],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options: {},
    ...more,
  });
  const two = [volume('data'), volume('log', 'log')];

  it.each([
    { what: 'one volume', more: {}, errors: [] },
    { what: 'several volumes', more: { volumes: two }, errors: ['volume-mismatch'] },
    { what: 'several volumes in one group snapshot', more: { volumes: two, groupClass: true }, errors: [] },
    { what: 'several volumes of a server that is stopped', more: { volumes: two, offline: true }, errors: [] },
    { what: 'no volume of data', more: { volumes: [volume('log', 'log')] }, errors: ['volume-mismatch'] },
    { what: 'folders', more: { atomicStore: false }, errors: ['driver-unsafe'] },
    { what: 'folders of a server that is stopped', more: { atomicStore: false, offline: true }, errors: [] },
    { what: 'an option', more: { options: { lock: 'true' } }, errors: ['config-invalid'] },
  ])('for $what is refused by $errors', ({ more, errors }) => {
    const found = checkSession(server(), request(more)).filter(({ severity }) => severity === 'error');
    expect(found.map(({ code }) => code)).toEqual(errors);
  });

  it.each([
    { version: '4.4.30', copies: 1, errors: ['server-version-unsupported'] },
    { version: '2025.01.0', copies: 1, errors: [] },
    { version: '5.26.30', copies: 3, errors: ['server-unsafe'] },
  ])('at version $version with $copies copies is refused by $errors', ({ version, copies, errors }) => {
    const found = checkSession(server([{ ...online, copies }], version), request());
    expect(found.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(errors);
  });
});

describe('a copy', () => {
  const of = record({ engine: 'neo4j', serverIdentity: { databaseId: 'D5' }, position: { transaction: '209' } });

  it.each([
    { databaseId: 'D5', transaction: '209', found: ['ok', 'ok'] },
    { databaseId: 'D5', transaction: '300', found: ['ok', 'ok'] },
    { databaseId: 'D5', transaction: '208', found: ['ok', 'restore-differs'] },
    { databaseId: 'D6', transaction: '209', found: ['restore-differs', 'ok'] },
    { databaseId: 'D5', transaction: undefined, found: ['ok', 'position-missing'] },
  ])('of database $databaseId that ends with $transaction is $found', ({ databaseId, transaction, found }) => {
    const position = transaction === undefined ? {} : { transaction };
    expect(compare({ identity: { databaseId } }, position, of).map(({ code }) => code)).toEqual(found);
  });
});

describe('an error', () => {
  it.each([
    ['Neo.ClientError.Security.Unauthorized', 'connect', 'authentication-failed'],
    ['Neo.ClientError.Security.Forbidden', 'statement', 'privilege-missing'],
    ['ServiceUnavailable', 'connect', 'server-unreachable'],
    ['ServiceUnavailable', 'statement', 'session-lost'],
    ['Neo.ClientError.Statement.SyntaxError', 'statement', 'freeze-failed'],
  ] as const)('%s while it does a %s is %s', (code, phase, ours) => {
    const error = Object.assign(new Error('It is so. Please look.'), { code });
    expect(translate(error, { what: 'asking', phase })).toMatchObject({
      code: ours,
      message: `asking failed: It is so (${code})`,
    });
  });
});

describe('a server that was just started', () => {
  it('is waited for until its first files are on the device, and asked again after that', async () => {
    // It was started anew during the first wait.
    const uptimes = [20_000, 5_000, 60_000];
    const waits: number[] = [];
    await settled(
      async () => uptimes.shift() ?? 0,
      new QuietLog(),
      new AbortController().signal,
      async (ms) => {
        waits.push(ms);
      },
    );
    expect(waits).toEqual([40_000, 55_000]);
    expect(uptimes).toEqual([]);
  });

  it('is waited for once and in full where it does not say its age', async () => {
    const waits: number[] = [];
    await settled(
      async () => undefined,
      new QuietLog(),
      new AbortController().signal,
      async (ms) => {
        waits.push(ms);
      },
    );
    expect(waits).toEqual([60_000]);
  });

  it.each([
    [{ uptime: 61_000 }, 61_000],
    [{ uptime: null }, undefined],
    [{}, undefined],
  ])('says its age as %j', (row, age) => {
    expect(uptimeOf(row)).toBe(age);
  });
});
