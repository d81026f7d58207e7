import { describe, expect, it } from 'vitest';
import type { PlanRequest, ServerPath } from '../../../../runner/engine';
import { checkServer } from '../../../../runner/engines/mysql/checks';
import type { ServerFacts } from '../../../../runner/engines/mysql/facts';
import { requestProblems } from '../../../../runner/engines/mysql/layout';
import type { Source } from '../../../../runner/engines/mysql/replication';
import type { ServerState } from '../../../../runner/engines/mysql/state';
import { dialectOf } from '../../../../runner/engines/mysql/versions';
import type { Volume } from '../../../../runner/ports';

const SETTINGS = {
  datadir: '/var/lib/mysql/',
  log_bin: 'ON',
  log_bin_basename: '/var/lib/mysql/binlog',
  sync_binlog: '1',
  innodb_flush_log_at_trx_commit: '1',
  innodb_doublewrite: 'ON',
  innodb_flush_method: 'O_DIRECT',
};

function server(version = '9.7.4', settings: Record<string, string> = {}): ServerFacts {
  const dialect = dialectOf(version);
  return {
    address: undefined,
    hostname: 'accounts-db-0',
    port: 3306,
    version,
    flavour: dialect.flavour,
    dialect,
    identity: { hostname: 'accounts-db-0', serverId: '1', started: '2026-01-01T00:00:00.000Z' },
    account: 'stillpoint@10.0.%',
    connectionId: '7',
    settings: { ...SETTINGS, ...settings },
  };
}

const IDLE: ServerState = {
  missingPrivileges: [],
  mayReadLocks: true,
  longStatements: [],
  heldBy: [],
  otherTables: [],
  sources: [],
  seesExecuted: true,
};

const volume = (name: string, role: Volume['role'], mountPath: string): Volume => ({
  name,
  role,
  claim: `${name}-accounts-db-0`,
  namespace: 'shop',
  mountPath,
});
const DATA = volume('data', 'data', '/var/lib/mysql');

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  id: '20260101000000',
  volumes: [DATA],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  ...changes,
});

const SOURCE: Source = {
  source: 'primary-0:3306',
  channel: '',
  executed: { file: 'binlog.000002', position: '157' },
  received: { file: 'binlog.000002', position: '2000' },
  behindSeconds: '0',
  running: true,
};

const PATHS: readonly ServerPath[] = [{ role: 'data', what: 'datadir', path: '/var/lib/mysql' }];

/** The codes of the errors, and the hints. */
function errors(
  facts: ServerFacts,
  state: Partial<ServerState> = {},
  asked: Partial<PlanRequest> = {},
  paths = PATHS,
): readonly string[] {
  return checkServer({ server: facts, state: { ...IDLE, ...state }, request: request(asked), paths })
    .filter(({ severity }) => severity === 'error')
    .map(({ code, message, hint }) => `${code}: ${message} (${hint})`);
}

