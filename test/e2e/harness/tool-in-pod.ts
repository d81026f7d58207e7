/** Runs an engine's tool in a pod of the engine's image, with its output and its input on this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { ToolCommand } from '../../../runner/tools/tool';

/** Where a tool's files lie in the pod. */
const FOLDER = '/dev/shm/stillpoint-tool';

/** A pod, in whose only container tools run. */
export interface Place {
  readonly namespace: string;
  readonly pod: string;
}

const exec = ({ namespace, pod }: Place, words: readonly string[]): readonly string[] => [
  ...['exec', '-i', '-n', namespace, pod, '--'],
  ...words,
];

/** Runs a command in a pod to its end, and says what it wrote; throws unless it ended well. */
export async function runInPod(
  place: Place,
  words: readonly string[],
  input: Uint8Array | string = '',
): Promise<string> {
  const child = spawn('kubectl', exec(place, words), { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${err}`);
  return out;
}

/** The same command, run in a pod by kubectl. Only tests pass a password as an argument of kubectl. */
export async function inPod(command: ToolCommand, place: Place): Promise<ToolCommand> {
  await runInPod(place, ['mkdir', '-p', FOLDER]);
  for (const [name, content] of Object.entries(command.files)) {
    await runInPod(place, ['sh', '-c', `umask 077; cat >${FOLDER}/${name}`], content);
  }
  const env = Object.entries(command.env).map(([name, value]) => `${name}=${value}`);
  return {
    ...command,
    program: 'kubectl',
    args: () => exec(place, ['env', ...env, command.program, ...command.args(FOLDER)]),
    env: {},
    files: {},
  };
}
