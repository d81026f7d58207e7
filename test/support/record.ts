import type { BackupRecord } from '../../src/contract';

/** A record that is valid, and says what the test wants it to. */
export function record(changes: Partial<BackupRecord> = {}): BackupRecord {
  return {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'Backup',
    id: '20260101020000',
    namespace: 'shop',
    database: 'orders-db',
    engine: 'postgres',
    policy: 'orders-db-backup',
    trigger: 'scheduled',
    mode: 'snapshot',
    owner: { jobUid: 'job-1', jobName: 'orders-db-backup-1' },
    phase: 'succeeded',
    times: { started: '2026-01-01T02:00:01.000Z' },
    budgetSeconds: 30,
    volumes: [{ name: 'data', role: 'data', claim: 'data-orders-db-0' }],
    cuts: [],
    runnerVersion: '0.1.0',
    ...changes,
  };
}
