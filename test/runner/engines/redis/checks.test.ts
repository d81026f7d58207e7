import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { checkServer } from '../../../../runner/engines/redis/checks';
import type { ServerFacts } from '../../../../runner/engines/redis/facts';
import { requestProblems } from '../../../../runner/engines/redis/layout';
import { ruleFor } from '../../../../runner/engines/redis/rights';
import type { ServerState } from '../../../../runner/engines/redis/state';
import { dialectNamed } from '../../../../runner/engines/redis/versions';
import type { Volume } from '../../../../runner/ports';

const IDLE = {
  loading: '0',
  rdb_bgsave_in_progress: '0',
  aof_rewrite_in_progress: '0',
  aof_rewrite_scheduled: '0',
  aof_last_write_status: 'ok',
  master_link_status: 'up',
  master_sync_in_progress: '0',
};

type Settings = Readonly<Record<string, string>>;

function server(changes: Partial<ServerFacts> = {}, settings: Settings = {}): ServerFacts {
  const dialect = dialectNamed('redis', '8.0.2');
  return {
    address: '10.0.0.1',
    port: 6379,
    version: dialect.version,
    dialect,
    identity: { runId: 'run', role: 'master', replid: 'a' },
    role: 'master',
    primary: undefined,
    clustered: false,
    connectionId: '7',
    settings: { appendonly: 'yes', dir: '/data', ...settings },
    ...changes,
  };
}

const REPLICA = { role: 'slave', primary: { host: 'primary', port: 6379 } } as const;

const volume = (name: string, role: Volume['role']): Volume => ({
  name,
  role,
  claim: `${name}-sessions-db-0`,
  namespace: 'shop',
  mountPath: `/${name}`,
});

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  id: '20260101000000',
  volumes: [volume('data', 'data')],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  ...changes,
});

const state = (info: Settings = {}, changes: Partial<ServerState> = {}): ServerState => ({
  info: { ...IDLE, ...info },
  missingRights: [],
  paused: false,
  ...changes,
});

interface Case {
  readonly server?: ServerFacts;
  readonly state?: ServerState;
  readonly options?: Settings;
}

function findings({ options = {}, ...of }: Case): readonly string[] {
  const found = checkServer({
    server: server(),
    state: state(),
    request: request({ options }),
    user: 'stillpoint',
    ...of,
  });
  return found.map(({ severity, code }) => `${severity} ${code}`);
}

describe('the checks', () => {
  it.each<[string, Case, readonly string[]]>([
    ['a server that fits', {}, ['ok ok']],
    ['rights that are missing', { state: state({}, { missingRights: ['+bgsave'] }) }, ['error privilege-missing']],
    ['a replica that nobody has asked for', { server: server(REPLICA) }, ['error server-unsafe']],
    ['a replica that is wanted', { server: server(REPLICA), options: { role: 'replica' } }, ['ok ok']],
    ['a master where a replica is wanted', { options: { role: 'replica' } }, ['error server-unsafe']],
    [
      'a replica without its primary',
      { server: server(REPLICA), state: state({ master_link_status: 'down' }), options: { role: 'replica' } },
      ['error member-unsuitable'],
    ],
    [
      'a replica that is being given all data',
      { server: server(REPLICA), state: state({ master_sync_in_progress: '1' }), options: { role: 'replica' } },
      ['error member-unsuitable'],
    ],
    ['a server that loads', { state: state({ loading: '1' }) }, ['error server-unreachable']],
    [
      'mode aof without files',
      { server: server({}, { appendonly: 'no' }), options: { mode: 'aof' } },
      ['error server-unsafe'],
    ],
    ['no mode and no files: a dump', { server: server({}, { appendonly: 'no' }) }, ['ok ok']],
    ['a dump of a server with files', { options: { mode: 'rdb' } }, ['warning server-unsafe', 'ok ok']],
    [
      'files that cannot be synced on demand',
      { server: server({ dialect: dialectNamed('redis', '7.0.15') }) },
      ['error server-version-unsupported'],
    ],
    ...(['aof', 'rdb'] as const).map((mode): [string, Case, readonly string[]] => [
      `mode ${mode} of Redis 6.2`,
      { server: server({ dialect: dialectNamed('redis', '6.2.5') }), options: { mode } },
      ['error server-version-unsupported'],
    ]),
    [
      'a dump that Redis 6.2 writes twice',
      {
        server: server({ dialect: dialectNamed('redis', '6.2.5') }, { appendonly: 'no' }),
        options: { mode: 'rdb-paused' },
      },
      ['ok ok'],
    ],
    ['files that could not be written', { state: state({ aof_last_write_status: 'err' }) }, ['error server-unsafe']],
    ['writes that wait already', { state: state({}, { paused: true }) }, ['error freeze-left']],
    ['a dump at work', { state: state({ rdb_bgsave_in_progress: '1' }) }, ['warning freeze-timeout', 'ok ok']],
  ])('of %s', (_, of, expected) => {
    expect(findings(of)).toEqual(expected);
  });

  it.each<[readonly string[], string]>([
    [['INFO'], '+info'],
    [['CONFIG', 'GET', 'dir'], '+config|get'],
    [['CLIENT', 'PAUSE', '100', 'WRITE'], '+client|pause'],
    [['SENTINEL', 'MASTER', 'sessions'], '+sentinel|master'],
    [['PUBLISH', 'stillpoint', 'a word'], '+publish &stillpoint'],
    [['BGSAVE'], '+bgsave'],
  ])('of the right to %s ask for the rule %s', (args, rule) => {
    expect(ruleFor(args)).toBe(rule);
  });
});

it.each([
  ['redis', '6.0.20', false],
  ['redis', '6.2.0', true],
  ['redis', '8.4.1', true],
  ['redis', '9.0.0', false],
  ['valkey', '7.2.0', true],
  ['valkey', '9.1.0', true],
  ['valkey', '10.0.0', false],
] as const)('%s %s is supported: %s', (flavour, version, supported) => {
  expect(dialectNamed(flavour, version).supported).toBe(supported);
});

describe('a request', () => {
  const log = volume('log', 'log');

  it.each<[string, Partial<PlanRequest>, readonly string[]]>([
    ['one volume', {}, []],
    ['the files on a volume of their own', { volumes: [volume('data', 'data'), log] }, ['volume-mismatch']],
    ['no volume with the dump', { volumes: [log] }, ['volume-mismatch']],
    ['a mode that there is not', { options: { mode: 'dump' } }, ['config-invalid']],
    ['a role that there is not', { options: { role: 'slave' } }, ['config-invalid']],
    ['storage that copies', { atomicStore: false }, ['driver-unsafe']],
    ['backup mode', { layout: 'backup-mode' }, ['config-invalid']],
    ['a group without a class', { layout: 'group' }, ['config-invalid']],
  ])('of %s', (_, changes, codes) => {
    expect(requestProblems(request(changes)).map(({ code }) => code)).toEqual(codes);
  });
});
