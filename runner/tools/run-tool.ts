/** One run of an engine's tool that is told nothing and whose output is short: its words, whatever it ended with. */
import { text } from 'node:stream/consumers';
import { Child, type ChildOptions } from '../pipe/child';
import type { OnlineRun } from './online';

/** Throws tool-missing where it is not there, and what the signal aborts with. */
export async function runTool(
  { program, args }: { readonly program: string; readonly args: readonly string[] },
  options: ChildOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<OnlineRun> {
  const command = { program, args: () => args, env, files: {}, secrets: [] };
  return await Child.during(command, options, async (child) => {
    child.stdin.end();
    // A program that is not there ends its output too; why, says how it ended.
    const output = await text(child.stdout).catch(() => '');
    const { code, words } = await child.ended();
    options.signal.throwIfAborted();
    return { exitCode: code ?? -1, output, said: words };
  });
}
