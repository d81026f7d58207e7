/** What an archive of files holds, entry by entry. Pure. */

/** What an entry is. A `link` is another name of a file that came before it. */
export const ENTRY_KINDS = ['file', 'directory', 'symlink', 'link'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** One entry, without its content. */
export interface Entry {
  readonly kind: EntryKind;
  /** `<volume>/<path within it>`, with `/` between its parts and none at its end; a volume's root is `<volume>`. */
  readonly path: string;
  /** The permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When its content was last changed, in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** In bytes; 0 of anything that is no file. */
  readonly size: number;
  /** Of a symlink what it says; of a link the path of the file in this archive. */
  readonly target?: string | undefined;
}

/** An instant as archives and manifests have it: seconds, with as many digits as it takes. */
export function timeText(ns: bigint): string {
  const sign = ns < 0n ? '-' : '';
  const size = ns < 0n ? -ns : ns;
  const fraction = `${size % 1_000_000_000n}`.padStart(9, '0').replace(/0+$/, '');
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** What {@link timeText} wrote; undefined when it is none. */
export function timeIn(text: string): bigint | undefined {
  const [, sign, seconds, fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const size = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  return sign === '-' ? -size : size;
}
