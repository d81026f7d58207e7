/** Which member of a replica set is frozen. Pure: a set and what the user prefers go in, a member or a reason comes out. */
import { StillpointError } from '../../errors';
import type { Member, Topology } from './topology';

/** Who may be frozen: MongoDB's own words for whom reads prefer. */
export const PREFERENCES = ['secondary', 'secondaryPreferred', 'primary'] as const;
export type Preference = (typeof PREFERENCES)[number];

/** What the user says of the member. */
export interface Wish {
  readonly member: Preference;
  /** How far behind the primary a secondary may be. */
  readonly maxLagSeconds: number;
}

/** The member that is backed up. */
export interface Choice {
  readonly member: Member;
  /** How far it was behind the newest write in the set when it was looked at. */
  readonly behindSeconds: number;
}

/** Chooses a member. Throws member-unsuitable, with what speaks against each. */
export function chooseMember(topology: Topology, wish: Wish): Choice {
  const behind = lagIn(topology);
  const primary = topology.members.find(({ state, healthy }) => state === 'PRIMARY' && healthy);
  if (wish.member === 'primary') {
    if (primary !== undefined) return { member: primary, behindSeconds: behind(primary) };
    throw noPrimary(topology);
  }
  const fit = topology.members.filter((member) => unfit(member, behind(member), wish) === undefined);
  const [best] = fit.sort((one, other) => rank(one) - rank(other) || behind(one) - behind(other));
  if (best !== undefined) return { member: best, behindSeconds: behind(best) };
  if (wish.member === 'secondaryPreferred' && primary !== undefined) {
    return { member: primary, behindSeconds: behind(primary) };
  }
  throw noSecondary(topology, (member) => unfit(member, behind(member), wish));
}

/**
 * The member that was chosen, as it is now: it may have waited long for its turn. Throws member-unsuitable where it could not
 * be chosen any more; a primary stays chosen where it was, also when a secondary has become fit meanwhile.
 */
export function confirmMember(topology: Topology, chosen: Pick<Member, 'host' | 'state'>, wish: Wish): Choice {
  const member = topology.members.find(({ host }) => host === chosen.host);
  if (member === undefined) throw noLongerFit(topology, chosen, 'has left the set');
  const behindSeconds = lagIn(topology)(member);
  if (member.state === 'PRIMARY' && chosen.state === 'PRIMARY') return { member, behindSeconds };
  const problem =
    wish.member === 'primary' ? `is in state ${member.state}, and no primary` : unfit(member, behindSeconds, wish);
  if (problem !== undefined) throw noLongerFit(topology, chosen, problem);
  return { member, behindSeconds };
}

/** How far each member is behind the newest write in its set, in seconds. */
function lagIn({ members }: Topology): (member: Member) => number {
  const newestMs = Math.max(0, ...members.map(({ appliedMs }) => appliedMs ?? 0));
  return ({ appliedMs = 0 }) => Math.max(0, newestMs - appliedMs) / 1000;
}

/** Hidden members serve nobody; those that never become primary are missed the least after them. */
function rank({ hidden, priority }: Member): number {
  if (hidden) return 0;
  return priority === 0 ? 1 : 2;
}

/** What speaks against a member; undefined when nothing does. */
function unfit(member: Member, behindSeconds: number, { maxLagSeconds }: Wish): string | undefined {
  const { arbiter, state, healthy, delaySeconds, appliedMs } = member;
  if (arbiter) return 'is an arbiter, which has no data';
  if (!healthy) return `cannot be reached by the set (${state})`;
  if (state === 'PRIMARY') return 'is the primary';
  if (state !== 'SECONDARY') return `is in state ${state}`;
  if (delaySeconds > 0) return `is kept ${delaySeconds} s behind on purpose`;
  if (appliedMs === undefined) return 'does not tell how far it has come';
  if (behindSeconds > maxLagSeconds) return `is ${Math.round(behindSeconds)} s behind, more than ${maxLagSeconds} s`;
  return undefined;
}

/**
 * Whether writes of write concern `majority` wait while this member stands still: without it there are not enough that
 * could acknowledge them.
 */
export function majorityNeeds({ members, writeMajority }: Topology, chosen: Member): boolean {
  const others = members.filter(
    ({ host, votes, arbiter, healthy, state }) =>
      host !== chosen.host && votes > 0 && !arbiter && healthy && (state === 'PRIMARY' || state === 'SECONDARY'),
  );
  return chosen.state !== 'PRIMARY' && chosen.votes > 0 && others.length < writeMajority;
}

function noSecondary({ setName, members }: Topology, why: (member: Member) => string | undefined): StillpointError {
  const reasons = members.map((member) => `${member.host} ${why(member)}`).join(', ');
  const alone = members.filter(({ arbiter }) => !arbiter).length === 1;
  return new StillpointError(
    'member-unsuitable',
    `no secondary of replica set ${setName} is fit to be backed up: ${reasons}`,
    {
      hint: alone
        ? 'the set has one member with data, and its primary is never frozen unasked: with member "primary" (MongoMember.PRIMARY) it is, and its writes wait while the storage cuts; with lock off as well, none do'
        : 'bring a secondary up to date, raise maxLag, or say that the primary may be frozen: member "secondaryPreferred" or "primary"; its writes wait while the storage cuts',
    },
  );
}

/** What has come between the choice of a member and its lock. */
export function noLongerFit(
  { setName }: Pick<Topology, 'setName'>,
  { host }: Pick<Member, 'host'>,
  why: string,
): StillpointError {
  const message = `${host} of replica set ${setName} was chosen to be backed up, and by now it ${why}`;
  return new StillpointError('member-unsuitable', message, {
    hint: 'an election or a growing lag came in between: run the backup again, and a member is chosen anew',
  });
}

function noPrimary({ setName, members }: Topology): StillpointError {
  const states = members.map(({ host, state }) => `${host} is ${state}`).join(', ');
  return new StillpointError('member-unsuitable', `replica set ${setName} has no primary: ${states}`, {
    hint: 'wait for an election to end, or let a secondary be backed up: member "secondary"',
  });
}
