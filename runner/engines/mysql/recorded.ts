/** The dialect of the server that a record was taken of. */
import type { BackupRecord } from '../../../src/contract';
import { type Dialect, dialectOf } from './versions';

/** By the record's version and flavour. */
export function recordedDialect({ serverVersion, flavour, settings }: BackupRecord): Dialect {
  const suffix = (flavour ?? settings?.flavour) === 'mariadb' ? '-MariaDB' : '';
  return dialectOf(`${serverVersion ?? ''}${suffix}`);
}
