/** A replica set as one of its members sees it. Pure: two answers in, members out. */
import { at, dateAt, isTrueAt, listAt, numberAt, type Reply, textAt } from './reply';

/** What a member does at the moment, in the server's own words. */
export type MemberState =
  | 'PRIMARY'
  | 'SECONDARY'
  | 'ARBITER'
  | 'RECOVERING'
  | 'STARTUP'
  | 'STARTUP2'
  | 'UNKNOWN'
  | 'DOWN'
  | 'ROLLBACK'
  | 'REMOVED';

/** One member of a set: how it is configured and how it is. */
export interface Member {
  /** `mongo-1.mongo.shop.svc:27017`: the address that the set knows it by. */
  readonly host: string;
  readonly state: MemberState;
  readonly healthy: boolean;
  readonly arbiter: boolean;
  readonly hidden: boolean;
  readonly priority: number;
  readonly votes: number;
  /** How far behind it is kept on purpose. */
  readonly delaySeconds: number;
  /** When the newest operation that it has applied was written, in milliseconds since 1970. */
  readonly appliedMs: number | undefined;
}

/** The set. */
export interface Topology {
  readonly setName: string;
  readonly members: readonly Member[];
  /** How many members with data and a vote have to have a write before it is one of a majority. */
  readonly writeMajority: number;
}

const STATES: Readonly<Record<number, MemberState>> = {
  0: 'STARTUP',
  1: 'PRIMARY',
  2: 'SECONDARY',
  3: 'RECOVERING',
  5: 'STARTUP2',
  6: 'UNKNOWN',
  7: 'ARBITER',
  8: 'DOWN',
  9: 'ROLLBACK',
  10: 'REMOVED',
};

/** Reads replSetGetStatus and replSetGetConfig. */
export function topologyOf(status: Reply, config: Reply): Topology {
  const known = new Map(listAt(status, 'members').map((member) => [textAt(member, 'name'), member]));
  const members = listAt(config, 'config.members').map((member) => memberOf(member, known.get(textAt(member, 'host'))));
  return {
    setName: textAt(config, 'config._id') ?? '',
    members,
    writeMajority: numberAt(status, 'writeMajorityCount') ?? majorityOf(members),
  };
}

function memberOf(config: Reply, status: Reply | undefined): Member {
  return {
    host: textAt(config, 'host') ?? '',
    state: STATES[numberAt(status, 'state') ?? 6] ?? 'UNKNOWN',
    healthy: numberAt(status, 'health') === 1,
    arbiter: isTrueAt(config, 'arbiterOnly'),
    hidden: isTrueAt(config, 'hidden'),
    priority: numberAt(config, 'priority') ?? 1,
    votes: numberAt(config, 'votes') ?? 1,
    // slaveDelay before 5.0.
    delaySeconds: numberAt(config, 'secondaryDelaySecs') ?? numberAt(config, 'slaveDelay') ?? 0,
    appliedMs: dateAt(status, 'optimeDate')?.getTime(),
  };
}

/** [doc: writeMajorityCount, from 4.2.1] A majority of the votes, but no more than members that have data. */
function majorityOf(members: readonly Member[]): number {
  const voting = members.filter(({ votes }) => votes > 0);
  const withData = voting.filter(({ arbiter }) => !arbiter).length;
  return Math.min(Math.floor(voting.length / 2) + 1, withData);
}

/** The id that a set got when it was initiated: no other set has it. */
export function replicaSetIdOf(config: Reply): string | undefined {
  const id = at(config, 'config.settings.replicaSetId') as { readonly toHexString?: () => string } | undefined;
  return id?.toHexString?.();
}
