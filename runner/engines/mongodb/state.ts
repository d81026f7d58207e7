/** Reads what the checks look at: what the user may do, and what else is going on at the server. */
import type { Connection } from './connection';
import { lockStateOf, readOperations } from './lock';
import { at, isTrueAt, listAt, numberAt, type Reply, textAt } from './reply';

/** A write that a lock would have to wait for. Never its text: that may hold secrets. */
export interface LongWrite {
  readonly id: string;
  readonly what: string;
  readonly seconds: number;
}

/** The server as it is at the moment. */
export interface ServerState {
  /** Undefined where the server does not tell. */
  readonly privileges: ReadonlySet<string> | undefined;
  readonly user: string;
  readonly locked: boolean;
  readonly longWrites: readonly LongWrite[];
}

/** Reads it all. */
export async function readState(connection: Connection, longSeconds: number): Promise<ServerState> {
  const command = { connectionStatus: 1, showPrivileges: true };
  const status = await connection.command('reading the privileges of the user', command);
  const privileges = clusterPrivileges(status);
  const user = userOf(status);
  if (privileges?.has('inprog') === false) return { privileges, user, locked: false, longWrites: [] };
  const operations = await readOperations(connection);
  const { locked } = lockStateOf(operations, '');
  return { privileges, user, locked, longWrites: longWritesOf(operations, longSeconds) };
}

/** What the user may do to the cluster as a whole; undefined where the server tells nothing of it. */
export function clusterPrivileges(status: Reply): ReadonlySet<string> | undefined {
  const told = listAt(status, 'authInfo.authenticatedUserPrivileges');
  if (told.length === 0) return undefined;
  const ofCluster = told.filter(
    (privilege) => isTrueAt(privilege, 'resource.cluster') || isTrueAt(privilege, 'resource.anyResource'),
  );
  return new Set(ofCluster.flatMap((privilege) => (at(privilege, 'actions') as string[] | undefined) ?? []));
}

function userOf(status: Reply): string {
  const [first] = listAt(status, 'authInfo.authenticatedUsers');
  return first === undefined ? 'nobody' : `${textAt(first, 'user')}@${textAt(first, 'db')}`;
}

/**
 * Writes of clients that have been going on for so long, the longest first: the lock waits for each, and all writes
 * that come after wait behind the lock. A transaction that is open holds its locks also while it does nothing.
 */
export function longWritesOf(operations: Reply, longSeconds: number): readonly LongWrite[] {
  return listAt(operations, 'inprog')
    .filter((operation) => at(operation, 'command.fsync') === undefined && (writes(operation) || isOpen(operation)))
    .map((operation) => ({
      id: String(at(operation, 'opid') ?? 'an idle session'),
      what: isOpen(operation) ? 'a transaction' : `${textAt(operation, 'op')} on ${textAt(operation, 'ns')}`,
      seconds: secondsOf(operation),
    }))
    .filter(({ seconds }) => seconds >= longSeconds)
    .sort((one, other) => other.seconds - one.seconds);
}

const WRITES = ['insert', 'update', 'remove'];

/** What has no client is the server's own: it goes on for as long as the server does. */
function writes(operation: Reply): boolean {
  if (textAt(operation, 'client') === undefined || operation.active !== true) return false;
  return WRITES.includes(textAt(operation, 'op') ?? '') || locksForWriting(operation);
}

function isOpen(operation: Reply): boolean {
  return at(operation, 'transaction') !== undefined && locksForWriting(operation);
}

/** Intent to write, or more. */
function locksForWriting(operation: Reply): boolean {
  return ['w', 'W'].includes(textAt(operation, 'locks.Global') ?? '');
}

function secondsOf(operation: Reply): number {
  const open = numberAt(operation, 'transaction.timeOpenMicros') ?? 0;
  return Math.max(numberAt(operation, 'secs_running') ?? 0, Math.floor(open / 1e6));
}
