/** All that can be known of the server before anything is touched (safety rule 2), as findings with their remedies. */

import { JOB_DEFAULTS } from '../../../src/contract';
import { mountOf } from '../../coverage';
import type { PlanRequest, ServerPath } from '../../engine';
import type { ErrorCode } from '../../errors';
import { cutsTogether } from '../../plan-request';
import type { Finding } from '../../ports';
import type { Connection } from './connection';
import { isOn, readPaths, type ServerFacts } from './facts';
import { allowsReplica, modeOf, requestProblems } from './layout';
import type { Source } from './replication';
import { readState, type ServerState } from './state';
import { SUPPORTED } from './versions';

/** What the checks look at: pure data, so that each rule below is a function of it. */
export interface CheckInput {
  readonly server: ServerFacts;
  readonly state: ServerState;
  readonly request: PlanRequest;
  readonly paths: readonly ServerPath[];
}

/** A statement that has run for so long already may go on for as long as a lock is waited for. */
export const LONG_SECONDS = JOB_DEFAULTS.lockTimeoutSeconds;

/** Runs every check of a session against a request. */
export async function checkSession(
  connection: Connection,
  server: ServerFacts,
  request: PlanRequest,
): Promise<readonly Finding[]> {
  if (!server.dialect.supported) return [unsupported(server)];
  const wrong = requestProblems(request);
  if (wrong.length > 0) return wrong;
  const state = await readState(connection, server, modeOf(request), LONG_SECONDS);
  return checkServer({ server, state, request, paths: await readPaths(connection, server) });
}

/** Every rule, in the order in which a person would want to read them. */
export function checkServer(input: CheckInput): readonly Finding[] {
  const found = [
    ...privileges(input),
    ...lockKnown(input),
    ...membership(input),
    ...replication(input),
    ...places(input),
    ...durability(input),
    ...storageEngines(input),
    ...longStatements(input),
    ...othersAtWork(input),
  ];
  const { version, flavour } = input.server;
  const message = `${NAMES[input.server.dialect.flavour]} ${version} fits mode ${modeOf(input.request)} (${flavour})`;
  return found.some(({ severity }) => severity === 'error')
    ? found
    : [...found, { severity: 'ok', code: 'ok', subject: 'server', message }];
}

const NAMES = { mysql: 'MySQL', mariadb: 'MariaDB' } as const;

function unsupported({ version, dialect }: ServerFacts): Finding {
  return error(
    'server-version-unsupported',
    'server',
    `the server is ${NAMES[dialect.flavour]} ${version}; supported are ${SUPPORTED}`,
    'upgrade the server, or take a version of Stillpoint that knows it',
  );
}

function* privileges({ server, state }: CheckInput): Generator<Finding> {
  const user = accountInSql(server.account);
  const { missingPrivileges } = state;
  if (missingPrivileges.length > 0) {
    yield error(
      'privilege-missing',
      `user ${server.account}`,
      `user ${server.account} lacks the global ${missingPrivileges.length === 1 ? 'privilege' : 'privileges'} ${missingPrivileges.join(', ')}`,
      `as an administrator: GRANT ${missingPrivileges.join(', ')} ON *.* TO ${user} (to the account itself, not by a role)`,
    );
  }
  if (!state.mayReadLocks) {
    yield error(
      'privilege-missing',
      `user ${server.account}`,
      `user ${server.account} may not read performance_schema.metadata_locks, where the proof is that the lock holds`,
      `as an administrator: GRANT SELECT ON performance_schema.* TO ${user}`,
    );
  }
}

function* lockKnown({ server, request }: CheckInput): Generator<Finding> {
  const mode = modeOf(request);
  if (server.dialect.locks[mode] !== undefined) return;
  yield error(
    'server-version-unsupported',
    'server',
    `${NAMES[server.dialect.flavour]} ${server.version} has no lock for mode ${mode}`,
    'take mode global or none',
  );
}

function* membership({ server }: CheckInput): Generator<Finding> {
  if (isOn(server.settings.wsrep_on)) {
    yield error(
      'server-unsafe',
      'setting wsrep_on',
      'the server is a member of a Galera cluster, which this version does not back up',
      'back up a server that is no member, such as a replica turned primary, or write an issue',
    );
  }
}

function* replication({ server, state, request }: CheckInput): Generator<Finding> {
  const { sources } = state;
  const [first] = sources;
  if (first === undefined) return;
  if (sources.length > 1 || first.channel.startsWith('group_replication_')) {
    const names = sources.map(({ channel, source }) => channel || source).join(', ');
    yield error(
      'server-unsafe',
      'server',
      `the server replicates by the channels ${names}, and a position in the logs of several others is not one that a restore could go on from`,
      'back up a server with no source, or with one',
    );
  } else if (!allowsReplica(request)) {
    yield error(
      'server-unsafe',
      'server',
      `the server is a replica of ${first.source}, and may be behind it`,
      'let host lead to the primary, or say that a replica will do: allowReplica: true',
    );
  } else {
    yield* behind(first, server, state, request);
  }
}

