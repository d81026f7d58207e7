/** What the contract of engines works with: a server, stores that wait or note the time, the record of a backup, and its restore. */
import type { Engine, EngineSession, Inspection, Plan, PlanRequest, Target } from '../../../runner/engine';
import type { runFrozen } from '../../../runner/frozen';
import { LocalRestoreSite } from '../../../runner/local/restore-site';
import type { CutRequest, SnapshotStore } from '../../../runner/ports';
import { planFolders } from '../../../runner/restore/folders';
import type { BackupRecord, VolumeSelection } from '../../../src/contract';
import { API_VERSION } from '../../../src/contract';
import type { LedgerWriter } from '../../ledger/writer';
import { allBut } from '../../support/all-but';
import { QuietLog } from '../../support/quiet-log';

/** A real server with data in folders, and what the suite has to do to it. */
export interface EngineFixture {
  readonly engine: Engine;
  readonly volumes: readonly VolumeSelection[];
  target(changes?: { readonly password?: string; readonly port?: number }): Target;
  startLedger(): Promise<LedgerWriter>;
  /** What is held at the server for a backup, each in a word; empty when nothing is. */
  held(): Promise<readonly string[]>;
  /** Ends the session at the server, as an administrator would. */
  kill(session: EngineSession): Promise<void>;
  /** Restarts the server. */
  restart(): Promise<void>;
  /** Starts a server on prepared files by the engine's own command, inspects it, and reads the ledger. */
  open(
    dataPath: string,
    record: BackupRecord,
  ): Promise<{ readonly inspection: Inspection; readonly ledger: readonly number[] }>;
  remove(): Promise<void>;
}

/** A store whose first cut waits for the test: to look at, or disturb, the server in the middle. */
export class PausedStore {
  readonly #asked = Promise.withResolvers<void>();
  readonly #go = Promise.withResolvers<void>();
  readonly store: SnapshotStore;

  constructor(inner: SnapshotStore) {
    const cut = async (request: CutRequest, signal: AbortSignal): ReturnType<SnapshotStore['cut']> => {
      this.#asked.resolve();
      await this.#go.promise;
      return inner.cut(request, signal);
    };
    this.store = allBut(inner, { cut });
  }

  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  go(): void {
    this.#go.resolve();
  }
}

/** Notes when the first cut is asked for and when the last is seen, by the ledger's clock. */
export function timing(store: SnapshotStore, times: { firstAsked: number; lastSeen: number }): SnapshotStore {
  const cut = async (request: CutRequest, signal: AbortSignal): ReturnType<SnapshotStore['cut']> => {
    if (times.firstAsked === 0) times.firstAsked = performance.now();
    const cuts = await store.cut(request, signal);
    times.lastSeen = performance.now();
    return cuts;
  };
  return allBut(store, { cut });
}

/** The record that the backup command would have written of it. */
export function recordOf(
  { engine }: Pick<EngineFixture, 'engine'>,
  { server }: EngineSession,
  request: PlanRequest,
  plan: Plan,
  outcome: Awaited<ReturnType<typeof runFrozen>>,
  cuts: BackupRecord['cuts'],
): BackupRecord {
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    id: request.id,
    namespace: 'local',
    database: 'ledger',
    engine: engine.name,
    serverVersion: server.version,
    serverIdentity: server.identity,
    settings: server.settings,
    policy: 'ledger',
    trigger: 'manual',
    mode: 'snapshot',
    layout: plan.layout,
    owner: { jobUid: 'job-1' },
    phase: 'succeeded',
    times: { started: outcome.frozenAt.toISOString() },
    budgetSeconds: 30,
    position: outcome.results.position,
    artifacts: outcome.results.artifacts,
    proof: outcome.proof,
    volumes: request.volumes.map(({ namespace: _, nested: __, ...volume }) => volume),
    cuts,
    runnerVersion: 'test',
  };
}

/** Restores a record into folders below a new one, and opens what came out. */
export async function restoreInto(
  fixture: EngineFixture,
  record: BackupRecord,
  target: string,
): ReturnType<EngineFixture['open']> {
  const site = new LocalRestoreSite({ engineOf: async () => fixture.engine, log: new QuietLog() });
  const plan = planFolders(record, target);
  await site.check(plan);
  await site.makeVolumes(plan, new AbortController().signal);
  const { dataPath } = await site.prepare(plan);
  await site.finish(plan);
  return await fixture.open(dataPath, record);
}
