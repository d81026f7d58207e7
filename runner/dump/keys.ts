/** How the objects of a dump are called in a store. Pure. */
import { type BackupId, type CompressionName, DUMP_LAYOUTS, type DumpLayoutName } from '../../src/contract';
import { codecOf } from '../pipe/compression';
import { ENCRYPTED_EXTENSION } from '../pipe/encryption';

/** What belongs to one backup, and nothing else, begins with this. */
export function dumpFolder(
  layout: DumpLayoutName,
  { namespace, database, id }: { readonly namespace: string; readonly database: string; readonly id: BackupId },
): string {
  return `${databaseFolder(layout, { namespace, database })}${id}/`;
}

/** What belongs to the backups of one database. */
export function databaseFolder(
  layout: DumpLayoutName,
  { namespace, database }: { readonly namespace: string; readonly database: string },
): string {
  return `${layout}/${namespace}/${database}/`;
}

/** What the name of a dump's file tells of it. */
export interface DumpFile {
  readonly extension: string;
  readonly compression: CompressionName;
  readonly encrypted: boolean;
  /** From 1: a later attempt has another name where what an earlier one has written could not be removed. */
  readonly attempt?: number;
}

/** The file of the dump. */
export function dumpFile(layout: DumpLayoutName, { extension, compression, encrypted, attempt = 1 }: DumpFile): string {
  const name = `${layout === 'kubedb' ? 'dumpfile' : 'dump'}${attempt === 1 ? '' : `-${attempt}`}`;
  return `${name}.${extension}${codecOf(compression).extension}${encrypted ? ENCRYPTED_EXTENSION : ''}`;
}

/** The record's copy: by it a bucket alone is enough to restore. */
export const RECORD_FILE = 'record.yaml';

/** Whose the folder is: see owner.ts. */
export const OWNER_FILE = 'owner.yaml';

/** Whether a key says whose its folder is. */
export const isOwnerKey = (key: string): boolean => key.endsWith(`/${OWNER_FILE}`);

/** The folder that a key lies in. */
export const folderOf = (key: string): string => key.slice(0, key.lastIndexOf('/') + 1);

/** All keys of a backup: what is written, and what goes when it is deleted. */
export function keysOf({
  plannedObjects = [],
  objects = [],
}: {
  readonly plannedObjects?: readonly string[] | undefined;
  readonly objects?: readonly { readonly key: string }[] | undefined;
}): readonly string[] {
  return [...new Set([...plannedObjects, ...objects.map(({ key }) => key)])];
}

/** Whether a key is one of a backup's own: a record is only text, and may name what belongs to another backup. */
export function isOwnKey(
  of: { readonly namespace: string; readonly database: string; readonly id: BackupId },
  key: string,
): boolean {
  return DUMP_LAYOUTS.some((layout) => {
    const folder = dumpFolder(layout, of);
    const file = key.slice(folder.length);
    return key.startsWith(folder) && /^[^/]+$/.test(file) && file !== '.' && file !== '..';
  });
}
