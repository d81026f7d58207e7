/**
 * Keeps a restored copy from reaching out to the original's world (safety rule 13): no replication, no cluster. Pure text;
 * prepare.ts writes it.
 */
import { createHash } from 'node:crypto';
import type { BackupRecord } from '../../../src/contract';

/** Directives by which a server joins others, or tells them of itself. */
const REACHING_OUT =
  /^\s*(replicaof|slaveof|cluster-enabled|cluster-announce-\S+|replica-announce-\S+|slave-announce-\S+)\s/i;

/** A configuration file without them: the lines stay, as comments. Undefined when it has none. */
export function detachedConfiguration(text: string): string | undefined {
  const lines = text.split('\n');
  if (!lines.some((line) => REACHING_OUT.test(line))) return undefined;
  return lines.map((line) => (REACHING_OUT.test(line) ? `# a restored copy is on its own: ${line}` : line)).join('\n');
}

const INCLUDE = /^\s*include\s+(?:"([^"]+)"|'([^']+)'|(\S+))/i;

/** The files that a configuration file takes in: paths, whose last part may be a pattern from Redis 7 on. */
export function includedFiles(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, ...ways] = INCLUDE.exec(line) ?? [];
    return ways.filter((path) => path !== undefined);
  });
}

/** Whether a file's name fits a pattern of `*` and `?`. */
export function fitsPattern(name: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}

/** Files of processes that were at work at the instant of the cut: nothing reads them. */
export const LEFT_OVER = /^(temp-.+\.(rdb|aof)|temp-.+aof.*)$/;

/** The manifest of append-only files that begin with a dump. */
export function manifestOf(appendfilename: string): { readonly base: string; readonly manifest: string } {
  const base = `${appendfilename}.1.base.rdb`;
  return { base, manifest: `file ${base} seq 1 type b\n` };
}

/**
 * A cluster of one, with the slots that the original had: its node is called after the backup and the original, so that two
 * copies of it are two. Undefined where the original was in no cluster, or its slots are not on record.
 */
export function nodesOfOne({ id, position }: Pick<BackupRecord, 'id' | 'position'>): string | undefined {
  const { node, slots, configEpoch = '0' } = position ?? {};
  if (node === undefined || slots === undefined) return undefined;
  const name = createHash('sha1').update(`${id} ${node}`).digest('hex');
  return [
    `${name} :0@0 myself,master - 0 0 ${configEpoch} connected ${slots}`,
    `vars currentEpoch ${configEpoch} lastVoteEpoch 0`,
    '',
  ].join('\n');
}
