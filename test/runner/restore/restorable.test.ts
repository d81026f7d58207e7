import { describe, expect, test } from 'vitest';
import { ENGINES } from '../../../runner/engines';
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

test('a server is only started of a recorded image', async () => {
  const postgres = await ENGINES.postgres();
  expect(() => assertStartable(recordWith(), postgres)).toThrow(/does not name the server's image/);
  expect(() => assertStartable(recordWith({ workload: { image: 'postgres:17' } }), postgres)).not.toThrow();
});

test('a server that joins others is not started by itself, and that is said before anything is made', async () => {
  const record = recordWith({ workload: { image: 'nuodb/nuodb:6' } });
  const nuodb = await ENGINES.nuodb();
  expect(() => assertStartable(record, nuodb)).toThrow(expect.objectContaining({ code: 'backup-not-restorable' }));
});
