/** What stays and what goes of all records: the cases by name. What holds for any history: retention-any-history.test.ts. */
import { expect, test } from 'vitest';
import { type BackupRecord, type Candidate, type Policy, planRetention } from '../../src/contract';
import { DAY, goodAt, NOW, policyOf } from '../support/histories';

const daysAgo = (days: number, more: Partial<BackupRecord> = {}): Candidate => goodAt(NOW.getTime() - days * DAY, more);
const failedDaysAgo = (days: number, more: Partial<BackupRecord> = {}): Candidate =>
  daysAgo(days, { phase: 'failed', ...more });

/** The rules by which a backup is kept, or `gone:` and those by which it goes. */
function rulesOf(candidates: readonly Candidate[], policies: readonly Policy[] = LAST_ONE): readonly string[] {
  const verdicts = planRetention(candidates, policies, NOW);
  return candidates.map((candidate) => {
    const found = verdicts.find((verdict) => verdict.candidate === candidate);
    const rules = found?.reasons.map(({ rule }) => rule).join(' ');
    return found?.keep === true ? `${rules}` : `gone: ${rules}`;
  });
}

const LAST_ONE = [policyOf({ keepLast: 1 })];
const imported = { at: '2026-11-01T00:00:00.000Z', from: {}, ownsData: false } as unknown as NonNullable<
  BackupRecord['imported']
>;
const held = [{ member: 'main', what: 'fsyncLock', facts: {} }] as unknown as BackupRecord['held'];

/** An object that its store lets nobody remove for so many days from now. */
const lockedFor = (days: number): NonNullable<BackupRecord['objects']>[number] =>
  ({ key: 'a', lockedUntil: new Date(NOW.getTime() + days * 86_400_000).toISOString() }) as never;

const CASES: readonly [what: string, candidates: readonly Candidate[], rules: readonly string[]][] = [
  ['what no rule keeps goes', [daysAgo(0), daysAgo(1)], ['keepLast last-good', 'gone: keepLast']],
  [
    'rule 10: the last good one stays, however many failed after it',
    [failedDaysAgo(0), failedDaysAgo(1), daysAgo(2), daysAgo(3)],
    ['recent newest', 'recent', 'keepLast last-good', 'gone: keepLast'],
  ],
  [
    'rule 10: the last verified one stays',
    [
      daysAgo(0),
      daysAgo(1, { verification: { verdict: 'failed' } }),
      daysAgo(2, { verification: { verdict: 'passed' } }),
    ],
    ['keepLast last-good', 'gone: keepLast', 'last-verified'],
  ],
  [
    'rule 10: a protected one stays',
    [daysAgo(0), daysAgo(1, { retention: { protected: true } })],
    ['keepLast last-good', 'protected'],
  ],
  [
    'what its store keeps locked stays until it can be removed, whoever asks',
    [
      daysAgo(0),
      daysAgo(1, { objects: [lockedFor(1)] }),
      { ...daysAgo(2, { objects: [lockedFor(1)] }), deletionAsked: true },
      daysAgo(3, { objects: [lockedFor(-1)] }),
    ],
    ['keepLast last-good', 'locked', 'locked', 'gone: keepLast'],
  ],
  [
    'rule 10: one from before a deployment stays until it is released',
    [
      daysAgo(0),
      daysAgo(1, { trigger: 'pre-deployment' }),
      daysAgo(2, { trigger: 'pre-deployment', retention: { protected: false } }),
      failedDaysAgo(30, { trigger: 'pre-deployment' }),
    ],
    ['keepLast last-good', 'protected', 'gone: keepLast', 'gone: failed'],
  ],
  [
    'rule 10: what a kept one needs stays, and what that needs',
    [
      daysAgo(0, { needs: [daysAgo(1).record.id] }),
      daysAgo(1, { needs: [daysAgo(2).record.id] }),
      daysAgo(2),
      daysAgo(3, { needs: [daysAgo(4).record.id] }),
      daysAgo(4),
    ],
    ['keepLast last-good', 'needed', 'needed', 'gone: keepLast', 'gone: keepLast'],
  ],
  [
    'rule 10: what is being restored stays',
    [daysAgo(0), { ...daysAgo(1), usedBy: ['restore shop/copy'] }],
    ['keepLast last-good', 'in-use'],
  ],
  [
    'what failed is kept for 14 days, the newest longer',
    [failedDaysAgo(13.9), daysAgo(14), failedDaysAgo(14.1)],
    ['recent newest', 'keepLast last-good', 'gone: failed'],
  ],
  ['the newest of all stays although it failed long ago', [failedDaysAgo(99)], ['newest']],
  [
    'what never came to an end goes as late',
    [daysAgo(0), daysAgo(13, { phase: 'freezing' }), daysAgo(15, { phase: 'cut' })],
    ['keepLast last-good', 'recent', 'gone: abandoned'],
  ],
  [
    'a record stays whose freeze may be in force',
    [daysAgo(0), failedDaysAgo(20, { held })],
    ['keepLast last-good', 'holds'],
  ],
  [
    "a deletion that was asked for is done, the last good one's too",
    [{ ...daysAgo(0, { phase: 'deleting' }), deletionAsked: true }],
    ['gone: asked'],
  ],
  [
    'a deletion that was asked for waits for who protects, needs or uses it, or makes it',
    [
      { ...daysAgo(0, { phase: 'deleting', retention: { protected: true } }), deletionAsked: true },
      { ...daysAgo(1, { phase: 'deleting' }), deletionAsked: true, usedBy: ['clone shop/copy'] },
      { ...daysAgo(2, { phase: 'deleting' }), deletionAsked: true },
      daysAgo(3, { needs: [daysAgo(2).record.id] }),
      { ...daysAgo(4, { phase: 'cut' }), deletionAsked: true },
    ],
    ['protected', 'in-use', 'needed', 'keepLast last-good', 'unfinished'],
  ],
  [
    'a removal that has begun comes to its end',
    [daysAgo(0), { ...daysAgo(1, { phase: 'deleting', retention: { protected: true } }), removalBegun: true }],
    ['keepLast last-good', 'gone: begun'],
  ],
  [
    'one that somebody else is about to remove is no good one any more, and left to them',
    [{ ...daysAgo(0), marked: true }, daysAgo(1), daysAgo(2)],
    ['marked', 'keepLast last-good', 'gone: keepLast'],
  ],
  [
    'of a policy that nothing is known of all is kept',
    [daysAgo(0, { policy: 'gone' }), failedDaysAgo(30, { policy: 'gone' }), daysAgo(1), daysAgo(2)],
    ['no-retention last-good', 'no-retention', 'keepLast last-good', 'gone: keepLast'],
  ],
  [
    'what was imported counts for no policy here, and stays',
    [daysAgo(0, { imported }), daysAgo(1), daysAgo(2)],
    ['imported', 'keepLast last-good', 'gone: keepLast'],
  ],
  [
    'a retention of another database or namespace says nothing',
    [daysAgo(0, { namespace: 'bank' }), daysAgo(1, { namespace: 'bank' }), daysAgo(1, { database: 'users-db' })],
    ['no-retention last-good', 'no-retention', 'no-retention last-good'],
  ],
];

