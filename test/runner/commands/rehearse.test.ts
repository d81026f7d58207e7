import { expect, it } from 'vitest';
import type { BackupContext } from '../../../runner/commands/backup-context';
import { rehearse } from '../../../runner/commands/rehearse';

it('stops nothing: a policy that backs up what is stopped is not rehearsed', async () => {
  // Whatever it would ask for is missing: it would throw.
  const context = {
    config: { spec: { database: 'graph' } },
    namespace: 'shop',
    sources: [{ config: {} }, { config: { offline: { kind: 'StatefulSet', name: 'graph' } } }],
  } as unknown as BackupContext;
  expect(await rehearse(context)).toEqual([
    expect.objectContaining({ severity: 'warning', code: 'offline-unsuitable', subject: 'freeze of shop/graph' }),
  ]);
});
