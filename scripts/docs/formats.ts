import {
  COPY_CONFIG,
  COPY_RESTORE_CONFIG,
  DUMP_CONFIG,
  DUMP_RESTORE_CONFIG,
  EXPORTED_BACKUP,
  GROUP_CONFIG,
  JOB_CONFIG,
  type JsonSchema,
  POLICY,
  RECORD,
  STORE_CONFIG,
  STORES,
} from '../../src/contract';

/** The formats as JSON Schemas: what the constructs write, the runner reads, and people may check theirs by. */
export function formats(): ReadonlyMap<string, string> {
  return new Map([
    ['backup-config.schema.json', schemaFile('BackupConfig: the instruction of a backup', JOB_CONFIG.json)],
    ['backup-policy.schema.json', schemaFile('BackupPolicy: what is kept of the backups of a policy', POLICY.json)],
    ['backup-group-config.schema.json', schemaFile('BackupGroupConfig: that of a group', GROUP_CONFIG.json)],
    ['dump-config.schema.json', schemaFile('DumpConfig: the instruction of a dump', DUMP_CONFIG.json)],
    [
      'dump-restore-config.schema.json',
      schemaFile('DumpRestoreConfig: that of a restore from a dump', DUMP_RESTORE_CONFIG.json),
    ],
    ['copy-config.schema.json', schemaFile('CopyConfig: the instruction of copies of snapshots', COPY_CONFIG.json)],
    [
      'copy-restore-config.schema.json',
      schemaFile('CopyRestoreConfig: that of a restore from a copy', COPY_RESTORE_CONFIG.json),
    ],
    ['stores-config.schema.json', schemaFile('StoresConfig: where dumps are removed from', STORES.json)],
    ['storage.schema.json', schemaFile('Where objects are kept', STORE_CONFIG.json)],
    ['backup.schema.json', schemaFile('Backup: the record of one', RECORD.json)],
    [
      'exported-backup.schema.json',
      schemaFile('ExportedBackup: one on its way to another cluster', EXPORTED_BACKUP.json),
    ],
  ]);
}

function schemaFile(title: string, schema: JsonSchema): string {
  const document = { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
