import { readdirSync, readFileSync } from 'node:fs';
import type { ToolCommand } from '../../../runner/tools/tool';

/** A stand-in tool: a real child process that runs a few lines of JavaScript. */
export const scripted = (script: string, more: Partial<ToolCommand> = {}): ToolCommand => ({
  program: process.execPath,
  args: () => ['-e', script],
  env: {},
  files: {},
  secrets: [],
  ...more,
});

/** Whether a process of a group still runs. One that is dead and waits for somebody to ask after it does not. */
export function groupLives(group: number): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        // pid (name) state parent group …, and a name may hold blanks and brackets.
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , ofGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(ofGroup) === group && state !== 'Z' && state !== 'X';
      } catch {
        return false;
      }
    });
}
