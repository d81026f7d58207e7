/** A backup of Redis or Valkey as a plan for the executor, by its mode. */
import type { Plan, PlanRequest } from '../../engine';
import { refuseProblems } from '../../plan-request';
import { modeOf, requestProblems } from './layout';
import { AppendOnlyPlan } from './plan-aof';
import { DumpPlan } from './plan-rdb';
import type { RedisSession } from './session';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: RedisSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  const mode = modeOf(request, session.server);
  return mode === 'aof' ? new AppendOnlyPlan(session, request) : new DumpPlan(session, request, mode === 'rdb-paused');
}
