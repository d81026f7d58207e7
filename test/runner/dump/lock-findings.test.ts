import { describe, expect, it } from 'vitest';
import { lockFindings } from '../../../runner/dump/lock-findings';
import type { Retention, StoreConfig } from '../../../src/contract';

const locked = (days: number): StoreConfig => ({
  kind: 's3',
  s3: { bucket: 'backups', lock: { mode: 'COMPLIANCE', days } },
});

describe('object lock beside a retention', () => {
  it.each<[days: number, retention: Retention, says: readonly string[]]>([
    [7, { keepDaily: 7 }, []],
    [7, { keepWeekly: 1, keepWithinSeconds: 7 * 86_400 }, []],
    [30, { keepDaily: 7 }, ['the retention gives the first of them up after about 7 days']],
    [2, { keepHourly: 12 }, ['gives the first of them up after about 1 day']],
    [7, { keepDaily: 30 }, ['the retention keeps some for about 30 days']],
    [30, { keepDaily: 7, keepMonthly: 12 }, ['after about 7 days', 'keeps some for about 360 days']],
    [7, { keepWithinSeconds: 14 * 86_400 }, ['keeps some for about 14 days']],
  ])('of %i days and %j', (days, retention, says) => {
    const warnings = lockFindings(locked(days), retention).filter(({ severity }) => severity === 'warning');
    expect(warnings.map(({ message }) => message)).toEqual(says.map((text) => expect.stringContaining(text)));
    for (const { code, hint } of warnings) expect([code, hint]).toEqual(['lock-mismatch', expect.any(String)]);
  });

  it('says the lock where all is kept, and nothing of days where the newest ones are counted', () => {
    expect(lockFindings(locked(7), undefined)).toMatchObject([{ severity: 'ok', message: 'COMPLIANCE, 7 days' }]);
    expect(lockFindings(locked(7), { keepLast: 3 })).toEqual([]);
  });

  describe('of the place itself', () => {
    const plain: StoreConfig = { kind: 's3', s3: { bucket: 'backups' } };
    const byDefault = { mode: 'GOVERNANCE', days: 30 };

    it('counts where the config says nothing of locks', () => {
      expect(lockFindings(plain, { keepDaily: 7 }, { able: true, byDefault })).toMatchObject([
        {
          severity: 'warning',
          code: 'lock-mismatch',
          message: expect.stringMatching(/^the place itself locks backups for 30 days, .* after about 7 days/),
        },
      ]);
      expect(lockFindings(plain, { keepDaily: 7 }, { able: true })).toEqual([]);
    });

    it('gives way to that of the config', () => {
      expect(lockFindings(locked(7), { keepDaily: 7 }, { able: true, byDefault })).toMatchObject([
        { severity: 'ok', message: 'COMPLIANCE, 7 days' },
      ]);
    });

    it('fails each upload where it has none and is to have one; where nobody may ask, nothing is said of that', () => {
      expect(lockFindings(locked(7), { keepDaily: 7 }, { able: false })).toMatchObject([
        {
          severity: 'error',
          code: 'lock-missing',
          message: expect.stringContaining('bucket backups has no object lock'),
        },
      ]);
      expect(lockFindings(locked(7), { keepDaily: 7 }, { able: undefined })).toMatchObject([{ severity: 'ok' }]);
      expect(lockFindings(plain, { keepDaily: 7 }, { able: false })).toEqual([]);
    });
  });

  it('says nothing where nothing is locked', () => {
    expect(lockFindings({ kind: 's3', s3: { bucket: 'backups' } }, { keepDaily: 7 })).toEqual([]);
    expect(lockFindings({ kind: 'gcs', gcs: { bucket: 'backups' } }, { keepDaily: 7 })).toEqual([]);
  });
});
