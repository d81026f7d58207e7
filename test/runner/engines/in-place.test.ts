/** What each engine says of a restore in place. */
import { describe, expect, it } from 'vitest';
import { ENGINES } from '../../../runner/engines';
import type { BackupRecord, EngineName } from '../../../src/contract';
import { record } from '../../support/record';

const followers: readonly [engine: EngineName, what: string, changes: Partial<BackupRecord>, message: string][] = [
  ['postgres', 'a standby', { serverIdentity: { role: 'standby' } }, 'the backup is of a standby'],
  ['mysql', 'a replica', { position: { source: 'primary:3306' } }, 'the backup is of a replica of primary:3306'],
  ['redis', 'a replica', { position: { primary: '10.0.0.1:6379' } }, 'the backup is of a replica of 10.0.0.1:6379'],
];

describe('in place', () => {
  it.each(followers)('%s refuses the backup of %s: it would follow at once', async (name, _, changes, message) => {
    const { restore } = await ENGINES[name]();
    expect(restore.inPlace?.(record({ engine: name, ...changes }))).toMatchObject([
      { severity: 'error', code: 'in-place-unsuitable', message: expect.stringContaining(message) },
    ]);
  });

  it.each(followers)('%s says what becomes of those that follow the database', async (name) => {
    const { restore } = await ENGINES[name]();
    expect(restore.inPlace?.(record({ engine: name }))).toMatchObject([{ severity: 'warning' }]);
  });

  it.each(followers)('%s attaches what it detaches in files', async (name) => {
    const { restore } = await ENGINES[name]();
    expect(restore.attach).toBeDefined();
  });
});