describe('the checks of a server', () => {
  it('find nothing wrong with a sound one', () => {
    expect(errors(server())).toEqual([]);
    expect(errors(server('11.8.6-MariaDB'))).toEqual([]);
  });

  it('name the missing privileges with the statement that grants them, quoted as an account', () => {
    expect(errors(server(), { missingPrivileges: ['RELOAD', 'PROCESS'] })).toEqual([
      "privilege-missing: user stillpoint@10.0.% lacks the global privileges RELOAD, PROCESS (as an administrator: GRANT RELOAD, PROCESS ON *.* TO 'stillpoint'@'10.0.%' (to the account itself, not by a role))",
    ]);
    expect(errors(server(), { mayReadLocks: false })[0]).toMatch(/GRANT SELECT ON performance_schema/);
  });

  it('refuse replicas and members of a Galera cluster', () => {
    expect(errors(server(), { sources: [SOURCE] })[0]).toMatch(/^server-unsafe: .* a replica of primary-0:3306/);
    expect(errors(server('11.8.6-MariaDB', { wsrep_on: 'ON' }))[0]).toMatch(/^server-unsafe: .* Galera/);
  });

  it('take a replica of one source where that is said, and say when it has stopped or cannot be seen to the byte', () => {
    const asked = request({ options: { replica: 'allow' } });
    const found = (state: Partial<ServerState>, facts = server()): readonly string[] =>
      checkServer({ server: facts, state: { ...IDLE, ...state }, request: asked, paths: PATHS }).map(
        ({ severity, message }) => `${severity}: ${message}`,
      );
    expect(found({ sources: [SOURCE] })).toEqual([expect.stringMatching(/^ok/)]);
    expect(found({ sources: [{ ...SOURCE, running: false, behindSeconds: undefined }] })).toEqual([
      expect.stringMatching(
        /^warning: .* does not replicate from primary-0:3306 .* an unknown number of seconds behind/,
      ),
      expect.stringMatching(/^ok/),
    ]);
    expect(found({ sources: [SOURCE], seesExecuted: false })).toEqual([
      expect.stringMatching(/^warning: .* a lower bound/),
      expect.stringMatching(/^ok/),
    ]);
    expect(found({ sources: [SOURCE, { ...SOURCE, channel: 'second' }] })[0]).toMatch(
      /^error: .*primary-0:3306, second/,
    );
    expect(found({ sources: [{ ...SOURCE, channel: 'group_replication_applier' }] })[0]).toMatch(/^error/);
  });

  it('refuse other storage engines in every mode: nobody syncs their files', () => {
    const otherTables = [{ table: 'shop.old', engine: 'MyISAM' }];
    for (const mode of ['global', 'instance', 'none']) {
      expect(errors(server(), { otherTables }, { options: { mode } })[0]).toMatch(
        /^server-unsafe: table shop.old is of the storage engine MyISAM/,
      );
    }
  });

  it('refuse long statements where there is something to wait', () => {
    const longStatements = [{ id: '9', user: 'reports', seconds: 61 }];
    expect(errors(server(), { longStatements })[0]).toMatch(
      /^long-running-statement: .* 61 s on connection 9.*KILL QUERY 9/,
    );
    expect(errors(server(), { longStatements }, { options: { mode: 'none' } })).toEqual([]);
  });

  it('refuse a server that another session holds', () => {
    expect(errors(server(), { heldBy: [{ id: '4', user: 'dump' }] })[0]).toMatch(/^freeze-left: user dump .* KILL 4/);
  });

  it('refuse a lock that the version does not have', () => {
    expect(errors(server('5.7.44'), {}, { options: { mode: 'instance' } })[0]).toMatch(/^server-version-unsupported/);
    expect(errors(server('5.7.44'))).toEqual([]);
  });

  it('refuse pages that nothing mends, and files that nobody syncs', () => {
    expect(errors(server('9.7.4', { innodb_doublewrite: 'OFF' }))[0]).toMatch(/innodb_doublewrite is OFF/);
    expect(errors(server('9.7.4', { innodb_flush_method: 'nosync' }))[0]).toMatch(/nosync/);
  });

  it("refuse files of InnoDB's on another volume, unless all are cut together", () => {
    const redo = volume('redo', 'log', '/redo');
    const paths: readonly ServerPath[] = [
      ...PATHS,
      { role: 'tablespace', what: 'innodb_log_group_home_dir', path: '/redo' },
    ];
    const both = { volumes: [DATA, redo] };
    expect(errors(server(), {}, both, paths)).toEqual([
      'volume-mismatch: innodb_log_group_home_dir /redo lies on volume redo, the data directory on data, and they are not cut at one instant (put both on one volume, or take a class of group snapshots)',
    ]);
    expect(errors(server(), {}, { ...both, groupClass: true }, paths)).toEqual([]);
  });

  it('warn of commits that may be missing, only where they are not flushed first', () => {
    const lax = server('11.8.6-MariaDB', { sync_binlog: '0' });
    const warnings = (mode: string): number =>
      checkServer({ server: lax, state: IDLE, request: request({ options: { mode } }), paths: PATHS }).filter(
        ({ severity }) => severity === 'warning',
      ).length;
    expect([warnings('global'), warnings('instance'), warnings('none')]).toEqual([0, 1, 1]);
  });
});

describe('the problems of a request', () => {
  const BINLOG = volume('binlog', 'log', '/binlog');
  const codes = (changes: Partial<PlanRequest>): readonly string[] =>
    requestProblems(request(changes)).map(({ code }) => code);

  it.each<[string, Partial<PlanRequest>, readonly string[]]>([
    ['nothing', {}, []],
    ['an unknown mode', { options: { mode: 'warm' } }, ['config-invalid']],
    ['an unknown option', { options: { checkpoint: 'true' } }, ['config-invalid']],
    ['a store that copies', { atomicStore: false }, ['driver-unsafe']],
    ['a layout of another engine', { layout: 'backup-mode' }, ['config-invalid']],
    ['a group without a class', { layout: 'group' }, ['config-invalid']],
    ['no data', { volumes: [BINLOG] }, ['volume-mismatch']],
    ['a binary log of its own', { volumes: [DATA, BINLOG] }, []],
    ['the same while commits go on', { volumes: [DATA, BINLOG], options: { mode: 'none' } }, ['volume-mismatch']],
    ['the same as a group', { volumes: [DATA, BINLOG], options: { mode: 'none' }, groupClass: true }, []],
    ['tablespaces elsewhere', { volumes: [DATA, volume('fast', 'tablespace', '/fast')] }, ['volume-mismatch']],
  ])('%s', (_, changes, expected) => {
    expect(codes(changes)).toEqual(expected);
  });
});
