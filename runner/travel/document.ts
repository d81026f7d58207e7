/** A backup on its way as text, and back. What comes in is of somebody else: it is read within limits, and by its schema. */
import { parse, stringify } from 'yaml';
import {
  API_VERSION,
  type BackupRecord,
  EXPORT_KIND,
  EXPORTED_BACKUP,
  type ExportedBackup,
  type ExportedSnapshot,
  fits,
  RECORD,
  RECORD_KIND,
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

/** How an export may be written. JSON is YAML: the import takes both. */
export const EXPORT_FORMATS = ['yaml', 'json'] as const;

/** One of {@link EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** As it is written into a file. */
export function formatExport(document: ExportedBackup, format: ExportFormat = 'yaml'): string {
  if (format === 'json') return `${JSON.stringify(document, null, 2)}\n`;
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** What can be imported: what an export has written, or the record that lies beside a dump in its store. */
export type Importable = { readonly document: ExportedBackup } | { readonly copy: BackupRecord };

/** Reads a document. Throws import-invalid. */
export function parseImportable(text: string, file: string): Importable {
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
  if (fits(EXPORTED_BACKUP, document)) return { document };
  const isRecord = (document as { readonly kind?: unknown } | null)?.kind === RECORD_KIND;
  if (isRecord && fits(RECORD, document)) return { copy: document };
  const [problem] = isRecord ? validate(RECORD, document) : validate(EXPORTED_BACKUP, document);
  const what = isRecord ? 'record of a dump' : 'exported backup';
  throw invalid(file, `is no ${what}: ${problem?.path === '' ? 'it' : problem?.path} ${problem?.message}`);
}

function invalid(file: string, why: string): StillpointError {
  return new StillpointError('import-invalid', `${file} ${why}`, {
    hint: '`stillpoint export` writes such files, and each dump one beside it; one of a newer version is read by a newer version',
  });
}
