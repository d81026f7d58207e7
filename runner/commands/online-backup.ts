/** Takes one online backup: files of databases, by the engine's own tool from a running server; step by step. */
import { type BackupRecord, dumpLeaseName, type StoreConfig, storePlace, UNFINISHED } from '../../src/contract';
import { checkOnline, type OnlineChecked } from '../dump/online-checks';
import { placeOf, type Work } from '../dump/online-place';
import { filesOf, onlineRecord, publishedRecord } from '../dump/online-record';
import { takeFolder } from '../dump/owner';
import { storeOf } from '../dump/record';
import { asStillpointError, StillpointError } from '../errors';
import type { StoredRecord } from '../ports';
import type { OnlineEnd, OnlineWorld } from '../tools/online';
import { runTool } from '../tools/run-tool';
import type { DumpContext } from './dump';
import { openDump, sweepDumps } from './dump-earlier';
import { askPruner, say } from './say';
import { StoredRun } from './stored-run';
import { underLease } from './under-lease';

/** So many earlier backups are looked through for a database: one that was in none of them begins anew. */
const LOOKED_AT = 30;

/**
 * Takes it. Returns its record where every database that was wanted is in it. Where some are, the record is good for those, and
 * tool-failed says which are not: as often as a pod of the same Job asks.
 */
export async function takeOnlineBackup(context: DumpContext): Promise<BackupRecord> {
  const { config, run, log } = context;
  return await underLease(
    context,
    dumpLeaseName(config.spec.database),
    async (held) => {
      await forgetEarlierWork(held);
      const opened = await openDump(held);
      if (opened.record.phase === 'succeeded') {
        log.info({ id: run.id }, 'this backup has succeeded already');
        return wholeOrThrow(opened.record);
      }
      await sweepDumps(held);
      return wholeOrThrow(await new Online(held, opened).run());
    },
    () => askPruner(context),
  );
}

class Online {
  readonly #context: DumpContext;
  readonly #stored: StoredRun;

  constructor(context: DumpContext, stored: StoredRecord) {
    this.#context = context;
    this.#stored = new StoredRun(context, stored, 'Backup');
  }

  async run(): Promise<BackupRecord> {
    const { run, signal } = this.#context;
    return await this.#stored.during(async () => {
      await say(this.#context, 'Normal', 'Starting', `Backup ${run.id} running`);
      const checked = await this.#checkStep();
      const { store, keys, files } = checked;
      const last = await this.#lastStep(checked);
      await this.#announceStep(checked, [keys.owner, keys.record]);
      await takeFolder(store, keys.owner, this.#stored.record, signal);
      const work = await files.work(this.#stored.record);
      try {
        const record = await this.#publishStep(checked, await this.#backUpStep(checked, work, last));
        await this.#stored.finish(store, keys.record, record);
      } finally {
        await this.#forgetStep(checked);
      }
      await this.#sayStep();
    });
  }

  async #checkStep(): Promise<OnlineChecked> {
    const { log } = this.#context;
    log.info({ step: 'check' }, 'step begins');
    const checked = await checkOnline(this.#context, this.#stored.record);
    this.#stored.weigh([...checked.findings, ...checked.found.findings], checked.findings);
    const { server, tool, storeName } = checked.facts;
    log.info({ step: 'check', server: server.version, tool, store: storeName }, 'step done');
    return checked;
  }

  /**
   * Of each database the newest backup in this store that has it: its chain is gone on with, and its sizes tell how much room there has to be.
   * One that failed in the backup before has its chain in an earlier one. What lies in another store, where the policy had that before, cannot be
   * linked: a chain begins anew.
   */
  async #lastStep({ found }: OnlineChecked): Promise<ReadonlyMap<string, BackupRecord>> {
    const { registry, namespace, config } = this.#context;
    const { database, storage } = config.spec;
    const ids: BackupRecord['id'][] = [];
    for await (const page of registry.summaries({ namespace, database, phases: ['succeeded'] })) {
      ids.push(...page.map(({ id }) => id));
    }
    const last = new Map<string, BackupRecord>();
    for (const id of ids.toSorted().toReversed().slice(0, LOOKED_AT)) {
      const record = (await registry.get(namespace, database, id))?.record;
      if (record === undefined || !liesIn(record, storage)) continue;
      for (const { name } of found.selected) {
        if (!last.has(name) && filesOf(record, name).length > 0) last.set(name, record);
      }
      if (found.selected.every(({ name }) => last.has(name))) break;
    }
    return last;
  }

