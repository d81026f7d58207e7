/** A program on a terminal, as a person has it: util-linux's `script` makes one, since Node cannot. */
import { spawn, spawnSync } from 'node:child_process';

/** Why there is none; undefined where there is. */
export const NO_TERMINAL: string | undefined =
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true
    ? undefined
    : "util-linux's script is not on this machine";

/** What was on the screen, and how the program ended. */
export interface OnTerminal {
  readonly screen: string;
  readonly exitCode: number;
}

/** What a person types once they read something on the screen. */
export interface Typing {
  readonly when: string;
  readonly keys: string;
}

/** The keys that mean something to a terminal. */
export const KEYS = { end: '\u0004', interrupt: '\u0003', home: '\u0001', tab: '\t' } as const;

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly typing?: readonly Typing[];
  /** After that it is ended: what was to be read never came, and what is on the screen says why. */
  readonly patienceMs?: number;
}

/** Runs words on a terminal that has colours. */
export async function onTerminal(
  words: readonly string[],
  { env = {}, typing = [], patienceMs = 50_000 }: TerminalOptions = {},
): Promise<OnTerminal> {
  // Node takes a terminal of CI for one without colours.
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_DISABLE_COLORS: ___, CI: ____, ...own } = process.env;
  const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  // A shell that stays between would take ^C for itself as well: dash then ends with 130, whatever the program ends with.
  const child = spawn('script', ['-qec', `exec ${line}`, '/dev/null'], {
    env: { ...own, SHELL: '/bin/sh', TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: patienceMs,
  });
  let screen = '';
  let read = 0;
  const left = [...typing];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    for (let [next] = left; next !== undefined; [next] = left) {
      const at = screen.indexOf(next.when, read);
      if (at < 0) return;
      read = at + next.when.length;
      child.stdin.write(next.keys);
      left.shift();
    }
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? -1));
  });
  return { screen: screen.replaceAll('\r\n', '\n'), exitCode };
}
