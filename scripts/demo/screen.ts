/** What the demo prints: in colour on a terminal, plain elsewhere. */
import { styleText } from 'node:util';

/** A line of the table at the end. */
export interface Line {
  readonly what: string;
  readonly value: string;
  readonly remark?: string;
}

/** What a demonstration came to. */
export interface Verdict {
  readonly holds: boolean;
  readonly sentence: string;
  readonly lines: readonly Line[];
}

export interface Screen {
  /** Says what is being done; answers when it is done, with how long it took. */
  step<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** A command that a person could type as well. */
  command(words: readonly string[]): void;
  table(lines: readonly Line[]): void;
  verdict(holds: boolean, sentence: string): void;
}

type Style = Parameters<typeof styleText>[0];

/** Node looks at the stream and at NO_COLOR. */
function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export const screen: Screen = {
  async step(what, work) {
    const started = performance.now();
    const result = await work();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    print(`${styled('green', '✓')} ${what} ${styled('dim', `${seconds} s`)}`);
    return result;
  },

  command(words) {
    print(styled('dim', `  $ ${words.join(' ')}`));
  },

  table(lines) {
    const widest = Math.max(...lines.map(({ what }) => what.length));
    const widestValue = Math.max(...lines.map(({ value }) => value.length));
    print('');
    for (const { what, value, remark } of lines) {
      const cells = `${what.padEnd(widest)}  ${styled('bold', value.padStart(widestValue))}`;
      print(remark === undefined ? cells : `${cells}  ${styled('dim', remark)}`);
    }
    print('');
  },

  verdict(holds, sentence) {
    print(`${holds ? styled(['green', 'bold'], 'OK') : styled(['red', 'bold'], 'FAILED')}  ${sentence}`);
  },
};
