/**
 * A backup of a Neo4j server as a plan. Running, store and transaction logs are cut at one instant, and the copy recovers
 * as after a crash: what was acknowledged before the first cut is in the transaction logs on the device. Community has
 * neither a checkpoint that one can ask for nor an online backup. Stopped (offline), the files are closed.
 */
import type { Plan, PlanRequest, PlanResults, PlanStep } from '../../engine';
import { cutsTogether, refuseProblems } from '../../plan-request';
import { CRASH } from './checks';
import { requestProblems } from './layout';
import type { Neo4jSession } from './session';
import { settled } from './settled';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: Neo4jSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  let position: Readonly<Record<string, string>> = {};
  const { volumes, offline = false } = request;
  const together = cutsTogether(request);
  const settle: PlanStep = {
    kind: 'act',
    name: 'wait until the first files are on the device',
    waits: true,
    run: ({ signal }) => settled((within) => session.uptimeMs(within), session.log, signal),
  };
  const read: PlanStep = {
    kind: 'act',
    name: 'read the position',
    run: async ({ signal }) => {
      position = await session.position(signal);
    },
  };
  return {
    layout: together ? 'group' : offline && volumes.length > 1 ? 'separate' : 'atomic',
    freezes: 'nothing',
    atOneInstant: !offline,
    statement: offline
      ? 'the files are those of a server that was stopped'
      : 'store and transaction logs were cut at one instant, while one session saw the same server before and after; crash-consistent: its recovery completes the copy',
    steps: [
      // What is stopped closes its files, and its file system is unmounted.
      ...(offline ? [] : [settle]),
      read,
      { kind: 'cut', volumes: volumes.map(({ name }) => name), how: together ? 'together' : 'individually' },
    ],
    // A server that is stopped answers nobody: what holds it shows that it is.
    observe: offline ? async () => ({}) : (within) => session.observe(within),
    thaw: async () => undefined,
    results: (): PlanResults => ({
      position: { mode: offline ? 'offline' : 'crash', exact: 'false', ...position },
      artifacts: {},
      warnings: offline ? [] : [CRASH],
    }),
  };
}
