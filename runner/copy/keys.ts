/** How the objects of a copy are called in a store: in a folder as that of a dump. Pure. */
import type { CompressionName } from '../../src/contract';
import { dumpFolder, OWNER_FILE, RECORD_FILE } from '../dump/keys';
import { codecOf } from '../pipe/compression';
import { ENCRYPTED_EXTENSION } from '../pipe/encryption';

/** Which copy. */
export type CopiedBackup = Parameters<typeof dumpFolder>[1];

/** The keys of one copy. */
export interface CopyKeys {
  readonly owner: string;
  readonly archive: string;
  readonly manifest: string;
  readonly record: string;
}

/**
 * The keys of a copy: under names that no earlier attempt of the same Job has left something under (`left`) which it could not
 * remove.
 */
export function copyKeys(
  of: CopiedBackup,
  { compression, encrypted }: { readonly compression: CompressionName; readonly encrypted: boolean },
  left: readonly string[] = [],
): CopyKeys {
  const folder = dumpFolder('stillpoint', of);
  const packed = `${codecOf(compression).extension}${encrypted ? ENCRYPTED_EXTENSION : ''}`;
  for (let attempt = 1; ; attempt++) {
    const nth = attempt === 1 ? '' : `-${attempt}`;
    const [archive, manifest] = [`${folder}files${nth}.tar${packed}`, `${folder}manifest${nth}.jsonl${packed}`];
    if (left.includes(archive) || left.includes(manifest)) continue;
    return { owner: `${folder}${OWNER_FILE}`, archive, manifest, record: `${folder}${RECORD_FILE}` };
  }
}
