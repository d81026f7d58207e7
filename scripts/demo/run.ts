import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The checkout. */
export const ROOT = new URL('../..', import.meta.url).pathname;

/** Runs a program to its end and answers with what it printed; what it printed on its way to failing is the error. */
export async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    const options = { cwd: ROOT, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    return (await execute(program, [...args], options)).stdout;
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout?: string; stderr?: string; code?: unknown };
    const words = [program, ...args].join(' ');
    throw new Error(`\`${words}\` ended with ${String(code)}:\n${[stdout, stderr].join('\n').trim()}`);
  }
}

/** Runs one of the tools that the development dependencies bring, with the Node of this process. */
export function runTool(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return run(process.execPath, [script, ...args], env);
}
