/** All that can be known of the server before anything is touched (safety rule 2), as findings with their remedies. */
import { lookLimit } from '../../endpoint';
import type { PlanRequest } from '../../engine';
import type { ErrorCode } from '../../errors';
import type { Finding } from '../../ports';
import { type ClusterView, clusterProblem } from './cluster';
import type { ServerFacts } from './facts';
import { modeOf, requestProblems, roleWanted } from './layout';
import { atWork } from './persistence';
import { grantHint } from './rights';
import type { RedisSession } from './session';
import { readState, type ServerState } from './state';
import { SUPPORTED } from './versions';

/** What the checks look at: pure data, so that each rule below is a function of it. */
export interface CheckInput {
  readonly server: ServerFacts;
  /** Undefined where the server is no node of a cluster. */
  readonly cluster?: ClusterView | undefined;
  readonly state: ServerState;
  readonly request: PlanRequest;
  /** The user's name, for the remedies. */
  readonly user: string;
}

/** Runs every check of a session against a request. */
export async function checkSession(session: RedisSession, request: PlanRequest): Promise<readonly Finding[]> {
  const { server, target, cluster: view } = session;
  if (!server.dialect.supported) return [unsupported(server)];
  const wrong = requestProblems(request);
  if (wrong.length > 0) return wrong;
  using limit = lookLimit(target, 'looking at the server');
  const state = await readState(session, limit.signal);
  return checkServer({ server, cluster: view, state, request, user: target.username });
}

/** Every rule, in the order in which a person would want to read them. */
export function checkServer(input: CheckInput): readonly Finding[] {
  const found = [
    ...rights(input),
    ...membership(input),
    ...cluster(input),
    ...loading(input),
    ...persistence(input),
    ...lastWrites(input),
    ...othersAtWork(input),
  ];
  const { dialect } = input.server;
  const message = `${dialect.name} ${dialect.version} fits mode ${modeOf(input.request, input.server)}`;
  return found.some(({ severity }) => severity === 'error')
    ? found
    : [...found, { severity: 'ok', code: 'ok', subject: 'server', message }];
}

function unsupported({ dialect }: ServerFacts): Finding {
  return error(
    'server-version-unsupported',
    'server',
    `the server is ${dialect.name} ${dialect.version}; supported are ${SUPPORTED}`,
    'upgrade the server: before Redis 6.2 there is no pause of writes alone',
  );
}

function* rights({ state, user }: CheckInput): Generator<Finding> {
  const { missingRights } = state;
  if (missingRights.length === 0) return;
  yield error(
    'privilege-missing',
    `user ${user}`,
    `user ${user} lacks the ${missingRights.length === 1 ? 'right' : 'rights'} ${missingRights.join(' ')}`,
    grantHint(user, missingRights),
  );
}

function* membership({ server, state: { info }, request }: CheckInput): Generator<Finding> {
  const { primary } = server;
  const wanted = roleWanted(request.options);
  if (wanted === 'master' && primary !== undefined) {
    yield error(
      'server-unsafe',
      'server',
      `the server is a replica of ${primary.host}:${primary.port}, and may have older data than one expects`,
      'let host lead to the master, or say that a replica is to be backed up: role replica (RedisRole.REPLICA)',
    );
  }
  if (wanted === 'replica' && primary === undefined) {
    yield error(
      'server-unsafe',
      'server',
      'the server is a master, and a replica is to be backed up: writes of clients would wait',
      'let host lead to a replica, or leave out role replica',
    );
  }
  if (wanted === 'replica' && primary !== undefined) yield* link(primary, info);
}

/** A replica that does not hear from its primary has whatever it had when it last did. */
function* link({ host, port }: NonNullable<ServerFacts['primary']>, info: ServerState['info']): Generator<Finding> {
  const { master_link_status: status, master_sync_in_progress: syncing } = info;
  if (status === 'up' && syncing !== '1') return;
  yield error(
    'member-unsuitable',
    'server',
    syncing === '1'
      ? `the replica is being given all the data of ${host}:${port}`
      : `the link of the replica to ${host}:${port} is ${status ?? 'unknown'}`,
    'wait until INFO replication has master_link_status up; the log of the replica says what is in the way',
  );
}

