import { describe, expect, it } from 'vitest';
import { chooseMember, confirmMember, majorityNeeds, type Preference } from '../../../../runner/engines/mongodb/choose';
import type { Member, Topology } from '../../../../runner/engines/mongodb/topology';

const NOW = Date.parse('2026-11-25T12:00:00Z');

function member(host: string, changes: Partial<Member> = {}): Member {
  return {
    host,
    state: 'SECONDARY',
    healthy: true,
    arbiter: false,
    hidden: false,
    priority: 1,
    votes: 1,
    delaySeconds: 0,
    appliedMs: NOW,
    ...changes,
  };
}

const set = (...members: Member[]): Topology => ({ setName: 'rs0', members, writeMajority: 2 });
const P = member('p', { state: 'PRIMARY' });
const S = member('s');
const wish = (preference: Preference): { member: Preference; maxLagSeconds: number } => ({
  member: preference,
  maxLagSeconds: 60,
});

describe('the member that is backed up', () => {
  it.each<{ readonly what: string; readonly members: Member[]; readonly chosen: string }>([
    { what: 'a secondary', members: [P, S], chosen: 's' },
    { what: 'a hidden one before others', members: [P, S, member('h', { hidden: true, priority: 0 })], chosen: 'h' },
    {
      what: 'a hidden one that is behind before one that is not',
      members: [P, S, member('h', { hidden: true, priority: 0, appliedMs: NOW - 30_000 })],
      chosen: 'h',
    },
    {
      what: 'one that never becomes primary before one that may',
      members: [P, S, member('z', { priority: 0 })],
      chosen: 'z',
    },
    { what: 'the one that is least behind', members: [P, member('b', { appliedMs: NOW - 9_000 }), S], chosen: 's' },
    {
      what: 'no hidden one that is kept behind',
      members: [P, S, member('d', { hidden: true, delaySeconds: 3600 })],
      chosen: 's',
    },
    {
      what: 'no hidden one too far behind',
      members: [P, S, member('h', { hidden: true, appliedMs: NOW - 61_000 })],
      chosen: 's',
    },
    { what: 'no arbiter', members: [P, S, member('a', { arbiter: true, state: 'ARBITER' })], chosen: 's' },
    { what: 'none that recovers', members: [P, S, member('r', { hidden: true, state: 'RECOVERING' })], chosen: 's' },
    {
      what: 'none that is down',
      members: [P, S, member('x', { hidden: true, healthy: false, state: 'DOWN' })],
      chosen: 's',
    },
    { what: 'one without a vote', members: [P, member('v', { votes: 0, priority: 0 })], chosen: 'v' },
    {
      what: 'a secondary of a set without a primary',
      members: [S, member('x', { healthy: false, state: 'DOWN' })],
      chosen: 's',
    },
  ])('is $what', ({ members, chosen }) => {
    expect(chooseMember(set(...members), wish('secondary')).member.host).toBe(chosen);
  });

  it('tells how far it is behind', () => {
    const found = chooseMember(set(P, member('b', { appliedMs: NOW - 9_000 })), wish('secondary'));
    expect(found).toMatchObject({ member: { host: 'b' }, behindSeconds: 9 });
  });

  it.each<{ readonly preference: Preference; readonly members: Member[]; readonly chosen: string }>([
    { preference: 'primary', members: [P, S], chosen: 'p' },
    { preference: 'secondaryPreferred', members: [P, S], chosen: 's' },
    { preference: 'secondaryPreferred', members: [P], chosen: 'p' },
    { preference: 'secondaryPreferred', members: [P, member('r', { state: 'RECOVERING' })], chosen: 'p' },
  ])('by $preference is $chosen', ({ preference, members, chosen }) => {
    expect(chooseMember(set(...members), wish(preference)).member.host).toBe(chosen);
  });

  it('is never the primary unasked, and the error says what speaks against each', () => {
    const members = [P, member('r', { state: 'RECOVERING' }), member('a', { arbiter: true, state: 'ARBITER' })];
    expect(() => chooseMember(set(...members), wish('secondary'))).toThrow(
      expect.objectContaining({
        code: 'member-unsuitable',
        message:
          'no secondary of replica set rs0 is fit to be backed up: p is the primary, r is in state RECOVERING, a is an arbiter, which has no data',
        hint: expect.stringContaining('secondaryPreferred'),
      }),
    );
  });

  it('of a set of one member is its primary only when that is said', () => {
    expect(() => chooseMember(set(P), wish('secondary'))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('MongoMember.PRIMARY') }),
    );
    expect(chooseMember(set(P), wish('primary')).member.host).toBe('p');
  });

  it('is none where the primary is wanted and there is none', () => {
    expect(() => chooseMember(set(S), wish('primary'))).toThrow(
      expect.objectContaining({ code: 'member-unsuitable', message: 'replica set rs0 has no primary: s is SECONDARY' }),
    );
  });

  it.each<{ readonly what: string; readonly as: Preference; readonly chosen: Member; readonly now: Member[] }>([
    { what: 'a secondary as before', as: 'secondary', chosen: S, now: [P, S] },
    { what: 'a primary as before', as: 'primary', chosen: P, now: [P, S] },
    { what: 'a primary, though a secondary is fit by now', as: 'secondaryPreferred', chosen: P, now: [P, S] },
    {
      what: 'a primary that is a secondary now, which is preferred',
      as: 'secondaryPreferred',
      chosen: member('s', { state: 'PRIMARY' }),
      now: [P, S],
    },
  ])('is confirmed when it is $what', ({ as, chosen, now }) => {
    expect(confirmMember(set(...now), chosen, wish(as)).member.host).toBe(chosen.host);
  });

  it.each<{ readonly says: string; readonly as?: Preference; readonly chosen?: Member; readonly now: Member[] }>([
    { says: 'is the primary', now: [member('p'), member('s', { state: 'PRIMARY' })] },
    { says: 'is the primary', as: 'secondaryPreferred', now: [member('s', { state: 'PRIMARY' })] },
    {
      says: 'is in state SECONDARY, and no primary',
      as: 'primary',
      chosen: P,
      now: [member('p'), member('s', { state: 'PRIMARY' })],
    },
    { says: 'is 61 s behind, more than 60 s', now: [P, member('s', { appliedMs: NOW - 61_000 })] },
    { says: 'is in state ROLLBACK', now: [P, member('s', { state: 'ROLLBACK' })] },
    { says: 'has left the set', now: [P] },
  ])('is refused after its wait when by now it $says', ({ says, as = 'secondary', chosen = S, now }) => {
    expect(() => confirmMember(set(...now), chosen, wish(as))).toThrow(
      expect.objectContaining({
        code: 'member-unsuitable',
        message: `${chosen.host} of replica set rs0 was chosen to be backed up, and by now it ${says}`,
      }),
    );
  });

  it('is as far behind as it is by now', () => {
    const now = set(P, member('s', { appliedMs: NOW - 30_000 }));
    expect(confirmMember(now, S, wish('secondary')).behindSeconds).toBe(30);
  });

  it.each([
    { what: 'one of three', members: [P, S, member('t')], waits: false },
    { what: 'one of two', members: [P, S], waits: true },
    {
      what: 'one of two and an arbiter',
      members: [P, S, member('a', { arbiter: true, state: 'ARBITER' })],
      waits: true,
    },
    {
      what: 'one of three, of which one is down',
      members: [P, S, member('x', { healthy: false, state: 'DOWN' })],
      waits: true,
    },
  ])('holds up a majority when it is $what: $waits', ({ members, waits }) => {
    expect(majorityNeeds(set(...(members as Member[])), S)).toBe(waits);
  });

  it('holds up no majority without a vote', () => {
    expect(majorityNeeds(set(P, S), member('v', { votes: 0 }))).toBe(false);
  });
});
