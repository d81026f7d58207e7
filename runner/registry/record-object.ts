/** A record as a ConfigMap: its name and labels are what one selects by, its one key is the record itself. */
import { parse, stringify } from 'yaml';
import {
  type BackupRecord,
  COMPONENTS,
  FINALIZER,
  isLost,
  isProtected,
  LABELS,
  labelValue,
  MANAGED_BY,
  PHASES,
  type Phase,
  RECORD,
  RECORDED_ENGINES,
  recordName,
  TRIGGERS,
  validate,
} from '../../src/contract';
import { StillpointError } from '../errors';
import type { ConfigMap } from '../kube/objects';
import type { KubeObject } from '../kube/resource';
import type { RecordSummary } from '../ports';
import { mayHold } from '../record';

/** The one key of a record's ConfigMap. */
const KEY = 'record.yaml';

/** The object of a new record. */
export function recordObject(record: BackupRecord, namespace: string): ConfigMap {
  const name = recordName(record.namespace, record.database, record.id);
  return {
    metadata: { name, namespace, labels: labelsOf(record), finalizers: [FINALIZER] },
    ...recordData(record),
  };
}

/** What an object holds of a record besides its metadata. */
export function recordData(record: BackupRecord): Pick<ConfigMap, 'data'> {
  return { data: { [KEY]: stringify(record, { lineWidth: 0 }) } };
}

/** What one selects records by. */
export function labelsOf(record: BackupRecord): Record<string, string> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.engine]: record.engine,
    ...identityOf(record),
    [LABELS.phase]: record.phase,
    [LABELS.trigger]: record.trigger,
    [LABELS.protected]: `${isProtected(record)}`,
    ...(record.revision === undefined ? {} : { [LABELS.revision]: labelValue(record.revision) }),
    ...(record.held === undefined ? {} : { [LABELS.held]: `${mayHold(record)}` }),
    ...(record.imported?.look === undefined ? {} : { [LABELS.snapshotMissing]: `${isLost(record)}` }),
  };
}

/** The labels that say which backup a record is of. */
function identityOf({ namespace, database, id }: BackupRecord): Record<string, string> {
  return {
    [LABELS.component]: COMPONENTS.record,
    [LABELS.namespace]: namespace,
    [LABELS.database]: database,
    [LABELS.backup]: id,
  };
}

/** Nobody works on a backup in these phases any more: once its record is deleted, it is on its way out. */
const ENDED: readonly Phase[] = ['succeeded', 'failed'];

/**
 * The record in an object; one that somebody has deleted (kubectl delete) is `deleting`: from then on it is neither
 * restored nor counted as good. Throws record-unreadable when there is none, or another one than the object says.
 */
export function recordIn(object: ConfigMap): BackupRecord {
  const record = writtenIn(object);
  return isOnItsWayOut(object, record.phase) ? { ...record, phase: 'deleting' } : record;
}

/** What an object's labels say of its record; undefined where they do not say all of it. */
export function summaryOf(object: KubeObject): RecordSummary | undefined {
  const { labels = {} } = object.metadata;
  const { [LABELS.namespace]: namespace, [LABELS.database]: database, [LABELS.backup]: id } = labels;
  const engine = RECORDED_ENGINES.find((name) => name === labels[LABELS.engine]);
  const phase = PHASES.find((name) => name === labels[LABELS.phase]);
  const trigger = TRIGGERS.find((name) => name === labels[LABELS.trigger]);
  if (!namespace || !database || !id || !engine || !phase || !trigger) return undefined;
  const missing = labels[LABELS.snapshotMissing] === 'true';
  return {
    ...{ namespace, database, id, engine, phase: isOnItsWayOut(object, phase) ? 'deleting' : phase, trigger },
    ...(missing ? { missing } : {}),
  };
}

function isOnItsWayOut({ metadata }: KubeObject, phase: Phase): boolean {
  return metadata.deletionTimestamp !== undefined && ENDED.includes(phase);
}

/** The API server holds the label of protection, and cannot read the content: what either says holds. */
function withProtection(record: BackupRecord, { labels = {} }: ConfigMap['metadata']): BackupRecord {
  if (labels[LABELS.protected] !== 'true' || isProtected(record)) return record;
  return { ...record, retention: { ...record.retention, protected: true } };
}

/**
 * Whether the removal of an object's record has begun. Its label says so as its content does: a deletion that was asked for
 * makes the record read as `deleting`, and begins nothing.
 */
export function isWrittenAsDeleting({ metadata }: ConfigMap, record: BackupRecord): boolean {
  return record.phase === 'deleting' && metadata.labels?.[LABELS.phase] === record.phase;
}

function writtenIn({ metadata, data }: ConfigMap): BackupRecord {
  const path = [metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/');
  const text = data?.[KEY];
  if (text === undefined) throw unreadable(path, `has no key ${KEY}`, NEWER);
  const document = parsed(path, text);
  const [problem] = validate(RECORD, document);
  if (problem !== undefined) throw unreadable(path, `does not fit: ${problem.path} ${problem.message}`, NEWER);
  const record = document as BackupRecord;
  const other = disagreement(metadata, record);
  if (other !== undefined) throw unreadable(path, other, FOREIGN);
  return withProtection(record, metadata);
}

/** Where in the text it is wrong is only worked out when it is: that takes as long as reading it. */
function parsed(path: string, text: string): unknown {
  try {
    return parse(text, { prettyErrors: false });
  } catch {
    try {
      return parse(text);
    } catch (thrown) {
      throw unreadable(path, `is no YAML: ${(thrown as Error).message.split('\n')[0]}`, NEWER);
    }
  }
}

/**
 * Where an object's name or labels speak of another backup than its content, or of a good one that is none by its content. Accounts are held to records by name and
 * label, and what is deleted and restored is taken from the content: only one that agrees is ours (safety rule 9).
 */
function disagreement({ name, labels = {} }: ConfigMap['metadata'], record: BackupRecord): string | undefined {
  const own = recordName(record.namespace, record.database, record.id);
  if (name !== own) return `has the content of ${own}`;
  // That a backup has succeeded no account takes back (src/record-guard.ts): nor does what the API server cannot read.
  const good: Phase = 'succeeded';
  const said = { ...identityOf(record), ...(labels[LABELS.phase] === good ? { [LABELS.phase]: record.phase } : {}) };
  const [other] = Object.entries(said).filter(([label, value]) => labels[label] !== value);
  if (other === undefined) return undefined;
  const [label, value] = other;
  return `has the label ${label}: ${labels[label] ?? '(none)'}, and by its content it is ${value}`;
}

const NEWER = 'a newer Stillpoint may have written it: use that version to read it';
const FOREIGN = 'nothing is restored or deleted by it: find out who has changed it, then put right what does not agree';

function unreadable(path: string, why: string, hint: string): StillpointError {
  return new StillpointError('record-unreadable', `record ${path} ${why}`, { hint });
}
