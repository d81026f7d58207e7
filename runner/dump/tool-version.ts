/** Asks the engine's tool what it is: before anything depends on it. */
import { text } from 'node:stream/consumers';
import { Child, type ChildOptions } from '../pipe/child';
import type { EngineDump, ToolCommand } from '../tools/tool';

/** What the tool says of itself, in a line. Throws tool-missing and tool-failed. */
export function toolVersion(
  tools: Pick<EngineDump, 'versionOf'>,
  flavour: string | undefined,
  options: ChildOptions,
): Promise<string> {
  return saidBy(tools.versionOf(flavour), options);
}

/** What a program says when it is asked, in a line. Throws tool-missing and tool-failed. */
export async function saidBy(
  { program, args }: { readonly program: string; readonly args: readonly string[] },
  options: ChildOptions,
): Promise<string> {
  return await answerOf({ program, args: () => args, env: {}, files: {}, secrets: [] }, options);
}

/** What a tool writes to its standard output, without the blanks around it. Throws tool-missing and tool-failed. */
export async function answerOf(command: ToolCommand, options: ChildOptions): Promise<string> {
  return await Child.during(command, options, async (child) => {
    child.stdin.end();
    // A program that is not there ends its output too; why, says how it ended.
    const said = await text(child.stdout).catch(() => '');
    await child.endedWell();
    return said.trim();
  });
}
