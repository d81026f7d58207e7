/** All that can be known of the server before anything is touched (safety rule 2), as findings with their remedies. */
import type { PlanRequest } from '../../engine';
import type { ErrorCode } from '../../errors';
import { byRole } from '../../plan-request';
import type { Finding } from '../../ports';
import type { Connection } from './connection';
import type { ServerFacts } from './facts';
import { chooseLayout, requestProblems, wantsCheckpoint } from './layout';
import { LOCATE_LOG_FUNCTIONS, LOCATE_LOG_ROLE, mayLocateLog } from './locate-log';
import { readState, type ServerState } from './state';
import { SUPPORTED } from './versions';

/** What the checks look at: pure data, so that each rule below is a function of it. */
export interface CheckInput {
  readonly server: ServerFacts;
  readonly state: ServerState;
  readonly request: PlanRequest;
  readonly locatesLog: boolean;
}

/** Runs every check of a session against a request. */
export async function checkSession(
  connection: Connection,
  server: ServerFacts,
  request: PlanRequest,
): Promise<readonly Finding[]> {
  if (!server.dialect.supported) return [unsupported(server)];
  const state = await readState(connection, server);
  return checkServer({ server, state, request, locatesLog: await mayLocateLog(connection) });
}

/** Every rule, in the order in which a person would want to read them. */
export function checkServer(input: CheckInput): readonly Finding[] {
  const found = [
    ...requestProblems(input.request),
    ...privileges(input),
    ...durability(input),
    ...backupMode(input),
    ...standby(input),
    ...othersAtWork(input),
  ];
  const { version, identity } = input.server;
  const message = `PostgreSQL ${version}, ${identity.role} on timeline ${identity.timeline}, fits layout ${chooseLayout(input.request)}`;
  return found.some(({ severity }) => severity === 'error')
    ? found
    : [...found, { severity: 'ok', code: 'ok', subject: 'server', message }];
}

function unsupported({ version }: ServerFacts): Finding {
  return error(
    'server-version-unsupported',
    'server',
    `the server is PostgreSQL ${version}; supported are ${SUPPORTED.min} to ${SUPPORTED.max}`,
    'upgrade the server, or take a version of Stillpoint that knows it',
  );
}

function* privileges({ server, state, request, locatesLog }: CheckInput): Generator<Finding> {
  const { user, dialect, settings } = server;
  const subject = `user ${user.name}`;
  const missing = (what: string, remedy: string): Finding =>
    error('privilege-missing', subject, `user ${user.name} ${what}`, remedy);
  if (settings.data_directory === undefined) {
    yield missing('may not see data_directory', `as a superuser: GRANT pg_read_all_settings TO "${user.name}"`);
  }
  if (chooseLayout(request) === 'backup-mode') {
    if (!user.superuser && !user.replication) {
      yield missing('may not make a replication slot', `as a superuser: ALTER ROLE "${user.name}" REPLICATION`);
    }
    if (state.forbiddenFunctions.length > 0) {
      const functions = state.forbiddenFunctions.join(', ');
      yield missing(`may not call ${functions}`, grantExecute(functions, server, state));
    }
  } else if (wantsCheckpoint(request) && !state.mayCheckpoint) {
    const role = dialect.checkpointRole;
    yield missing(
      'may not run CHECKPOINT',
      role === undefined
        ? 'only a superuser may before PostgreSQL 15: leave the engine option checkpoint out'
        : `as a superuser: GRANT ${role} TO "${user.name}", or leave the engine option checkpoint out`,
    );
  }
  if (!locatesLog) yield logUnseen(server, state, byRole(request.volumes).log.length > 0);
}

/** Where the policy has a volume for the log, that the log lies there must be seen; else it is worth a warning. */
function logUnseen(server: ServerFacts, state: ServerState, hasLogVolume: boolean): Finding {
  return {
    severity: hasLogVolume ? 'error' : 'warning',
    code: 'privilege-missing',
    subject: `user ${server.user.name}`,
    message: `user ${server.user.name} may not look where pg_wal leads, so it is not known which volume the log lies on`,
    hint: `as a superuser: GRANT ${LOCATE_LOG_ROLE} TO "${server.user.name}"; ${grantExecute(LOCATE_LOG_FUNCTIONS.join(', '), server, state).replace('as a superuser', 'and')}`,
  };
}

