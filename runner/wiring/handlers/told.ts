/** Prints what a command says of backups as it goes. */
import type { OutputOption } from '../../cli/options';
import { type Told, toldText } from '../../output/told';
import type { Terminal } from './terminal';

export async function printTold(
  { print, note }: Pick<Terminal, 'print' | 'note'>,
  told: AsyncIterable<Told>,
  { names, output }: OutputOption & { readonly names: readonly string[] },
): Promise<string> {
  let count = 0;
  const counted = async function* (): AsyncGenerator<Told> {
    for await (const each of told) {
      count++;
      yield each;
    }
  };
  for await (const text of toldText(counted(), output, { alone: names.length === 1 })) print(text);
  if (count === 0) note('No backups found with these labels.');
  return '';
}
