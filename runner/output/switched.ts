/** How a moved alias is printed. Pure. */
import { stringify } from 'yaml';
import type { Switched } from '../tools/online-restore';
import type { Output } from './records';

/** In a table a sentence; as a name what the alias points to now. */
export function formatSwitched(switched: Switched, output: Output): string {
  if (output === 'json') return `${JSON.stringify(switched, null, 2)}\n`;
  if (output === 'yaml') return stringify(switched);
  const { alias, from, to } = switched;
  return output === 'name' ? `${to}\n` : `alias ${alias} moved from ${from} to ${to}\n`;
}
