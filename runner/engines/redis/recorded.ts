/** What a record says of the server that it was taken of. */
import type { BackupRecord } from '../../../src/contract';
import { type Dialect, dialectNamed } from './versions';

/** Its dialect, by the record's version and flavour. */
export function recordedDialect({ serverVersion, flavour }: BackupRecord): Dialect {
  return dialectNamed(flavour === 'valkey' ? 'valkey' : 'redis', serverVersion ?? '');
}

/** Whether the copy is one of the append-only files; else it is a dump. */
export function isAppendOnly({ position }: BackupRecord): boolean {
  return position?.mode === 'aof';
}