/** A replica that has stopped is still a consistent database: an old one, perhaps a very old one. */
function* behind(
  { source, running, behindSeconds }: Source,
  server: ServerFacts,
  { seesExecuted }: ServerState,
  request: PlanRequest,
): Generator<Finding> {
  if (!running) {
    yield warning(
      'server-unsafe',
      'server',
      `the server does not replicate from ${source} at the moment (it is ${behindSeconds ?? 'an unknown number of'} seconds behind): the copy is as old as what it has`,
      'look at its replication: its status names the last error',
    );
  }
  if (seesExecuted || modeOf(request) !== 'global') return;
  yield warning(
    'privilege-missing',
    `user ${server.account}`,
    `how far the replica has executed the log of ${source} is recorded as of the last checkpoint of its workers: a lower bound`,
    `its GTIDs are exact; for file and offset as well: GRANT SELECT ON mysql.slave_worker_info TO ${accountInSql(server.account)}, and replica_preserve_commit_order = ON`,
  );
}

/** Everything of InnoDB's has to be cut at one instant: it writes in the background under every lock. */
function* places({ request, paths }: CheckInput): Generator<Finding> {
  if (cutsTogether(request)) return;
  const mounts = request.volumes.map(({ name, mountPath }) => ({ path: mountPath ?? '', claim: name }));
  const volumeOf = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : mountOf(path, mounts)?.claim;
  const data = volumeOf(paths.find(({ role }) => role === 'data')?.path);
  for (const { what, path, role } of paths) {
    const volume = volumeOf(path);
    if (role === 'log' || volume === undefined || volume === data) continue;
    yield error(
      'volume-mismatch',
      `${what} ${path}`,
      `${what} ${path} lies on volume ${volume}, the data directory on ${data ?? 'another'}, and they are not cut at one instant`,
      'put both on one volume, or take a class of group snapshots',
    );
  }
}

function* durability({ server, request }: CheckInput): Generator<Finding> {
  const { settings } = server;
  if (settings.innodb_flush_method === 'nosync') {
    yield error(
      'server-unsafe',
      'setting innodb_flush_method',
      'innodb_flush_method is nosync: what the server has written need not be on its volumes',
      'take another method',
    );
  }
  if (settings.innodb_doublewrite === 'OFF') {
    yield error(
      'server-unsafe',
      'setting innodb_doublewrite',
      'innodb_doublewrite is OFF: crash recovery cannot mend pages that were cut half-written',
      'set innodb_doublewrite = ON',
    );
  }
  if (!isOn(settings.log_bin)) {
    yield warning(
      'position-missing',
      'setting log_bin',
      'the server writes no binary log: a backup has no position, and nothing leads from it to a later moment',
      'as for a server whose backups are restored as they are; else set log_bin',
    );
  }
  if (modeOf(request) === 'global') return;
  for (const name of ['innodb_flush_log_at_trx_commit', ...(isOn(settings.log_bin) ? ['sync_binlog'] : [])]) {
    if (settings[name] === '1') continue;
    yield warning(
      'server-unsafe',
      `setting ${name}`,
      `${name} is ${settings[name] ?? 'unknown'}: the newest commits that clients were told of may not be in the copy`,
      'as after a crash; take mode global, which flushes them first, or set it to 1',
    );
  }
}

/**
 * Files of other storage engines are in the kernel's memory for a while after the server has written them, also under a
 * lock, and no recovery brings them back.
 */
function* storageEngines({ state, request }: CheckInput): Generator<Finding> {
  const [first] = state.otherTables;
  if (first === undefined) return;
  const { table, engine } = first;
  const more = state.otherTables.length > 1 ? ', and it is not the only one of its kind' : '';
  yield error(
    'server-unsafe',
    `table ${table}`,
    `table ${table} is of the storage engine ${engine}, whose files the server does not sync: mode ${modeOf(request)} cannot copy it${more}`,
    'ALTER TABLE … ENGINE=InnoDB',
  );
}

function* longStatements({ state, request }: CheckInput): Generator<Finding> {
  const [longest] = state.longStatements;
  if (longest === undefined || modeOf(request) === 'none') return;
  const { id, user, seconds } = longest;
  yield error(
    'long-running-statement',
    `connection ${id}`,
    `a statement of user ${user} has been running for ${seconds} s on connection ${id}: a lock would wait for it, and every write behind the lock`,
    `wait for its end, or KILL QUERY ${id}`,
  );
}

/** Two read locks go together, and the thaw of one says nothing of the other. */
function* othersAtWork({ state }: CheckInput): Generator<Finding> {
  for (const { id, user } of state.heldBy) {
    yield error(
      'freeze-left',
      `connection ${id}`,
      `user ${user} holds the server for a backup already, on connection ${id}`,
      `wait for its end; what is left of a backup that is no more: KILL ${id}`,
    );
  }
}

export function accountInSql(account: string): string {
  const at = account.lastIndexOf('@');
  return `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`;
}

function error(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code, subject, message, hint };
}

function warning(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'warning', code, subject, message, hint };
}
