import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { ACTIONS, type CheckInput, checkServer } from '../../../../runner/engines/mongodb/checks';
import { comparePosition, compareTimestamps } from '../../../../runner/engines/mongodb/compare';
import { isSameProcess, pathsOf, serverFacts, splitHost } from '../../../../runner/engines/mongodb/facts';
import { requestProblems } from '../../../../runner/engines/mongodb/layout';
import { lockStateOf } from '../../../../runner/engines/mongodb/lock';
import { clusterPrivileges, longWritesOf } from '../../../../runner/engines/mongodb/state';
import type { Volume } from '../../../../runner/ports';
import type { BackupRecord } from '../../../../src/contract';

const volume = (name: string, role: Volume['role']): Volume => ({
  name,
  role,
  claim: `${name}-mongo-0`,
  namespace: 'shop',
});
const DATA = volume('data', 'data');
const JOURNAL = volume('journal', 'log');

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  id: '20260101000000',
  volumes: [DATA],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  ...changes,
});

const HELLO = { setName: 'rs0', me: 'mongo-1.mongo.shop.svc:27018' };
const STATUS = { host: 'mongo-1:27018', version: '8.0.4', pid: 1, uptimeMillis: 5000, localTime: new Date(1_000_000) };
const facts = (parsed: object = {}, status: object = {}): CheckInput['server'] =>
  serverFacts({ hello: HELLO, status: { ...STATUS, ...status }, parsed });

const ALL = new Set<string>([...ACTIONS.always, ...ACTIONS.lock, ...ACTIONS.set]);
const IDLE: CheckInput['state'] = { privileges: ALL, user: 'stillpoint@admin', locked: false, longWrites: [] };

function found(
  changes: Partial<Omit<CheckInput, 'state'>> & { readonly state?: Partial<CheckInput['state']> } = {},
): string[] {
  const { state, ...rest } = changes;
  const input: CheckInput = {
    server: facts(),
    request: request(),
    chosen: { majorityWaits: false },
    ...rest,
    state: { ...IDLE, ...state },
  };
  return checkServer(input).map(({ severity, code }) => `${severity} ${code}`);
}

const without = (action: string): ReadonlySet<string> => new Set([...ALL].filter((each) => each !== action));
const UNLOCKED = request({ options: { lock: 'false' } });

describe('the checks of MongoDB', () => {
  it.each<{ readonly what: string; readonly given: Parameters<typeof found>[0]; readonly says: readonly string[] }>([
    { what: 'nothing in the way', given: {}, says: ['ok ok'] },
    { what: 'a right missing', given: { state: { privileges: without('fsync') } }, says: ['error privilege-missing'] },
    {
      what: 'no right to unlock',
      given: { state: { privileges: without('unlock') } },
      says: ['error privilege-missing'],
    },
    {
      what: 'no right to unlock, and no lock',
      given: { state: { privileges: without('unlock') }, request: UNLOCKED },
      says: ['ok ok'],
    },
    { what: 'every right', given: { state: { privileges: new Set(['anyAction']) } }, says: ['ok ok'] },
    {
      what: 'rights that are not told',
      given: { state: { privileges: undefined } },
      says: ['warning privilege-missing', 'ok ok'],
    },
    { what: 'a lock of somebody else', given: { state: { locked: true } }, says: ['error freeze-left'] },
    {
      what: 'a lock of somebody else, and none wanted',
      given: { state: { locked: true }, request: UNLOCKED },
      says: ['ok ok'],
    },
    {
      what: 'a long write',
      given: { state: { longWrites: [{ id: '7', what: 'insert on books.ledger', seconds: 9 }] } },
      says: ['error long-running-statement'],
    },
    {
      what: 'a shard',
      given: { server: facts({ sharding: { clusterRole: 'shardsvr' } }) },
      says: ['error server-unsafe'],
    },
    {
      what: 'a shard, as it tells who may not read its options',
      given: { server: facts({}, { sharding: { configsvrConnectionString: 'cfg/cfg-0:27019' } }) },
      says: ['error server-unsafe'],
    },
    {
      what: 'a member in memory',
      given: { server: facts({}, { storageEngine: { name: 'inMemory' } }) },
      says: ['error server-unsafe'],
    },
    {
      what: 'no journal, and no lock',
      given: { server: facts({ storage: { journal: { enabled: false } } }), request: UNLOCKED },
      says: ['error server-unsafe'],
    },
    {
      what: 'a majority that waits',
      given: { chosen: { majorityWaits: true } },
      says: ['warning server-unsafe', 'ok ok'],
    },
  ])('with $what say $says', ({ given, says }) => {
    expect(found(given)).toEqual(says);
  });

  it.each<{ readonly what: string; readonly given: Partial<PlanRequest>; readonly codes: readonly string[] }>([
    { what: 'the journal apart, locked', given: { volumes: [DATA, JOURNAL] }, codes: [] },
    {
      what: 'the journal apart, not locked',
      given: { volumes: [DATA, JOURNAL], options: { lock: 'false' } },
      codes: ['volume-mismatch'],
    },
    {
      what: 'the journal apart, not locked, as a group',
      given: { volumes: [DATA, JOURNAL], options: { lock: 'false' }, layout: 'group', groupClass: true },
      codes: [],
    },
    { what: 'no volume of data', given: { volumes: [JOURNAL] }, codes: ['volume-mismatch'] },
    { what: 'a store that copies', given: { atomicStore: false }, codes: ['driver-unsafe'] },
    { what: 'an option that is not known', given: { options: { speed: 'high' } }, codes: ['config-invalid'] },
    { what: 'a member that is no word', given: { options: { member: 'nearest' } }, codes: ['config-invalid'] },
    { what: 'a lag that is no number', given: { options: { maxLagSeconds: 'a while' } }, codes: ['config-invalid'] },
  ])('of a request with $what find $codes', ({ given, codes }) => {
    expect(requestProblems(request(given)).map(({ code }) => code)).toEqual(codes);
  });
});

