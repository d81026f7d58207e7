/** The record of an online backup from step to step. Pure: the earlier record and what happened go in, the next comes out. */
import type { BackupRecord, DumpConfig, RecordedObject } from '../../src/contract';
import type { Finding } from '../ports';
import type { OnlineEnd } from '../tools/online';
import { type DumpFacts, dumpingRecord } from './record';

type Recorded = NonNullable<NonNullable<BackupRecord['dump']>['databases']>[number];

/** The record before something is written: with its names. Told twice, its warnings stand there once. */
export function onlineRecord(
  record: BackupRecord,
  config: Pick<DumpConfig, 'spec'>,
  facts: DumpFacts,
  planned: { readonly keys: readonly string[]; readonly now: Date },
): BackupRecord {
  const next = dumpingRecord(record, config, facts, planned);
  return {
    ...next,
    dump: { tool: facts.tool, ...next.dump, databases: next.dump?.databases ?? [] },
    times: { ...next.times, dumping: record.times.dumping ?? planned.now.toISOString() },
    warnings: [...new Set(next.warnings)],
  };
}

/** The record of a backup that has something to restore: of each database that was wanted what became of it. */
export function publishedRecord(
  record: BackupRecord,
  done: {
    readonly ends: readonly OnlineEnd[];
    readonly findings: readonly Finding[];
    readonly objects: readonly RecordedObject[];
    readonly keyOf: (file: string) => string;
    readonly now: Date;
  },
): BackupRecord {
  const { ends, findings, objects, keyOf, now } = done;
  const at = now.toISOString();
  const wrong = findings.filter(({ severity }) => severity === 'error');
  return {
    ...record,
    phase: 'succeeded',
    dump: {
      tool: '',
      ...record.dump,
      databases: [...ends.map((end) => recorded(end, keyOf)), ...wrong.map(unfound)],
    },
    objects,
    warnings: [...(record.warnings ?? []), ...ends.flatMap(({ warnings = [] }) => warnings)],
    times: { ...record.times, ready: at, finished: at },
  };
}

function recorded({ name, aliases, chain = [], error }: OnlineEnd, keyOf: (file: string) => string): Recorded {
  const last = chain.at(-1);
  return {
    name,
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(last === undefined
      ? {}
      : {
          databaseId: last.databaseId,
          files: chain.map(({ file }) => keyOf(file)),
          highestTransaction: Math.max(...chain.map(({ highest }) => highest)),
        }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

/** What was wanted and is not there is not passed over. */
function unfound({ subject, code, message }: Finding): Recorded {
  return { name: subject.replace(/^database /, ''), error: { code, message } };
}

/** The keys of all that a record has of one database. */
export function filesOf(record: BackupRecord | undefined, database: string): readonly string[] {
  return record?.dump?.databases?.find(({ name }) => name === database)?.files ?? [];
}
