/** What a record says of each member of a backup. Pure: what happened goes in, a part of the record comes out. */
import type { BackupRecord, Cut, RecordedMember } from '../src/contract';
import type { Member } from './member';
import type { MergedPlan } from './merge-plans';

type SharedFacts = Pick<BackupRecord, 'flavour' | 'serverVersion' | 'serverIdentity' | 'settings' | 'workload'>;

/** What the record says of its server; of several servers what is the same of all, the rest stands with each. */
export function sharedFacts(members: readonly Member[]): SharedFacts {
  const [first, ...others] = members;
  if (first === undefined) return {};
  const { server } = first.session;
  if (others.length === 0 && first.name === '') {
    const { identity, settings, flavour, version } = server;
    return {
      flavour,
      serverVersion: known(version),
      serverIdentity: identity,
      settings,
      workload: first.place.workload,
    };
  }
  const alike = others.every(
    ({ source, session }) => source.engine === first.source.engine && session.server.version === server.version,
  );
  return alike ? { flavour: server.flavour, serverVersion: known(server.version) } : {};
}

/** What has no server has no version. */
function known(version: string): string | undefined {
  return version === '' ? undefined : version;
}

/** The members as the checks have found them. */
export function recordedMembers(members: readonly Member[]): readonly RecordedMember[] {
  return members.map(({ name, source, session: { server }, place, plan }) => ({
    name,
    ...(source.name === '' ? {} : { of: source.name }),
    engine: source.engine.name,
    flavour: server.flavour,
    serverVersion: known(server.version),
    serverIdentity: server.identity,
    ...(server.cluster === undefined ? {} : { cluster: server.cluster }),
    settings: server.settings,
    layout: plan?.layout,
    freezes: plan?.freezes,
    statement: plan?.statement,
    workload: place.workload,
  }));
}

/** The members with what their plans have found out. */
export function withOutcome(
  recorded: readonly RecordedMember[],
  members: readonly Member[],
  merged: MergedPlan,
): readonly RecordedMember[] {
  return recorded.map((one) => {
    const results = members.find(({ name }) => name === one.name)?.plan?.results();
    const { frozenAt, thawedAt, windowMs } = merged.windowOf(one.name);
    return {
      ...one,
      frozen: frozenAt?.toISOString(),
      thawed: thawedAt?.toISOString(),
      freezeWindowMs: windowMs === undefined ? undefined : Math.round(windowMs),
      position: results?.position,
      artifacts: results?.artifacts,
    };
  });
}

/** From the first cut seen to the last: all members stood still in all of it. */
export function spreadOf(cuts: readonly Cut[]): number {
  const seen = cuts.map(({ seenAt }) => Date.parse(seenAt));
  return seen.length === 0 ? 0 : Math.max(...seen) - Math.min(...seen);
}