  /** The names of what is going to be written are on record before any of it is: a later run knows what to remove. */
  async #announceStep({ facts }: OnlineChecked, keys: readonly string[]): Promise<void> {
    const { config, clock } = this.#context;
    await this.#stored.update(onlineRecord(this.#stored.record, config, facts, { keys, now: clock.now() }));
  }

  /** One database after the other, each with its look and its check: nothing that fails reaches the backup's own folder. */
  async #backUpStep(
    { online, wanted, found, facts, files }: OnlineChecked,
    work: Work,
    last: ReadonlyMap<string, BackupRecord>,
  ): Promise<readonly OnlineEnd[]> {
    const { log, signal } = this.#context;
    const { from, type, longestChain = Number.POSITIVE_INFINITY, chainEnd = 'full' } = wanted;
    log.info({ step: 'backup', databases: found.selected.map(({ name }) => name) }, 'step begins');
    const earlier = new Map(found.selected.map(({ name }) => [name, filesOf(last.get(name), name)]));
    const long = [...earlier]
      .filter(([, keys]) => type === 'auto' && keys.length >= longestChain)
      .map(([name]) => name);
    const aggregate = chainEnd === 'aggregate' ? long : [];
    // With nothing to go on with the tool takes all of a database.
    const anew = type === 'full' ? [...earlier.keys()] : long.filter((name) => !aggregate.includes(name));
    for (const [name, keys] of earlier) if (!anew.includes(name)) await files.linkInto(work.backups, keys);
    const world: OnlineWorld = {
      run: (line) => runTool(line, this.#context),
      freeBytes: () => files.freeBytes(),
      sizeOf: (file) => files.sizeOf(file),
      lastBytes: (database) => largest(last.get(database), database),
      apart: (some) => files.apart(work, some),
      copies: (some) => files.copies(work, some, signal),
      remove: (path) => files.remove(path),
      signal,
    };
    const places = { to: work.backups, report: work.reports, temp: work.temp };
    const what = { toolSays: facts.tool, databases: found.selected, from, type, aggregate };
    const ends = await online.backUp({ ...what, ...places }, world);
    // What a run that was stopped, or lost its Lease, has of the last one says nothing of that.
    signal.throwIfAborted();
    for (const { name, error, warnings = [] } of ends) {
      for (const message of warnings) log.warn({ step: 'backup', database: name }, message);
      if (error === undefined) log.info({ step: 'backup', database: name }, 'database backed up');
      else log.error({ step: 'backup', database: name, code: error.code }, error.message);
    }
    // No part of it is good: a backup of nothing is none.
    const bad = ends.map(({ error }) => error);
    if (bad[0] !== undefined && bad.every((error) => error !== undefined)) throw bad[0];
    return ends;
  }

  async #publishStep(checked: OnlineChecked, ends: readonly OnlineEnd[]): Promise<BackupRecord> {
    const { folder, files, found } = checked;
    const { signal, clock } = this.#context;
    const keyOf = (file: string): string => `${folder}${files.nameOf(file)}`;
    const good = ends.flatMap(({ chain = [] }) => chain.map(({ file }) => file));
    await this.#announceStep(checked, good.map(keyOf));
    const objects = [];
    for (const file of good) {
      signal.throwIfAborted();
      objects.push(await files.publish(file, keyOf(file), signal));
    }
    return publishedRecord(this.#stored.record, { ends, findings: found.findings, objects, keyOf, now: clock.now() });
  }

  /** What is left there is found by the next run: the backup does not fail by it. */
  async #forgetStep({ files }: OnlineChecked): Promise<void> {
    await files.forget(this.#stored.record).catch((thrown: unknown) => {
      const { code, message } = asStillpointError(thrown);
      this.#context.log.warn({ code }, `files of the work are left: ${message}`);
    });
  }

  async #sayStep(): Promise<void> {
    const { run } = this.#context;
    const missing = missingOf(this.#stored.record);
    if (missing === undefined) {
      await say(this.#context, 'Normal', 'SuccessfulSnapshot', `Successfully completed snapshot ${run.id}`);
    } else await say(this.#context, 'Warning', 'FailedSnapshot', missing);
  }
}

/** What runners that are gone were at work on when they ended: the Lease holds that they are. */
async function forgetEarlierWork({ registry, namespace, config, openStore, log }: DumpContext): Promise<void> {
  const { database } = config.spec;
  const files = placeOf(config.spec, openStore);
  for (const { record } of await registry.list({ namespace, database, phases: UNFINISHED })) {
    await files.forget(record).catch((thrown: unknown) => {
      log.warn({ id: record.id, code: asStillpointError(thrown).code }, 'files of an earlier run are left');
    });
  }
}

function liesIn(record: BackupRecord, storage: StoreConfig): boolean {
  const store = storeOf(record);
  return store !== undefined && storePlace(store) === storePlace(storage);
}

/** Of the files that an earlier backup has of one database, the largest. */
function largest(record: BackupRecord | undefined, database: string): number {
  const keys = filesOf(record, database);
  return Math.max(0, ...(record?.objects ?? []).filter(({ key }) => keys.includes(key)).map(({ bytes }) => bytes));
}

/** What a record lacks, in a sentence; undefined where it has all that was wanted. */
function missingOf({ id, dump }: BackupRecord): string | undefined {
  const all = dump?.databases ?? [];
  const missing = all.flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error.message}`]));
  if (missing.length === 0) return undefined;
  return `backup ${id} has ${all.length - missing.length} of ${all.length} databases, and not ${missing.join('; ')}`;
}

function wholeOrThrow(record: BackupRecord): BackupRecord {
  const missing = missingOf(record);
  if (missing === undefined) return record;
  throw new StillpointError('tool-failed', missing, { hint: 'those that it has can be restored from it' });
}
