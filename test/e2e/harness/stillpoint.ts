/** The command line, as a person runs it on their machine. */
import { spawn } from 'node:child_process';
import { thisRun } from './this-run';

/** What a command answered. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const command = new URL('../../../bundle/stillpoint.mjs', import.meta.url).pathname;

/** A command at work. */
export interface RunningCommand {
  readonly answer: Promise<Answer>;
  /** Ends it as a lost terminal or an out-of-memory killer would: without a word. */
  kill(): void;
}

/** Runs `stillpoint` with the registry of this run. */
export async function stillpoint(...args: readonly string[]): Promise<Answer> {
  return await startStillpoint(...args).answer;
}

/** Runs `stillpoint` with a registry of another cluster, or what stands for one. */
export async function stillpointOf(registry: string, ...args: readonly string[]): Promise<Answer> {
  return await start([...args, '--registry', registry]).answer;
}

/** The words that run `stillpoint` with the registry of this run, for who starts them otherwise. */
export function commandLine(...args: readonly string[]): readonly string[] {
  return [process.execPath, command, ...args, '--registry', thisRun.registry];
}

/** Runs a command that asks no registry anything. */
export async function stillpointAlone(...args: readonly string[]): Promise<Answer> {
  return await start(args).answer;
}

/** Starts `stillpoint` with the registry of this run. */
export function startStillpoint(...args: readonly string[]): RunningCommand {
  return start([...args, '--registry', thisRun.registry]);
}

function start(args: readonly string[]): RunningCommand {
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? -1, ...output }));
  });
  return { answer, kill: () => void child.kill('SIGKILL') };
}
