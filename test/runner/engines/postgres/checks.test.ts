import { describe, expect, it } from 'vitest';
import { type CheckInput, checkServer } from '../../../../runner/engines/postgres/checks';
import { dialectOf } from '../../../../runner/engines/postgres/versions';

const volume = (name: string, role: 'data' | 'log' | 'tablespace') => ({ name, role, claim: name, namespace: 'shop' });

const input = (changes: {
  readonly server?: Partial<CheckInput['server']>;
  readonly settings?: Readonly<Record<string, string>>;
  readonly state?: Partial<CheckInput['state']>;
  readonly request?: Partial<CheckInput['request']>;
  readonly locatesLog?: boolean;
}): CheckInput => ({
  server: {
    address: '10.0.0.1',
    port: '5432',
    version: '17.5',
    dialect: dialectOf(170_005),
    identity: { systemIdentifier: '1', timeline: '1', role: 'primary', postmasterStart: '2026-01-01T00:00:00Z' },
    user: { name: 'backup', superuser: false, replication: true, readsSettings: true },
    ...changes.server,
    settings: {
      data_directory: '/data',
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      wal_level: 'replica',
      ...changes.settings,
    },
  },
  state: {
    database: 'postgres',
    forbiddenFunctions: [],
    mayCheckpoint: false,
    exclusiveBackup: false,
    slotsMax: 10,
    slotsUsed: 0,
    ourSlots: [],
    replayPaused: false,
    streams: true,
    ...changes.state,
  },
  request: {
    id: '20260101000000',
    volumes: [volume('data', 'data'), volume('wal', 'log')],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options: {},
    ...changes.request,
  },
  locatesLog: changes.locatesLog ?? true,
});

const one = { volumes: [volume('data', 'data')] };
const standby = {
  identity: { systemIdentifier: '1', timeline: '1', role: 'standby', postmasterStart: '2026-01-01T00:00:00Z' },
};
const powerless = { user: { name: 'backup', superuser: false, replication: false, readsSettings: true } };

describe('the checks of a server', () => {
  it.each([
    ['a sound server', {}, []],
    ['fsync off', { settings: { fsync: 'off' } }, ['error server-unsafe']],
    ['full_page_writes off in backup mode, which turns it on', { settings: { full_page_writes: 'off' } }, []],
    [
      'full_page_writes off in backup mode, with the log on the data volume, which is cut after it',
      {
        settings: { full_page_writes: 'off' },
        request: { volumes: [volume('data', 'data'), volume('fast', 'tablespace')] },
      },
      ['error server-unsafe'],
    ],
    ['full_page_writes off without', { settings: { full_page_writes: 'off' }, request: one }, ['error server-unsafe']],
    ['synchronous_commit off', { settings: { synchronous_commit: 'off' } }, ['warning server-unsafe']],
    ['a thin log', { settings: { wal_level: 'minimal' } }, ['error server-unsafe']],
    ['a thin log that nobody needs', { settings: { wal_level: 'minimal' }, request: one }, []],
    ['all slots in use', { state: { slotsUsed: 10 } }, ['error server-unsafe']],
    ['no right to a slot', { server: powerless }, ['error privilege-missing']],
    ['no right to a slot that nobody needs', { server: powerless, request: one }, []],
    [
      'no right to the functions',
      { state: { forbiddenFunctions: ['pg_backup_stop(boolean)'] } },
      ['error privilege-missing'],
    ],
    ['no right to a checkpoint', { request: { ...one, options: { checkpoint: 'true' } } }, ['error privilege-missing']],
    ['a log that cannot be seen, on a volume of its own', { locatesLog: false }, ['error privilege-missing']],
    ['a log that cannot be seen, among the data', { locatesLog: false, request: one }, ['warning privilege-missing']],
    ['an exclusive backup', { state: { exclusiveBackup: true } }, ['error freeze-left']],
    ['another backup of ours', { state: { ourSlots: [{ slot: 'stillpoint_1', pid: '7' }] } }, ['warning freeze-left']],
    ['a standby that streams', { server: standby }, []],
    ['a standby that has paused', { server: standby, state: { replayPaused: true } }, ['warning server-unsafe']],
    ['a standby that reads an archive', { server: standby, state: { streams: false } }, ['warning server-unsafe']],
  ] as const)('%s', (_, changes, expected) => {
    const found = checkServer(input(changes)).filter(({ severity }) => severity !== 'ok');
    expect(found.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected);
    for (const { hint } of found) expect(hint).toBeTruthy();
  });
});

describe('what differs by version', () => {
  it.each([
    [110_020, false],
    [120_022, true],
    [180_004, true],
    [190_000, false],
  ])('%i is supported: %s', (number, supported) => {
    expect(dialectOf(number).supported).toBe(supported);
  });

  it('calls the functions by the names that they have', () => {
    expect(dialectOf(140_023).stopBackup).toContain('pg_stop_backup(false, false)');
    expect(dialectOf(150_018).stopBackup).toContain('pg_backup_stop(wait_for_archive => false)');
    expect(dialectOf(130_000).idleTimeout).toBeUndefined();
    expect(dialectOf(140_000).idleTimeout).toBe('idle_session_timeout');
  });
});
