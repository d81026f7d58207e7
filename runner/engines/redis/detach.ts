/**
 * Keeps a restored copy from reaching out to the original's world (safety rule 13): no replication, no cluster. Pure text;
 * prepare.ts writes it.
 */

/** Directives by which a server joins others, or tells them of itself. */
const REACHING_OUT =
  /^\s*(replicaof|slaveof|cluster-enabled|cluster-announce-\S+|replica-announce-\S+|slave-announce-\S+)\s/i;

/** A configuration file without them: the lines stay, as comments. Undefined when it has none. */
export function detachedConfiguration(text: string): string | undefined {
  const lines = text.split('\n');
  if (!lines.some((line) => REACHING_OUT.test(line))) return undefined;
  return lines.map((line) => (REACHING_OUT.test(line) ? `# a restored copy is on its own: ${line}` : line)).join('\n');
}

/** Files of processes that were at work at the instant of the cut: nothing reads them. */
export const LEFT_OVER = /^(temp-.+\.(rdb|aof)|temp-.+aof.*)$/;

/** The manifest of append-only files that begin with a dump. */
export function manifestOf(appendfilename: string): { readonly base: string; readonly manifest: string } {
  const base = `${appendfilename}.1.base.rdb`;
  return { base, manifest: `file ${base} seq 1 type b\n` };
}