test.each(CASES)('%s', (_, candidates, rules) => {
  expect(rulesOf(candidates)).toEqual(rules);
});

test('a retention without a rule keeps what rule 10 keeps', () => {
  expect(rulesOf([daysAgo(0), daysAgo(1)], [policyOf({})])).toEqual(['last-good', 'gone: keepLast']);
});

test('policies of one database each count their own', () => {
  const nightly = { policy: 'nightly' };
  const hourly = { policy: 'hourly' };
  const policies = [policyOf({ keepLast: 1 }, 'UTC', 'nightly'), policyOf({ keepLast: 2 }, 'UTC', 'hourly')];
  const history = [0, 1, 2].flatMap((days) => [daysAgo(days, hourly), daysAgo(days + 0.5, nightly)]);
  const kept = planRetention(history, policies, NOW).filter(({ keep }) => keep);
  expect(kept.map(({ candidate: { record } }) => record.policy)).toEqual(['hourly', 'nightly', 'hourly']);
});

test('says what it says in words', () => {
  const verdicts = planRetention(
    [
      daysAgo(0),
      daysAgo(1, { retention: { protected: true, by: 'ann@example.com', reason: 'before the audit' } }),
      daysAgo(2, { trigger: 'pre-deployment' }),
      { ...daysAgo(3), usedBy: ['restore shop/copy'] },
      failedDaysAgo(20),
    ],
    [policyOf({ keepLast: 1, keepDaily: 1 })],
    NOW,
  );
  expect(verdicts.map(({ reasons }) => reasons.map(({ text }) => text))).toEqual([
    ['the newest of 1', 'the newest of 2026-11-25', 'the last good one of policy orders-db-backup'],
    ['protected by ann@example.com: before the audit'],
    ['taken before a deployment (pre-deployment), and not released'],
    ['in use by restore shop/copy'],
    ['it failed, since 2026-11-05T12:00:00.000Z'],
  ]);
});