/** Rights on functions hold in one database, unlike those of roles: the hint has to name it. */
function grantExecute(functions: string, { user }: ServerFacts, { database }: ServerState): string {
  return `as a superuser in database ${database}: GRANT EXECUTE ON FUNCTION ${functions} TO "${user.name}"`;
}

function* durability({ server, request }: CheckInput): Generator<Finding> {
  const { settings } = server;
  if (settings.fsync === 'off') {
    yield error(
      'server-unsafe',
      'setting fsync',
      'fsync is off: what the server has written need not be on its volumes',
      'set fsync = on',
    );
  }
  if (settings.full_page_writes === 'off' && !isCutInBackupMode(request)) {
    yield error(
      'server-unsafe',
      'setting full_page_writes',
      'full_page_writes is off: recovery cannot mend pages that were cut half-written',
      'set full_page_writes = on, or take layout backup-mode with the log on a volume of its own: it turns it on meanwhile',
    );
  }
  if (settings.synchronous_commit === 'off') {
    yield warning(
      'server-unsafe',
      'setting synchronous_commit',
      'synchronous_commit is off: the newest commits that clients were told of may not be in the copy',
      'as after a crash; set synchronous_commit = on where that matters',
    );
  }
}

/** Where the log lies on the data volume, that is cut after backup mode has ended, and full-page writes with it. */
function isCutInBackupMode(request: PlanRequest): boolean {
  return chooseLayout(request) === 'backup-mode' && byRole(request.volumes).log.length > 0;
}

function* backupMode({ server, state, request }: CheckInput): Generator<Finding> {
  if (chooseLayout(request) !== 'backup-mode') return;
  if (server.settings.wal_level === 'minimal') {
    yield error('server-unsafe', 'setting wal_level', 'wal_level is minimal: backup mode needs more', WAL_LEVEL_HINT);
  }
  if (state.slotsMax === 0 || state.slotsUsed >= state.slotsMax) {
    yield error(
      'server-unsafe',
      'setting max_replication_slots',
      `${state.slotsUsed} of ${state.slotsMax} replication slots are in use, and a backup needs one to hold the log`,
      `set max_replication_slots to at least ${state.slotsUsed + 1}, or drop slots that nobody uses`,
    );
  }
  if (server.dialect.idleTimeout === undefined) {
    yield {
      severity: 'ok',
      code: 'ok',
      subject: 'session',
      message: `PostgreSQL ${server.dialect.major} cannot end the session of a runner that hangs (14 and newer can); that of one that is gone ends by its keepalives`,
    };
  }
}

const WAL_LEVEL_HINT = 'set wal_level = replica, or put everything on one volume';

function* standby({ server, state, request }: CheckInput): Generator<Finding> {
  if (server.identity.role !== 'standby') return;
  if (request.standstill === true) {
    yield error(
      'server-unsafe',
      'standby',
      'the server is a standby: what its primary sends does not wait for locks, and several servers are to be of one instant',
      'let host lead to the primary',
    );
  }
  if (state.replayPaused) {
    yield warning(
      'server-unsafe',
      'standby',
      `replay is paused on this standby: the copy is as old as its last replayed transaction`,
      'SELECT pg_wal_replay_resume()',
    );
  }
  if (!state.streams) {
    yield warning(
      'server-unsafe',
      'standby',
      'this standby receives no stream: log that it has taken from an archive may not be durable in the copy',
      'back up a standby that streams, or the primary',
    );
  }
}

function* othersAtWork({ state }: CheckInput): Generator<Finding> {
  if (state.exclusiveBackup) {
    yield error(
      'freeze-left',
      'server',
      'an exclusive backup is in progress: its backup_label lies in the data directory and would spoil the copy',
      'let the tool that began it end it, or run SELECT pg_stop_backup()',
    );
  }
  for (const { slot, pid } of state.ourSlots) {
    yield warning(
      'freeze-left',
      `slot ${slot}`,
      `another backup is at work on this server, or its session has not ended yet: process ${pid} holds slot ${slot}`,
      `it goes away with its session; to end that now: SELECT pg_terminate_backend(${pid})`,
    );
  }
}

function error(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code, subject, message, hint };
}

function warning(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'warning', code, subject, message, hint };
}
