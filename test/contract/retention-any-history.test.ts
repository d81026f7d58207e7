/** What stays and what goes of all records: what holds whatever the history, the rules and the time zones, tried on made-up ones. */
import { describe, expect, test } from 'vitest';
import {
  type BackupRecord,
  type Candidate,
  isProtected,
  isVerified,
  type Policy,
  planRetention,
  type Retention,
} from '../../src/contract';
import { DAY, goodAt, NOW, policyOf, randomFrom } from '../support/histories';

/** A history as life makes it: a rhythm with gaps, failures, protection, chains, users. */
function randomHistory(random: () => number): readonly Candidate[] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const every = pick([1, 6, 24, 24 * 7]) * (DAY / 24);
  const history: Candidate[] = [];
  for (let at = NOW.getTime(), index = 0; index < 5 + random() * 100; index++, at -= every * (0.5 + random())) {
    const more: Partial<BackupRecord> = {
      policy: pick(['orders-db-backup', 'orders-db-backup', 'orders-db-backup', 'other', 'gone']),
      trigger: random() < 0.08 ? 'pre-deployment' : 'scheduled',
      phase: pick(['succeeded', 'succeeded', 'succeeded', 'succeeded', 'failed', 'freezing']),
      ...(random() < 0.1 ? { retention: { protected: random() < 0.5 } } : {}),
      ...(random() < 0.1 ? { verification: { verdict: pick(['passed', 'failed']) } } : {}),
    };
    history.push({ ...goodAt(at, more), ...(random() < 0.05 ? { usedBy: ['restore x'] } : {}) });
  }
  return chained(history, random);
}

/** Some need an earlier one. */
function chained(history: readonly Candidate[], random: () => number): readonly Candidate[] {
  return history.map((candidate, index) => {
    const earlier = history[index + 1 + Math.floor(random() * 5)];
    if (earlier === undefined || random() > 0.15) return candidate;
    return { ...candidate, record: { ...candidate.record, needs: [earlier.record.id] } };
  });
}

function randomRetention(random: () => number): Retention {
  const some = (upTo: number): number => (random() < 0.65 ? 0 : Math.floor(random() * upTo));
  return {
    keepLast: some(5),
    keepHourly: some(24),
    keepDaily: some(10),
    keepWeekly: some(6),
    keepMonthly: some(12),
    keepYearly: some(3),
    keepWithinSeconds: some(60 * 86_400),
  };
}

const RULES = [
  'keepLast',
  'keepHourly',
  'keepDaily',
  'keepWeekly',
  'keepMonthly',
  'keepYearly',
  'keepWithinSeconds',
] as const;
const ZONES = ['Etc/UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia'];

describe('whatever the history', () => {
  const HISTORIES = Array.from({ length: 200 }, (_, seed) => seed + 1);
  const idsOf = (candidates: readonly Candidate[]): readonly string[] => candidates.map(({ record }) => record.id);

  interface Drawn {
    readonly history: readonly Candidate[];
    readonly policies: readonly Policy[];
    readonly random: () => number;
  }

  const draw = (seed: number): Drawn => {
    const random = randomFrom(seed);
    const zone = (): string => ZONES[Math.floor(random() * ZONES.length)] ?? 'Etc/UTC';
    const policies = [policyOf(randomRetention(random), zone()), policyOf(randomRetention(random), zone(), 'other')];
    return { history: randomHistory(random), policies, random };
  };
  const kept = (history: readonly Candidate[], policies: readonly Policy[]): readonly Candidate[] =>
    planRetention(history, policies, NOW)
      .filter(({ keep }) => keep)
      .map(({ candidate }) => candidate);

  test('the histories are such that a retention has something to do', () => {
    const counts = HISTORIES.map((seed) => {
      const { history, policies } = draw(seed);
      return history.length - kept(history, policies).length;
    });
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(120);
  });

  test('rule 10 holds', () => {
    for (const seed of HISTORIES) {
      const { history, policies } = draw(seed);
      const stays = kept(history, policies);
      const ids = new Set(idsOf(stays));
      for (const policy of new Set(history.map(({ record }) => record.policy))) {
        const good = history.filter(({ record }) => record.policy === policy && record.phase === 'succeeded');
        const verified = good.filter(({ record }) => isVerified(record));
        for (const [newest] of [good, verified]) if (newest !== undefined) expect(ids).toContain(newest.record.id);
      }
      for (const { record, usedBy = [] } of history) {
        if (isProtected(record) || usedBy.length > 0 || record.policy === 'gone') expect(ids).toContain(record.id);
        if (!ids.has(record.id)) continue;
        for (const needed of record.needs ?? []) expect(ids).toContain(needed);
      }
    }
  });

  test('every backup has one verdict, with a reason at least', () => {
    for (const seed of HISTORIES) {
      const { history, policies } = draw(seed);
      const verdicts = planRetention(history, policies, NOW);
      expect(verdicts.map(({ candidate }) => candidate.record.id).toSorted()).toEqual(idsOf(history).toSorted());
      expect(verdicts.filter(({ reasons }) => reasons.length === 0)).toEqual([]);
    }
  });

  test('the order of the records does not matter, nor that of the policies', () => {
    for (const seed of HISTORIES) {
      const { history, policies, random } = draw(seed);
      const shuffled = history.map((each) => [random(), each] as const).toSorted(([one], [other]) => one - other);
      expect(
        planRetention(
          shuffled.map(([, each]) => each),
          policies.toReversed(),
          NOW,
        ),
      ).toEqual(planRetention(history, policies, NOW));
    }
  });

  test('what was kept once is kept again', () => {
    for (const seed of HISTORIES) {
      const { history, policies } = draw(seed);
      const once = kept(history, policies);
      expect(idsOf(kept(once, policies))).toEqual(idsOf(once));
    }
  });

  test('a rule that is raised removes nothing more', () => {
    for (const seed of HISTORIES) {
      const { history, policies, random } = draw(seed);
      const [policy, ...others] = policies;
      const rule = RULES[Math.floor(random() * RULES.length)] ?? 'keepLast';
      const by = rule === 'keepWithinSeconds' ? 86_400 * 10 : 3;
      const retention = { ...policy?.spec.retention, [rule]: (policy?.spec.retention[rule] ?? 0) + by };
      const raised = [policyOf(retention, policy?.spec.timeZone), ...others];
      const stays = idsOf(kept(history, raised));
      for (const id of idsOf(kept(history, policies))) expect(stays).toContain(id);
    }
  });
});
