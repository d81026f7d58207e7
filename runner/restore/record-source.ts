import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { type BackupRecord, fits, RECORD, validate } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Registry } from '../ports';

/** Where a pod of a restore finds the record: a mounted file, or the registry. */
export type RecordSource =
  | { readonly file: string }
  | { readonly registry: Registry /** `<namespace>.<database>.<id>` */; readonly name: string };

/** Reads a record. Throws record-unreadable and backup-not-found. */
export async function readRecord(source: RecordSource): Promise<BackupRecord> {
  return 'file' in source ? readRecordFile(source.file) : readRegistered(source.registry, source.name);
}

async function readRecordFile(file: string): Promise<BackupRecord> {
  const document: unknown = parse(await readText(file));
  if (fits(RECORD, document)) return document;
  const problems = validate(RECORD, document).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`);
  throw new StillpointError('record-unreadable', `the record in ${file} is not valid: ${problems.join('; ')}`, {
    hint: 'a newer version may have written it: take a runner image of that version',
  });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new StillpointError('record-unreadable', `the record in ${file} cannot be read (${reason})`, { cause });
  }
}

async function readRegistered(registry: Registry, name: string): Promise<BackupRecord> {
  const [namespace, database, id, ...rest] = name.split('.');
  if (namespace === undefined || database === undefined || id === undefined || rest.length > 0) {
    throw new StillpointError('usage-invalid', `"${name}" does not name a record`, {
      hint: 'a record is called <namespace>.<database>.<id>',
    });
  }
  const stored = await registry.get(namespace, database, id);
  if (stored !== undefined) return stored.record;
  throw new StillpointError('backup-not-found', `the registry has no record ${name}`, {
    hint: '`stillpoint list -A` shows the backups',
  });
}
