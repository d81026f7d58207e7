/** Histories of backups, made up: by a rule, or at random but the same in each run. */
import { backupId, type Candidate, type Policy, type Retention } from '../../src/contract';
import { record } from './record';

/** When histories are looked at. */
export const NOW = new Date('2026-11-25T12:00:00Z');
export const DAY = 86_400_000;

/** Numbers from 0 to 1 that look random and depend on the seed alone (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A good backup that was asked for at an instant. */
export function goodAt(at: string | number, more: Parameters<typeof record>[0] = {}): Candidate {
  const asked = new Date(at);
  return { record: record({ id: backupId(asked), times: { started: asked.toISOString() }, ...more }) };
}

/** The retention of the policy that {@link record} is of. */
export function policyOf(retention: Retention, timeZone = 'Etc/UTC', name = 'orders-db-backup'): Policy {
  return {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'BackupPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { database: 'orders-db', timeZone, retention },
  };
}
