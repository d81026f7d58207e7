/** The volumes of a storage manager, and requests for a backup of them. */
import type { PlanRequest } from '../../../../runner/engine';
import type { Volume } from '../../../../runner/ports';

export const archive: Volume = { name: 'archive', role: 'data', claim: 'archive-volume-sm-0', namespace: 'nuodb' };
export const journal: Volume = { name: 'journal', role: 'log', claim: 'journal-volume-sm-0', namespace: 'nuodb' };

export const ID = '20261126020000';

export const request = (more: Partial<PlanRequest> = {}): PlanRequest => ({
  id: ID,
  volumes: [archive, journal],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  ...more,
});
