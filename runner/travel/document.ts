/** An exported backup as text, and back. What comes in is of somebody else: it is read within limits, and by its schema. */
import { parse, stringify } from 'yaml';
import {
  API_VERSION,
  type BackupRecord,
  EXPORT_KIND,
  EXPORTED_BACKUP,
  type ExportedBackup,
  type ExportedSnapshot,
  fits,
  validate,
} from '../../src/contract';
import { StillpointError } from '../errors';

/** A record with the spec of a large workload has some 20 kB; Kubernetes keeps no more than 1 MiB of one. */
export const EXPORT_MAX_BYTES = 4 * 1024 * 1024;

/** The document of one backup. */
export function exportedBackup(
  record: BackupRecord,
  snapshots: readonly ExportedSnapshot[],
  about: { readonly at: Date; readonly registry: string | undefined; readonly runnerVersion: string },
): ExportedBackup {
  const { at, registry, runnerVersion } = about;
  return {
    apiVersion: API_VERSION,
    kind: EXPORT_KIND,
    exported: { at: at.toISOString(), ...(registry === undefined ? {} : { registry }), runnerVersion },
    snapshots,
    record,
  };
}

/** As it is written into a file. */
export function formatExport(document: ExportedBackup): string {
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Reads a document. Throws import-invalid. */
export function parseExport(text: string, file: string): ExportedBackup {
  if (Buffer.byteLength(text) > EXPORT_MAX_BYTES) {
    throw invalid(file, `is larger than ${EXPORT_MAX_BYTES / 1024 / 1024} MiB, and no record is`);
  }
  let document: unknown;
  try {
    // No aliases: a few lines of them could become more than fits into memory.
    document = parse(text, { maxAliasCount: 0 });
  } catch (thrown) {
    throw invalid(file, `is no YAML: ${(thrown as Error).message.split('\n')[0]}`);
  }
  if (fits(EXPORTED_BACKUP, document)) return document;
  const [problem] = validate(EXPORTED_BACKUP, document);
  throw invalid(file, `is no exported backup: ${problem?.path === '' ? 'it' : problem?.path} ${problem?.message}`);
}

function invalid(file: string, why: string): StillpointError {
  return new StillpointError('import-invalid', `${file} ${why}`, {
    hint: '`stillpoint export` writes such files; one of a newer version is read by a newer version',
  });
}