function* cluster({ cluster: view, state }: CheckInput): Generator<Finding> {
  if (view === undefined || state.clusterInfo === undefined) return;
  const problem = clusterProblem(view, state.clusterInfo);
  if (problem === undefined) return;
  yield error(
    'server-unsafe',
    'cluster',
    `the cluster cannot be backed up now: ${problem}`,
    'wait until every slot has its master and none is being moved: redis-cli --cluster check',
  );
}

function* loading({ state: { info } }: CheckInput): Generator<Finding> {
  if (info.loading === '0' && info.async_loading !== '1') return;
  yield error(
    'server-unreachable',
    'server',
    'the server is loading its data',
    'wait until it has; INFO persistence says how far it is',
  );
}

function* persistence({ server, request }: CheckInput): Generator<Finding> {
  const { appendonly } = server.settings;
  const mode = modeOf(request, server);
  if (!server.dialect.sinceSeven && mode !== 'rdb-paused') {
    yield error(
      'server-version-unsupported',
      'server',
      mode === 'aof'
        ? `${server.dialect.name} ${server.dialect.version} replaces its append-only file as a whole in a rewrite: that is not backed up`
        : `${server.dialect.name} ${server.dialect.version} does not sync the name of a new dump: a copy may hold the dump before`,
      'take mode rdb-paused (RedisMode.RDB_PAUSED), in which it is written twice while writes wait; or upgrade the server to 7.2',
    );
    return;
  }
  if (mode === 'aof' && appendonly !== 'yes') {
    yield error(
      'server-unsafe',
      'setting appendonly',
      `mode aof copies the append-only file, and appendonly is ${appendonly ?? 'unknown'}`,
      'set appendonly yes, or take mode rdb',
    );
  }
  if (mode === 'aof' && !server.dialect.syncsOnDemand) {
    yield error(
      'server-version-unsupported',
      'server',
      `${server.dialect.name} ${server.dialect.version} cannot be told to sync its append-only file: that is new in 7.2`,
      'take mode rdb, or upgrade the server',
    );
  }
  if (mode !== 'aof' && appendonly === 'yes') {
    yield warning(
      'server-unsafe',
      'setting appendonly',
      `mode ${mode} copies a dump, and appendonly is yes: a server that is started with it reads no dump, and starts empty`,
      'a restore writes the dump into the append-only files, so that the copy starts with it; or take mode aof',
    );
  }
}

/** A server that could not write lately will not be able to now. */
function* lastWrites({ server, state: { info }, request }: CheckInput): Generator<Finding> {
  if (modeOf(request, server) === 'aof' && info.aof_last_write_status !== 'ok') {
    yield error(
      'server-unsafe',
      'server',
      `the last write to the append-only file was ${info.aof_last_write_status ?? 'unknown'}`,
      'the log of the server says why: often there is no room on its volume',
    );
  }
}

/** Two pauses go together, and the end of one ends both. */
function* othersAtWork({ state, server, request }: CheckInput): Generator<Finding> {
  if (state.paused) {
    yield error(
      'freeze-left',
      'server',
      'writes wait at the server already: somebody else has paused them (CLIENT PAUSE), or a long command keeps it busy',
      'a pause ends by itself; CLIENT UNPAUSE ends one that was left behind',
    );
  }
  const work = atWork(state.info);
  if (work !== undefined) {
    const { dialect } = server;
    yield warning(
      'freeze-timeout',
      'server',
      `${dialect.name} is at work on ${work}: the backup waits for its end before it begins (mode ${modeOf(request, server)})`,
      'nothing stands still meanwhile',
    );
  }
}

function error(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code, subject, message, hint };
}

function warning(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'warning', code, subject, message, hint };
}
