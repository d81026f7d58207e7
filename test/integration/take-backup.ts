/** One backup by the executor, with something happening in the middle; for tests of what comes after it. */
import { systemClock } from '../../runner/clock';
import type { PlanRequest, Target } from '../../runner/engine';
import { runFrozen } from '../../runner/frozen';
import { LocalPlatform } from '../../runner/local/platform';
import type { CutRequest, SnapshotStore } from '../../runner/ports';
import { DirectorySnapshotStore } from '../../runner/snapshots/directory';
import type { BackupRecord, Cut, VolumeSelection } from '../../src/contract';
import { backupId } from '../../src/contract';
import { allBut } from '../support/all-but';
import { QuietLog } from '../support/quiet-log';
import { type EngineFixture, recordOf } from './contract/engine-fixture';

/** What differs from the suite's own backup. */
export interface BackupOptions {
  readonly volumes?: readonly VolumeSelection[];
  readonly target?: Target;
  /** Runs when the first volume was cut, before the next: volumes are then cut one after the other. */
  readonly meanwhile?: () => Promise<void>;
  /** For stores whose copies are of one instant because nothing is written: lets the atomic layouts be tried. */
  readonly atomic?: boolean;
  readonly options?: PlanRequest['options'];
}

/** Takes it. Throws what the checks found, or what the executor throws. */
export async function takeBackup(
  fixture: Pick<EngineFixture, 'engine' | 'volumes' | 'target'>,
  directory: string,
  options: BackupOptions = {},
): Promise<BackupRecord> {
  const log = new QuietLog();
  const signal = new AbortController().signal;
  const selections = options.volumes ?? fixture.volumes;
  const volumes = await new LocalPlatform(selections).resolveVolumes(selections);
  const session = await fixture.engine.open(options.target ?? fixture.target(), log, signal);
  try {
    const id = backupId(systemClock.now());
    const request: PlanRequest = {
      id,
      volumes: volumes.map((volume) => ({ ...volume, mountPath: volume.claim })),
      layout: 'auto',
      groupClass: false,
      atomicStore: options.atomic ?? false,
      options: options.options ?? {},
    };
    const errors = (await session.check(request)).filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join('; '));
    const plan = session.plan(request);
    const store = interrupted(new DirectorySnapshotStore(directory, { clock: systemClock, log }), options.meanwhile);
    const outcome = await runFrozen(plan, {
      store,
      volumes,
      jobUid: 'job-1',
      budgetMs: 60_000,
      clock: systemClock,
      log,
      signal,
      request: { id, database: 'ledger', labels: {}, annotations: { 'stillpoint.dev/job-uid': 'job-1' } },
    });
    return recordOf(fixture, session, request, plan, outcome, await store.ready(outcome.cuts, signal));
  } finally {
    await session.close();
  }
}

function interrupted(store: SnapshotStore, meanwhile: (() => Promise<void>) | undefined): SnapshotStore {
  if (meanwhile === undefined) return store;
  let done: Promise<void> | undefined;
  const cut = async (request: CutRequest, signal: AbortSignal): ReturnType<SnapshotStore['cut']> => {
    const cuts: Cut[] = [];
    for (const volume of request.volumes) {
      cuts.push(...(await store.cut({ ...request, volumes: [volume] }, signal)));
      done ??= meanwhile();
      await done;
    }
    return cuts;
  };
  return allBut(store, { cut });
}
