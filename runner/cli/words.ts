/** The words of a command line, the command first. Pure. */
import { Command } from 'commander';
import { withGlobals } from './options';

/** What may stand before the command, as kubectl has it: `stillpoint -n shop status`. */
export const WHERE = withGlobals(new Command().helpOption(false));

/** The same words with the flags that say where to look behind the command; as they are where something else comes first. */
export function commandFirst(words: readonly string[]): string[] {
  let at = 0;
  while (words[at]?.startsWith('-') === true) {
    const [flag, ...value] = (words[at] ?? '').split('=');
    const option = WHERE.options.find(({ long, short }) => long === flag || short === flag);
    if (option === undefined) return [...words];
    at += option.required && value.length === 0 ? 2 : 1;
  }
  const [command, ...rest] = words.slice(at);
  return command === undefined ? [...words] : [command, ...words.slice(0, at), ...rest];
}
