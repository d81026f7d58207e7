/**
 * Which server sentinels name. Several are asked at once: one that was cut off goes on naming a master that has been replaced,
 * and the epoch of its word is older. Asking apart, pure.
 */

import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { Connection } from './connection';
import { type Fields, fieldsOf, isList } from './replies';

/** What Redis and Valkey call the two. */
export type Role = 'master' | 'replica';

/** A server that sentinels name. */
export interface Named {
  readonly host: string;
  readonly port: number;
  /** Its run, as they know it: another one at its address is another server, or a new run of it. */
  readonly runId: string;
}

/** What one sentinel says. */
export interface Word {
  /** The sentinel: `host:port`. */
  readonly sentinel: string;
  readonly master: Fields;
  readonly replicas: readonly Fields[];
}

/** What a policy wants of them. */
export interface Wanted {
  readonly masterName: string;
  readonly role: Role;
  /** host:port of the replica that was chosen before: it is chosen again as long as it is fit. */
  readonly before?: string | undefined;
}

const SENTINEL_PORT = 26379;

/** Words of a sentinel on a master that is not one to connect to now. */
const IN_CHANGE = ['o_down', 'failover_in_progress'] as const;

/** Of a replica. */
const GONE = ['s_down', 'o_down', 'disconnected'] as const;

/** The server that the sentinels of a connection name. Throws server-unreachable, member-unsuitable. */
export async function askSentinels(target: Target, wanted: Wanted, signal: AbortSignal): Promise<Named> {
  const { addresses = [] } = target.connection.sentinel ?? {};
  const asked = addresses.length > 0 ? addresses : [{ host: target.connection.host }];
  const answers = await Promise.allSettled(
    asked.map(({ host, port = SENTINEL_PORT }) =>
      askOne(target, { host, port, name: host }, wanted.masterName, signal),
    ),
  );
  signal.throwIfAborted();
  const words = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  if (words.length > 0) return chooseServer(words, wanted);
  const reasons = answers.flatMap((answer) => (answer.status === 'rejected' ? [asStillpointError(answer.reason)] : []));
  const [first] = reasons;
  throw new StillpointError(
    first?.code ?? 'server-unreachable',
    `no sentinel names the server of master ${wanted.masterName}: ${reasons.map(({ message }) => message).join('; ')}`,
    { hint: first?.hint ?? 'look at the addresses of the sentinels', cause: first },
  );
}

async function askOne(target: Target, endpoint: Endpoint, masterName: string, signal: AbortSignal): Promise<Word> {
  const { username = '', password } = target.sentinel ?? {};
  const connection = await Connection.open({ ...target, username, password }, endpoint, signal);
  const sentinel = `${endpoint.host}:${endpoint.port}`;
  const what = `asking sentinel ${sentinel} for master ${masterName}`;
  try {
    const master = await connection.ask(what, ['SENTINEL', 'MASTER', masterName], signal);
    const replicas = await connection.ask(what, ['SENTINEL', 'REPLICAS', masterName], signal);
    return { sentinel, master: fieldsOf(master), replicas: isList(replicas) ? replicas.map(fieldsOf) : [] };
  } finally {
    await connection.close();
  }
}

/** The newest word counts. Throws member-unsuitable where there is no such server at the moment. */
export function chooseServer(words: readonly Word[], wanted: Wanted): Named {
  const [newest, ...others] = words;
  if (newest === undefined) throw new StillpointError('internal', 'no sentinel has answered');
  const word = others.reduce((best, each) => (epochOf(each) > epochOf(best) ? each : best), newest);
  return wanted.role === 'master' ? masterOf(word, wanted) : replicaOf(word, wanted);
}

function masterOf({ sentinel, master }: Word, { masterName }: Wanted): Named {
  const state = IN_CHANGE.find((flag) => flagsOf(master).includes(flag));
  if (state === undefined) return named(master);
  throw new StillpointError(
    'member-unsuitable',
    `sentinel ${sentinel} has master ${masterName} at ${addressOf(master)} as ${state}`,
    { hint: 'wait for the end of the failover; SENTINEL MASTERS shows it' },
  );
}

/** One that never becomes master is missed the least; of several, the one that has come the farthest. */
function replicaOf({ sentinel, replicas }: Word, { masterName, before }: Wanted): Named {
  const fit = replicas.filter((replica) => unfit(replica) === undefined);
  const rank = (replica: Fields): number =>
    addressOf(replica) === before ? 0 : replica['slave-priority'] === '0' ? 1 : 2;
  const offset = (replica: Fields): number => Number(replica['slave-repl-offset'] ?? '0');
  const [best] = fit.sort(
    (a, b) => rank(a) - rank(b) || offset(b) - offset(a) || addressOf(a).localeCompare(addressOf(b)),
  );
  if (best !== undefined) return named(best);
  const reasons = replicas.map((replica) => `${addressOf(replica)} ${unfit(replica)}`);
  throw new StillpointError(
    'member-unsuitable',
    `of master ${masterName} no replica is fit to be backed up, by sentinel ${sentinel}: ${reasons.join(', ') || 'it has none'}`,
    { hint: 'bring a replica up to date, or back up the master: role master (RedisRole.MASTER)' },
  );
}

/** What speaks against a replica; undefined when nothing does. */
function unfit(replica: Fields): string | undefined {
  const gone = GONE.find((flag) => flagsOf(replica).includes(flag));
  if (gone !== undefined) return `is ${gone}`;
  const link = replica['master-link-status'];
  return link === 'ok' ? undefined : `has its link to the master as ${link ?? 'unknown'}`;
}

function named(fields: Fields): Named {
  return { host: fields.ip ?? '', port: Number(fields.port), runId: fields.runid ?? '' };
}

function addressOf({ ip = '', port = '' }: Fields): string {
  return `${ip}:${port}`;
}

function flagsOf({ flags = '' }: Fields): readonly string[] {
  return flags.split(',');
}

function epochOf({ master }: Word): number {
  return Number(master['config-epoch'] ?? '0');
}
