/** A backup of PostgreSQL as a plan for the executor: one of three layouts, or a standstill. */
import type { Plan, PlanRequest } from '../../engine';
import { refuseProblems } from '../../plan-request';
import { chooseLayout, requestProblems } from './layout';
import { planInBackupMode } from './plan-backup-mode';
import { planAtInstant } from './plan-instant';
import { LockedPlan } from './plan-locked';
import type { PostgresSession } from './session';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: PostgresSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  if (request.standstill === true) return new LockedPlan(session, request);
  const layout = chooseLayout(request);
  return layout === 'backup-mode' ? planInBackupMode(session, request) : planAtInstant(session, request, layout);
}
