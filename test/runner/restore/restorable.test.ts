import { describe, expect, test } from 'vitest';
import { assertRestorable, assertStartable } from '../../../runner/restore/restorable';
import { type BackupRecord, PHASES } from '../../../src/contract';
import { recordWith } from '../../support/records';

describe('only a backup that has succeeded restores', () => {
  test.each(PHASES.filter((phase) => phase !== 'succeeded'))('%s does not', (phase) => {
    expect(() => assertRestorable(recordWith({ phase }))).toThrow(
      expect.objectContaining({ code: 'backup-not-restorable', exitCode: 3 }),
    );
  });

  test('the reason of a failure is told', () => {
    const error: BackupRecord['error'] = { code: 'cut-failed', message: 'no room', at: '2026-11-21T02:04:19Z' };
    expect(() => assertRestorable(recordWith({ phase: 'failed', error }))).toThrow(/it failed: no room/);
  });

  test('succeeded does', () => {
    expect(() => assertRestorable(recordWith())).not.toThrow();
  });
});

test('a server is only started of a recorded image', () => {
  expect(() => assertStartable(recordWith())).toThrow(/does not name the server's image/);
  expect(() => assertStartable(recordWith({ workload: { image: 'postgres:17' } }))).not.toThrow();
});
