/** All that can be known of the server before anything is touched (safety rule 2), as findings with their remedies. */
import { JOB_DEFAULTS } from '../../../src/contract';
import type { PlanRequest } from '../../engine';
import type { ErrorCode } from '../../errors';
import type { Finding } from '../../ports';
import type { Connection } from './connection';
import type { ServerFacts } from './facts';
import { locks, requestProblems } from './layout';
import type { Chosen } from './member';
import { clusterFindings } from './sharded/checks';
import type { Cluster } from './sharded/cluster';
import { readState, type ServerState } from './state';

/** What the checks look at: pure data, so that each rule below is a function of it. */
export interface CheckInput {
  readonly server: ServerFacts;
  readonly state: ServerState;
  readonly request: PlanRequest;
  readonly chosen: Pick<Chosen, 'majorityWaits'>;
  /** What it is in the sharded cluster that the policy names; left out where that names none. */
  readonly part?: { readonly leads: boolean; readonly cluster: Pick<Cluster, 'facts' | 'approximate'> } | undefined;
}

/** A write that has gone on for so long already may go on for as long as a lock is waited for. */
const LONG_SECONDS = JOB_DEFAULTS.lockTimeoutSeconds;

/** Actions on the cluster that a backup needs. [doc: each command's page] */
export const ACTIONS = {
  always: ['fsync', 'inprog', 'serverStatus', 'getCmdLineOpts'],
  lock: ['unlock'],
  set: ['replSetGetStatus', 'replSetGetConfig'],
} as const;

/** The major versions that the documents of this engine were read for. */
const SUPPORTED = { from: 5, to: 8 } as const;

/** Runs every check of a session against a request. */
export async function checkSession(
  connection: Connection,
  about: Omit<CheckInput, 'state'>,
): Promise<readonly Finding[]> {
  const wrong = [...version(about.server), ...requestProblems(about.request)];
  if (wrong.length > 0) return wrong;
  return checkServer({ ...about, state: await readState(connection, LONG_SECONDS) });
}

/** Every rule, in the order in which a person would want to read them. */
export function checkServer(input: CheckInput): readonly Finding[] {
  const found = [
    ...privileges(input),
    ...kind(input),
    ...durability(input),
    ...leftLocked(input),
    ...longWrites(input),
    ...majority(input),
    ...(input.part?.leads === true ? clusterFindings(input.part.cluster) : []),
  ];
  const message = `MongoDB ${input.server.version} (${input.server.member}) can be backed up${locks(input.request) ? ', locked' : ''}`;
  return found.some(({ severity }) => severity === 'error')
    ? found
    : [...found, { severity: 'ok', code: 'ok', subject: 'server', message }];
}

function* version({ version: found }: ServerFacts): Generator<Finding> {
  const major = Number(found.split('.')[0]);
  if (major >= SUPPORTED.from && major <= SUPPORTED.to) return;
  yield error(
    'server-version-unsupported',
    'server',
    `the server is MongoDB ${found}; supported are ${SUPPORTED.from} to ${SUPPORTED.to}`,
    'upgrade the server, or take a version of Stillpoint that knows it',
  );
}

function* privileges({ state, request, server }: CheckInput): Generator<Finding> {
  const needed = [
    ...ACTIONS.always,
    ...(locks(request) ? ACTIONS.lock : []),
    ...(server.setName === undefined ? [] : ACTIONS.set),
  ];
  if (state.privileges === undefined) {
    yield warning(
      'privilege-missing',
      `user ${state.user}`,
      `the server does not tell the privileges of user ${state.user}: they could not be checked`,
      `it needs ${needed.join(', ')} on the cluster`,
    );
    return;
  }
  const { privileges: held } = state;
  const missing = held.has('anyAction') ? [] : needed.filter((action) => !held.has(action));
  if (missing.length === 0) return;
  yield error(
    'privilege-missing',
    `user ${state.user}`,
    `user ${state.user} may not do ${missing.join(', ')} on the cluster`,
    'as an administrator: give it the role of docs/mongodb.md, or hostManager and clusterMonitor',
  );
}

/** What is no whole database, or keeps nothing on its volume. */
function* kind({ server: { settings, member }, part }: CheckInput): Generator<Finding> {
  const { clusterRole, storageEngine } = settings;
  if (clusterRole !== undefined && part === undefined) {
    yield error(
      'server-unsafe',
      'setting clusterRole',
      `${member} is a ${clusterRole} of a sharded cluster, and holds only a part of its databases`,
      'name a mongos of the cluster as the host: all shards and the config servers are backed up together',
    );
  }
  if (storageEngine !== undefined && storageEngine !== 'wiredTiger') {
    yield error(
      'server-unsafe',
      'storage engine',
      `the storage engine of ${member} is ${storageEngine}, and only wiredTiger keeps what a cut can hold`,
      'take a member with the storage engine wiredTiger',
    );
  }
}

function* durability({ server, request }: CheckInput): Generator<Finding> {
  if (server.settings.journal !== 'false' || locks(request)) return;
  yield error(
    'server-unsafe',
    'setting journal',
    'the journal is off: without it, what was written since the last checkpoint is not in a copy that is cut without a lock',
    'leave the option lock out',
  );
}

/** The server counts locks, and not whose they are: with one of somebody else's there is no telling when it ends. */
function* leftLocked({ state, server, request }: CheckInput): Generator<Finding> {
  if (!state.locked || !locks(request)) return;
  yield error(
    'freeze-left',
    `server ${server.member}`,
    `${server.member} is locked already (fsync), and not by this backup`,
    'wait for the end of the backup whose lock it is; what is left of one that is no more ends by db.fsyncUnlock(), as often as it takes',
  );
}

function* longWrites({ state, request }: CheckInput): Generator<Finding> {
  const [longest] = state.longWrites;
  if (longest === undefined || !locks(request)) return;
  const { id, what, seconds } = longest;
  yield error(
    'long-running-statement',
    `operation ${id}`,
    `${what} has been going on for ${seconds} s (operation ${id}): the lock would wait for it, and every write behind the lock`,
    `wait for its end, or db.killOp(${id})`,
  );
}

function* majority({ chosen, request, server }: CheckInput): Generator<Finding> {
  if (!chosen.majorityWaits || !locks(request)) return;
  yield warning(
    'server-unsafe',
    `server ${server.member}`,
    `without ${server.member} there are too few members for write concern majority: such writes wait while it is locked`,
    'add a member without a vote for backups, or leave it out with lock off',
  );
}

function error(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code, subject, message, hint };
}

function warning(code: ErrorCode, subject: string, message: string, hint: string): Finding {
  return { severity: 'warning', code, subject, message, hint };
}
