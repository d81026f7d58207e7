/** What came of a check or a restore of a dump, as people and scripts read it. Pure: results in, text out. */
import { stringify } from 'yaml';
import type { Output } from './records';
import { bytesText } from './size';

/** A dump that was read to its end, and is what its record says. */
export interface CheckedDump {
  /** As `shop/orders-dump/20261121020000`. */
  readonly backup: string;
  readonly store: string;
  readonly bytes: number;
  /** Of what is in it; undefined where it is encrypted and was not opened. */
  readonly plainBytes?: number | undefined;
}

/** A dump that was restored into a server. */
export interface RestoredIntoServer {
  readonly backup: string;
  readonly host: string;
  /** As `shop/orders-dump-backup-1700000000`; undefined where it was done from here. */
  readonly job?: string | undefined;
}

/** A dump that was restored as the file that a server takes. */
export interface RestoredAsFile {
  readonly backup: string;
  readonly file: string;
}

/** A copy that was restored into claims. */
export interface RestoredIntoClaims {
  readonly backup: string;
  readonly namespace: string;
  /** What `restore --undo` takes. */
  readonly restore: string;
  readonly volumes: readonly { readonly volume: string; readonly claim: string; readonly mountPath: string }[];
}

export function formatRestoredCopy(restored: RestoredIntoClaims, output: Output): string {
  const { backup, namespace, volumes } = restored;
  const claims = volumes.map(
    ({ volume, claim, mountPath }) => `  ${volume}   claim ${namespace}/${claim}   mount it at ${mountPath}\n`,
  );
  return formatted(restored, output, `copy ${backup} restored, and its files are prepared:\n${claims.join('')}`);
}

export function formatChecked(checked: CheckedDump, output: Output): string {
  const { backup, store, bytes, plainBytes } = checked;
  const opened =
    plainBytes === undefined ? '; it is encrypted, and was not opened' : `, ${bytesText(plainBytes)} unpacked`;
  const sentence = `backup ${backup} is what its record says: ${bytesText(bytes)} in ${store}${opened}\n`;
  return formatted(checked, output, sentence);
}

export function formatRestoredIntoServer(restored: RestoredIntoServer, output: Output): string {
  return formatted(restored, output, `backup ${restored.backup} restored into ${restored.host}\n`);
}

export function formatRestoredAsFile(restored: RestoredAsFile, output: Output): string {
  return formatted(restored, output, `backup ${restored.backup} restored into the file ${restored.file}\n`);
}

function formatted(result: { readonly backup: string }, output: Output, sentence: string): string {
  if (output === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  if (output === 'yaml') return stringify(result);
  return output === 'name' ? `${result.backup}\n` : sentence;
}