describe('what a server answers', () => {
  it('tells its name, its port, and where its files are', () => {
    const server = facts({ storage: { dbPath: '/var/lib/mongodb/' } });
    expect(server).toMatchObject({ hostname: 'mongo-1', member: 'mongo-1.mongo.shop.svc:27018', port: 27018 });
    expect(pathsOf(server, ['/var/lib/mongodb', '/var/lib/mongodb/journal', '/var/lib/mongodb/books', '/tmp'])).toEqual(
      [
        { role: 'data', what: 'dbPath', path: '/var/lib/mongodb' },
        { role: 'log', what: 'the journal', path: '/var/lib/mongodb/journal' },
        { role: 'tablespace', what: 'a folder of dbPath', path: '/var/lib/mongodb/books' },
      ],
    );
  });

  it.each([
    ['mongo-1:27018', 'mongo-1', 27018],
    ['mongo-1', 'mongo-1', undefined],
    ['[fd00::7]:27017', 'fd00::7', 27017],
  ])('names %s as host and port', (text, host, port) => {
    expect(splitHost(text)).toEqual({ host, port });
  });

  it.each([
    {
      what: 'the same id',
      one: { id: 'a', pid: 1, startedMs: 0 },
      other: { id: 'a', pid: 1, startedMs: 9e9 },
      same: true,
    },
    {
      what: 'another id',
      one: { id: 'a', pid: 1, startedMs: 0 },
      other: { id: 'b', pid: 1, startedMs: 0 },
      same: false,
    },
    {
      what: 'no id, the same start',
      one: { id: undefined, pid: 1, startedMs: 0 },
      other: { id: undefined, pid: 1, startedMs: 9 },
      same: true,
    },
    {
      what: 'no id, another start',
      one: { id: undefined, pid: 1, startedMs: 0 },
      other: { id: undefined, pid: 1, startedMs: 9e3 },
      same: false,
    },
  ])('is of the same process with $what: $same', ({ one, other, same }) => {
    expect(isSameProcess(one, other)).toBe(same);
  });

  it('tells the lock, and our own request for it', () => {
    const waiting = { command: { fsync: 1, lock: true, comment: 'stillpoint 1' } };
    expect(lockStateOf({ inprog: [] }, 'stillpoint 1')).toEqual({ locked: false, pending: false });
    expect(lockStateOf({ inprog: [waiting] }, 'stillpoint 1')).toEqual({ locked: false, pending: true });
    expect(lockStateOf({ inprog: [waiting], fsyncLock: true }, 'another')).toEqual({ locked: true, pending: false });
  });

  it('tells the writes that a lock would wait for, and no others', () => {
    const operation = { active: true, client: '10.0.0.1:1', ns: 'books.ledger', opid: 1 };
    const inprog = [
      { ...operation, opid: 2, op: 'insert', secs_running: 6 },
      { ...operation, opid: 3, op: 'insert', secs_running: 2 },
      { ...operation, opid: 4, op: 'query', secs_running: 900 },
      { ...operation, opid: 5, op: 'command', secs_running: 7, locks: { Global: 'w' } },
      { ...operation, opid: 6, op: 'none', secs_running: 900, client: undefined, locks: { Global: 'w' } },
      { type: 'idleSession', active: false, transaction: { timeOpenMicros: 12e6 }, locks: { Global: 'w' } },
      { type: 'idleSession', active: false, transaction: { timeOpenMicros: 12e6 }, locks: { Global: 'r' } },
    ];
    expect(longWritesOf({ inprog }, 5)).toEqual([
      { id: 'an idle session', what: 'a transaction', seconds: 12 },
      { id: '5', what: 'command on books.ledger', seconds: 7 },
      { id: '2', what: 'insert on books.ledger', seconds: 6 },
    ]);
  });

  it('tells what the user may do to the cluster', () => {
    const authenticatedUserPrivileges = [
      { resource: { cluster: true }, actions: ['fsync', 'unlock'] },
      { resource: { db: 'books', collection: '' }, actions: ['find'] },
    ];
    expect(clusterPrivileges({ authInfo: { authenticatedUserPrivileges } })).toEqual(new Set(['fsync', 'unlock']));
    expect(clusterPrivileges({ authInfo: {} })).toBeUndefined();
  });
});

describe('the end of a restored oplog', () => {
  const record = (position: Record<string, string>): BackupRecord => ({ position }) as unknown as BackupRecord;

  it.each([
    { newest: '100:2', position: { opTime: '100:2', exact: 'true' }, severity: 'ok' },
    { newest: '100:3', position: { opTime: '100:2', exact: 'true' }, severity: 'error' },
    { newest: '100:3', position: { opTime: '100:2', exact: 'false' }, severity: 'ok' },
    { newest: '99:9', position: { opTime: '100:2', exact: 'false' }, severity: 'error' },
    { newest: undefined, position: { opTime: '100:2', exact: 'true' }, severity: 'warning' },
    { newest: undefined, position: { exact: 'true' }, severity: 'ok' },
  ])('$newest against $position: $severity', ({ newest, position, severity }) => {
    expect(comparePosition(newest, record(position as Record<string, string>))).toMatchObject([{ severity }]);
  });

  it('is compared as numbers', () => {
    expect(compareTimestamps('100:10', '100:9')).toBe(1);
    expect(compareTimestamps('99:10', '100:1')).toBe(-1);
  });
});
